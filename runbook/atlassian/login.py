"""Find out as which account a site sees us, and by which host it is reached.

A plain API token works on the site's own host, one with scopes only through
`https://api.atlassian.com/ex/jira/{cloudId}` (jira-rest.md B8). `GET myself` on the site shows which
one it is: after a 401 there, the gateway is tried. Nothing is read before the login is settled,
since Jira answers anonymous requests too.
"""

import asyncio
from urllib.parse import quote

from runbook.atlassian.errors import (
    CAPTCHA_HINT,
    LoginLostError,
    error_of,
    messages_of,
    undocumented_answer,
)
from runbook.atlassian.limits import LimitedRequest
from runbook.atlassian.retry import Meaning, RetryingSender, Settled, login_lost, meaning_of_read
from runbook.checks.online import CurrentUser
from runbook.http import Answer, Outcome, Request, Send, exchange_of
from runbook.plan.model import Site

SITE_ID_PATH = "/_edge/tenant_info"
GATEWAY = "https://api.atlassian.com/ex/jira"
_THREE_CAUSES = (
    "likely causes in order: e-mail and token do not belong together, the token has expired, "
    "or it lacks the scopes read:jira-work, write:jira-work and read:jira-user"
)


class Login:
    """One account's login on one site: settled once, and confirmed when answers look anonymous."""

    def __init__(self, sender: RetryingSender, site: Site) -> None:
        self.site = site.url.rstrip("/")
        self.account = site.account
        self._sender = sender
        self._site_id = site.site_id
        self._lock = asyncio.Lock()
        self._known: tuple[str, CurrentUser] | None = None

    async def base(self) -> str:
        """Return the address before `/rest/api/3`; the first call finds it out.

        Raises:
            LoginLostError: neither the site nor the gateway takes the credential.
            NotReachedError, NotDocumentedError, JiraRefusedError: the site does not answer as documented.
        """
        return (await self._settled())[0]

    def base_if_known(self) -> str:
        """Return the address before `/rest/api/3`; the site's own where nothing was asked yet."""
        return self.site if self._known is None else self._known[0]

    async def me(self) -> CurrentUser:
        """Return the account that the site sees."""
        return (await self._settled())[1]

    async def confirm(self) -> CurrentUser:
        """Ask the site again which account it sees, and return it.

        Raises:
            LoginLostError: the site no longer takes the credential, or sees somebody else.
        """
        base, known = await self._settled()
        request, settled = await self._myself(base)
        now = self._user_in(request, settled, known.via)
        if now.account_id != known.account_id:
            raise LoginLostError(
                f"`{self.site}` now sees another account than before",
                exchange_of(request, settled.outcome),
                hint="run the same command again",
            )
        return now

    async def _settled(self) -> tuple[str, CurrentUser]:
        if self._known is None:
            async with self._lock:
                if self._known is None:
                    self._known = await self._settle()
        return self._known

    async def _settle(self) -> tuple[str, CurrentUser]:
        request, settled = await self._myself(self.site)
        if not _has_status(settled.outcome, 401):
            return self.site, self._user_in(request, settled, "site")
        site_id = self._site_id or site_id_in(await ask_site_id(self._sender.send, self.site))
        if site_id is None:
            raise self._lost(request, settled.answer)
        gateway = f"{GATEWAY}/{quote(site_id, safe='')}"
        second = await self._myself(gateway)
        if not _has_status(second[1].outcome, 200):
            raise self._lost(request, settled.answer)
        return gateway, self._user_in(*second, "gateway")

    async def _myself(self, base: str) -> tuple[Request, Settled]:
        counted = LimitedRequest(site=self.site, method="GET", endpoint="myself")
        request = Request(method="GET", url=f"{base}/rest/api/3/myself", account=self.account)
        return request, await self._sender.settle(counted, request, meaning_of_read)

    def _user_in(self, request: Request, settled: Settled, via: str) -> CurrentUser:
        if settled.meaning in (Meaning.LOGIN_LOST, Meaning.UNAUTHORIZED):
            raise self._lost(request, settled.answer)
        if settled.meaning is not Meaning.GOOD:
            raise error_of(request, settled)
        body = settled.answer.json_object()
        if not body.get("accountId"):
            raise undocumented_answer(request, settled.answer)
        return CurrentUser(
            account_id=str(body["accountId"]),
            email=body.get("emailAddress") or None,
            display_name=str(body.get("displayName") or ""),
            via=via,
        )

    def _lost(self, request: Request, answer: Answer) -> LoginLostError:
        said = "; ".join(messages_of(answer))
        captcha = login_lost(answer) and "DENIED" in (answer.header("x-seraph-loginreason") or "")
        return LoginLostError(
            f"`{self.site}` refuses the credential of account `{self.account}`"
            + (f": {said}" if said else ""),
            exchange_of(request, answer),
            hint=CAPTCHA_HINT if captcha else _THREE_CAUSES,
        )


def _has_status(outcome: Outcome, status: int) -> bool:
    return isinstance(outcome, Answer) and outcome.status == status


def site_id_in(outcome: Outcome) -> str | None:
    """Return the cloud id in an answer of `/_edge/tenant_info`, None where there is none."""
    if not isinstance(outcome, Answer) or not 200 <= outcome.status < 300:
        return None
    found = outcome.json_object().get("cloudId")
    return found if isinstance(found, str) and found else None


async def ask_site_id(send: Send, site: str, *, timeout_s: float = 60.0) -> Outcome:
    """Ask a site for its cloud id and return the outcome.

    No credential is sent: the page needs none, and a host that is no cloud site must not get one.
    """
    return await send(Request(method="GET", url=f"{site}{SITE_ID_PATH}", timeout_s=timeout_s))
