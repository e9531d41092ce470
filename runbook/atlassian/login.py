"""Who we are on a site, and by which host: found out, not guessed.

A plain API token works on the site's own host, one with scopes only through
`https://api.atlassian.com/ex/jira/{cloudId}` (jira-rest.md B8). `GET myself` on the site tells; a 401
there leads to the gateway. Nothing is read before a login is settled, since Jira answers anonymous
requests too.
"""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    messages_of,
    not_reached,
    odd_answer,
    what,
)
from runbook.atlassian.limits import Call
from runbook.atlassian.retry import Meaning, RetryingSender, login_lost, meaning_of_read
from runbook.http import Answer, Outcome, Request, Send, exchange_of

SITE_ID_PATH = "/_edge/tenant_info"
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
        sender: RetryingSender,
        *,
        site: str,
        account: str,
        site_id: str | None = None,
    ) -> None:
        self.site = site.rstrip("/")
        self.account = account
        self._sender = sender
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
        site_id = self._site_id or site_id_in(await ask_site_id(self._sender.send, self.site))
        if site_id is None:
            raise self._lost(self.site, outcome)
        gateway = f"{GATEWAY}/{quote(site_id, safe='')}"
        second = await self._myself(gateway)
        if not (isinstance(second, Answer) and second.status == 200):
            raise self._lost(self.site, outcome)
        self._me, self._base = self._read_me(gateway, second, "gateway"), gateway

    async def _myself(self, base: str) -> Outcome:
        call = Call(site=self.site, method="GET", endpoint="myself")
        request = self._myself_request(base)
        return (await self._sender.settle(call, request, meaning_of_read)).outcome

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
                raise not_reached(request, outcome, self._sender.patience.attempts)

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


def site_id_in(outcome: Outcome) -> str | None:
    """Return the id that an answer of the page tells, None where it tells none."""
    if not isinstance(outcome, Answer) or not 200 <= outcome.status < 300:
        return None
    try:
        body = outcome.json()
    except ValueError:
        return None
    found = body.get("cloudId") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else None


async def ask_site_id(send: Send, site: str, *, timeout_s: float = 60.0) -> Outcome:
    """Return what a site answers to the question for its id."""
    return await send(Request(method="GET", url=f"{site}{SITE_ID_PATH}", timeout_s=timeout_s))
