"""One site's requests: within its limits, repeated where that is safe, and understood.

`Caller.read` and `Caller.write` are the only two ways to talk to a Jira site. Both always send the
credential, count against the limits, and raise the errors of `runbook.atlassian.errors`.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from runbook.atlassian.errors import JiraRefusedError, error_of, login_was_lost, odd_answer
from runbook.atlassian.jira_values import LinkWrite
from runbook.atlassian.limits import LimitedRequest
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

    def __init__(self, sender: RetryingSender, login: Login) -> None:
        self.login = login
        self._sender = sender
        self._not_found = 0

    async def read(
        self, path: str, *, endpoint: str = "", query: Query = (), body: Any = None
    ) -> tuple[Any, Answer]:
        """Return the JSON of a request that changes nothing, and its answer.

        A `body` makes it a POST, as Jira's questions with long arguments are. `endpoint` is the
        template that the limits know, where it is not the path itself.
        """
        method = "GET" if body is None else "POST"
        request = self._built(await self.login.base(), method, path, query, body)
        counted = LimitedRequest(site=self.login.site, method=method, endpoint=endpoint or path)
        settled = await self._sender.settle(counted, request, meaning_of_read)
        if settled.meaning is Meaning.GOOD:
            self._not_found = 0
            try:
                return settled.answer.json(), settled.answer
            except ValueError as problem:
                raise odd_answer(request, settled.answer) from problem
        if settled.meaning is Meaning.REFUSED:
            await self._count_not_found(settled.answer.status)
        raise await self._error_of(request, settled)

    async def write(self, write: LinkWrite) -> tuple[Answer, Exchange]:
        """Send a request that changes one issue, at most once beyond doubt, and return its answer.

        Raises:
            WriteUnknownError: it may have arrived; nothing was repeated.
        """
        request = self._built(
            await self.login.base(), write.method, write.path, write.query, write.body, fresh=True
        )
        counted = LimitedRequest(
            site=self.login.site, method=write.method, endpoint=write.endpoint, issue=write.issue
        )
        settled = await self._sender.settle(counted, request, meaning_of_write)
        if settled.meaning is Meaning.GOOD:
            return settled.answer, exchange_of(request, settled.answer)
        raise await self._error_of(request, settled)

    def request_json(self, write: LinkWrite) -> dict[str, Any]:
        """Return a write as the ledger keeps it, before it is sent."""
        base = self.login.base_if_known()
        return self._built(base, write.method, write.path, write.query, write.body).as_json()

    def _built(
        self, base: str, method: str, path: str, query: Query, body: Any, *, fresh: bool = False
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
        if settled.meaning is Meaning.LOGIN_LOST:
            return login_was_lost(self.login.site, request, settled.answer)
        if settled.meaning is Meaning.UNAUTHORIZED:
            # Either the whole login is lost, or this one request lies beyond the token's scopes.
            await self.login.confirm()
            return JiraRefusedError(
                request,
                settled.answer,
                hint="the login itself works, so the token's scopes do not cover this: a token with scopes needs read:jira-work, write:jira-work and read:jira-user",
            )
        return error_of(request, settled)

    async def _count_not_found(self, status: int) -> None:
        self._not_found = self._not_found + 1 if status == 404 else 0
        if self._not_found and self._not_found % NOT_FOUND_BURST == 0:
            await self.login.confirm()
