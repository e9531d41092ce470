"""Who we are on a site, and by which host: found out, not guessed.

A plain API token works on the site's own host, one with scopes only through
`https://api.atlassian.com/ex/jira/{cloudId}` (jira-rest.md B8). `GET myself` on the site tells; a 401
there leads to the gateway. Nothing is read before a login is settled, since Jira answers anonymous
requests too.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    exchange_of,
    messages_of,
    not_reached,
    odd_answer,
    what,
)
from runbook.atlassian.limits import Call, Limits
from runbook.atlassian.outcomes import Meaning, Patience, backoff_s, login_lost, meaning_of_read
from runbook.atlassian.retry import retry_after_s
from runbook.clock import Clock
from runbook.http import Answer, Outcome, Request, Send

GATEWAY = "https://api.atlassian.com/ex/jira"
_THREE_CAUSES = (
    "likely causes in order: e-mail and token do not belong together, the token has expired, "
    "or it lacks the scopes read:jira-work, write:jira-work and read:jira-user"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The account that a site sees; `via` is `site` or `gateway`."""

    account_id: str
    email: str | None
    display_name: str
    via: str


class Login:
    """One account's login on one site; settled once, confirmed when answers look anonymous."""

    def __init__(
        self,
        *,
        send: Send,
        site: str,
        account: str,
        clock: Clock,
        limits: Limits,
        random: Callable[[], float],
        patience: Patience,
        site_id: str | None = None,
    ) -> None:
        self.site = site.rstrip("/")
        self.account = account
        self._send = send
        self._clock = clock
        self._limits = limits
        self._random = random
        self._patience = patience
        self._site_id = site_id
        self._lock = asyncio.Lock()
        self._base: str | None = None
        self._me: Me | None = None

    async def base(self) -> str:
        """Return the address before `/rest/api/3`, found out at the first call.

        Raises:
            LoginLostError: neither the site nor the gateway takes the credential.
            NotReachedError, NotDocumentedError, JiraRefusedError: the site does not answer as documented.
        """
        if self._base is None:
            async with self._lock:
                if self._base is None:
                    await self._settle()
        assert self._base is not None  # noqa: S101 - settled above
        return self._base

    def base_if_known(self) -> str:
        """Return the address before `/rest/api/3`; the site's own where nothing was asked yet."""
        return self._base or self.site

    async def me(self) -> Me:
        """Return the account that the site sees."""
        await self.base()
        assert self._me is not None  # noqa: S101 - settled with the base
        return self._me

    async def confirm(self) -> Me:
        """Ask again who we are.

        Raises:
            LoginLostError: the site no longer takes the credential, or sees somebody else.
        """
        known = await self.me()
        outcome = await self._myself(self.base_if_known())
        if isinstance(outcome, Answer) and outcome.status == 401:
            raise self._lost(self.base_if_known(), outcome)
        now = self._read_me(self.base_if_known(), outcome, known.via)
        if now.account_id != known.account_id:
            raise LoginLostError(
                f"`{self.site}` now sees another account than before",
                exchange_of(self._myself_request(self.base_if_known()), outcome),
                hint="run the same command again",
            )
        return now

    async def _settle(self) -> None:
        outcome = await self._myself(self.site)
        if not (isinstance(outcome, Answer) and outcome.status == 401):
            self._me, self._base = self._read_me(self.site, outcome, "site"), self.site
            return
        site_id = self._site_id or await cloud_id(self._send, self.site)
        if site_id is None:
            raise self._lost(self.site, outcome)
        gateway = f"{GATEWAY}/{quote(site_id, safe='')}"
        second = await self._myself(gateway)
        if not (isinstance(second, Answer) and second.status == 200):
            raise self._lost(self.site, outcome)
        self._me, self._base = self._read_me(gateway, second, "gateway"), gateway

    async def _myself(self, base: str) -> Outcome:
        """Ask who we are, as often as it takes to be answered."""
        request = self._myself_request(base)
        call = Call(site=self.site, method="GET", endpoint="myself")
        failed = 0
        while True:
            await self._limits.enter(call)
            outcome = await self._send(request)
            meaning = meaning_of_read(outcome)
            if meaning not in (Meaning.NOT_SENT, Meaning.PASSING, Meaning.LIMITED):
                return outcome
            failed += 1
            answer = outcome if isinstance(outcome, Answer) else None
            told_s = None if answer is None else retry_after_s(answer, self._clock.now())
            wait_s = backoff_s(failed, told_s, self._random())
            limited = meaning is Meaning.LIMITED and answer is not None
            if limited and answer is not None:
                self._limits.refused(call, answer.header("ratelimit-reason"), wait_s)
            attempts = self._patience.limited_attempts if limited else self._patience.attempts
            if failed >= attempts or wait_s > self._patience.longest_wait_s:
                return outcome
            await self._clock.sleep(wait_s)

    def _myself_request(self, base: str) -> Request:
        return Request(method="GET", url=f"{base}/rest/api/3/myself", account=self.account)

    def _read_me(self, base: str, outcome: Outcome, via: str) -> Me:
        request = self._myself_request(base)
        match meaning_of_read(outcome):
            case Meaning.GOOD if isinstance(outcome, Answer):
                try:
                    body: Any = outcome.json()
                except ValueError:
                    body = None
                if not isinstance(body, dict) or not body.get("accountId"):
                    raise odd_answer(request, outcome)
                return Me(
                    account_id=str(body["accountId"]),
                    email=body.get("emailAddress") or None,
                    display_name=str(body.get("displayName") or ""),
                    via=via,
                )
            case Meaning.LOGIN_LOST | Meaning.UNAUTHORIZED:
                raise self._lost(base, outcome)
            case Meaning.REFUSED if isinstance(outcome, Answer):
                raise JiraRefusedError(what(request), outcome, exchange_of(request, outcome))
            case Meaning.ODD:
                raise odd_answer(request, outcome)
            case _:
                raise not_reached(request, outcome, self._patience.attempts)

    def _lost(self, base: str, outcome: Outcome) -> LoginLostError:
        said = ""
        hint = _THREE_CAUSES
        if isinstance(outcome, Answer):
            said = "; ".join(messages_of(outcome))
            if login_lost(outcome) and "DENIED" in (outcome.header("x-seraph-loginreason") or ""):
                hint = "sign in once in a browser and solve the CAPTCHA, then run the same command again"
        return LoginLostError(
            f"`{self.site}` refuses the credential of account `{self.account}`"
            + (f": {said}" if said else ""),
            exchange_of(self._myself_request(base), outcome),
            hint=hint,
        )


async def cloud_id(send: Send, site: str) -> str | None:
    """Return a site's cloud id from `/_edge/tenant_info`, asked without a credential; None where it does not say."""
    outcome = await send(Request(method="GET", url=f"{site}/_edge/tenant_info"))
    if not isinstance(outcome, Answer) or outcome.status != 200:
        return None
    try:
        body = outcome.json()
    except ValueError:
        return None
    found = body.get("cloudId") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else None
