"""One site's requests: paced, repeated where that is safe, and decided.

`Caller.read` and `Caller.write` are the only two ways to talk to a Jira site. Both send the
credential always, count against the limits, and raise what `runbook.atlassian.errors` names.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from runbook.atlassian.errors import (
    JiraRefusedError,
    NotReachedError,
    login_was_lost,
    not_reached,
    odd_answer,
    what,
    write_unknown,
)
from runbook.atlassian.limits import Call
from runbook.atlassian.login import Login
from runbook.atlassian.retry import (
    Meaning,
    RetryingSender,
    Settled,
    meaning_of_read,
    meaning_of_write,
)
from runbook.http import Answer, Exchange, Request, exchange_of
from runbook.json_text import json_text

# So many 404 in a row may mean that the site takes us for nobody (jira-rest.md B8).
NOT_FOUND_BURST = 10

Query = Sequence[tuple[str, str]]


class Caller:
    """Send requests to one site as one account."""

    def __init__(self, sender: RetryingSender, login: Login, *, fresh_writes: bool) -> None:
        self.login = login
        self._sender = sender
        self._fresh_writes = fresh_writes
        self._not_found = 0

    async def read(
        self, method: str, endpoint: str, path: str, *, query: Query = (), body: Any = None
    ) -> tuple[Any, Answer]:
        """Return the JSON of a request that changes nothing, and its answer; repeated until there is one."""
        call = Call(site=self.login.site, method=method, endpoint=endpoint)
        request = self._built(await self.login.base(), method, path, query, body)
        settled = await self._sender.settle(call, request, meaning_of_read)
        if settled.meaning is Meaning.GOOD:
            self._not_found = 0
            try:
                return settled.answer.json(), settled.answer
            except ValueError as problem:
                raise odd_answer(request, settled.answer) from problem
        if settled.meaning is Meaning.REFUSED:
            await self._count_not_found(settled.answer.status)
        raise await self._error_of(request, settled)

    async def write(
        self,
        method: str,
        endpoint: str,
        path: str,
        *,
        issue: str,
        query: Query = (),
        body: Any = None,
    ) -> tuple[Answer, Exchange]:
        """Send a request that changes one issue, at most once beyond doubt, and return its answer.

        Raises:
            WriteUnknownError: it may have arrived; nothing was repeated.
        """
        call = Call(site=self.login.site, method=method, endpoint=endpoint, issue=issue)
        base = await self.login.base()
        request = self._built(base, method, path, query, body, fresh=self._fresh_writes)
        settled = await self._sender.settle(call, request, meaning_of_write)
        if settled.meaning is Meaning.GOOD:
            return settled.answer, exchange_of(request, settled.answer)
        raise await self._error_of(request, settled)

    def request_json(
        self, method: str, path: str, *, query: Query = (), body: Any = None
    ) -> dict[str, Any]:
        """Return a request as the ledger keeps it, before it is sent."""
        return self._built(self.login.base_if_known(), method, path, query, body).as_json()

    def _built(
        self,
        base: str,
        method: str,
        path: str,
        query: Query,
        body: Any,
        *,
        fresh: bool = False,
    ) -> Request:
        # quote, not quote_plus: every reserved character of a globalId must be percent-encoded.
        # Half a character, as a server's own JSON may hold it, cannot be encoded: it is passed on.
        words = urlencode(query, quote_via=quote, safe="", errors="surrogatepass")
        encoded = f"?{words}" if query else ""
        raw = None if body is None else json_text(body, compact=False, sort_keys=False).encode()
        kind = () if raw is None else (("Content-Type", "application/json"),)
        return Request(
            method=method,
            url=f"{base}/rest/api/3/{path}{encoded}",
            headers=(("Accept", "application/json"), *kind),
            body=raw,
            account=self.login.account,
            fresh=fresh,
        )

    async def _error_of(self, request: Request, settled: Settled) -> Exception:
        """Return the error that says why there is no good answer.

        Raises:
            LoginLostError: the site no longer takes the credential.
        """
        outcome = settled.outcome
        match settled.meaning:
            case Meaning.REFUSED if not settled.answer.is_html():
                return JiraRefusedError(
                    what(request), settled.answer, exchange_of(request, outcome)
                )
            case Meaning.REFUSED | Meaning.ODD:
                return odd_answer(request, outcome)
            case Meaning.UNAUTHORIZED:
                # Either the whole login is lost, or this one request lies beyond the token's scopes.
                await self.login.confirm()
                return JiraRefusedError(
                    what(request),
                    settled.answer,
                    exchange_of(request, outcome),
                    hint="the login itself works, so the token's scopes do not cover this: a token with scopes needs read:jira-work, write:jira-work and read:jira-user",
                )
            case Meaning.LOGIN_LOST:
                return login_was_lost(self.login.site, request, outcome)
            case Meaning.LIMITED:
                reason = settled.answer.header("ratelimit-reason")
                return NotReachedError(
                    f"{what(request)} is limited by the site (429{f', {reason}' if reason else ''}), which asks to wait {settled.wait_s:.0f} s",
                    exchange_of(request, outcome),
                    answer=settled.answer,
                    hint="run the same command again later; other clients of the site may use up its limit",
                )
            case Meaning.NOT_SENT | Meaning.PASSING:
                return not_reached(request, outcome, settled.times)
            case _:
                return write_unknown(request, outcome)

    async def _count_not_found(self, status: int) -> None:
        if status != 404:
            self._not_found = 0
            return
        self._not_found += 1
        if self._not_found % NOT_FOUND_BURST == 0:
            await self.login.confirm()
