"""One site's requests: paced, repeated where that is safe, and decided.

`Caller.read` and `Caller.write` are the only two ways to talk to a Jira site. Both send the
credential always, count against the limits, and raise what `runbook.atlassian.errors` names.
"""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from runbook.atlassian.errors import (
    Exchange,
    JiraRefusedError,
    NotReachedError,
    exchange_of,
    login_was_lost,
    not_reached,
    odd_answer,
    what,
    write_unknown,
)
from runbook.atlassian.limits import Call, Limits
from runbook.atlassian.login import Login
from runbook.atlassian.outcomes import (
    Meaning,
    Patience,
    backoff_s,
    meaning_of_read,
    meaning_of_write,
)
from runbook.atlassian.retry import retry_after_s
from runbook.canonical import json_text
from runbook.clock import Clock
from runbook.http import Answer, Outcome, Request, Send

# So many 404 in a row may mean that the site takes us for nobody (jira-rest.md B8).
NOT_FOUND_BURST = 10

Query = Sequence[tuple[str, str]]


class Caller:
    """Send requests to one site as one account.

    `random` draws from 0 to 1. Raises what `refusals` names.
    """

    def __init__(
        self,
        *,
        send: Send,
        login: Login,
        clock: Clock,
        limits: Limits,
        random: Callable[[], float],
        patience: Patience,
        fresh_writes: bool,
    ) -> None:
        self._send = send
        self.login = login
        self._clock = clock
        self._limits = limits
        self._random = random
        self._patience = patience
        self._fresh_writes = fresh_writes
        self._not_found = 0

    async def read(
        self, method: str, endpoint: str, path: str, *, query: Query = (), body: Any = None
    ) -> tuple[Any, Answer]:
        """Return the JSON of a request that changes nothing, and its answer; repeated until there is one."""
        call = Call(site=self.login.site, method=method, endpoint=endpoint)
        request = await self._request(method, path, query, body, fresh=False)
        failed = limited = 0
        while True:
            outcome = await self._once(call, request)
            match meaning_of_read(outcome):
                case Meaning.GOOD if isinstance(outcome, Answer):
                    self._not_found = 0
                    return self._json(request, outcome), outcome
                case Meaning.REFUSED:
                    await self._count_not_found(outcome)
                    raise self._refused(request, outcome)
                case Meaning.UNAUTHORIZED:
                    await self._unauthorized(request, outcome)
                case Meaning.LOGIN_LOST:
                    raise login_was_lost(self.login.site, request, outcome)
                case Meaning.LIMITED:
                    limited += 1
                    wait_s = self._limited(call, request, outcome, limited)
                    await self._clock.sleep(wait_s)
                case Meaning.ODD:
                    raise odd_answer(request, outcome)
                case _:
                    failed += 1
                    await self._clock.sleep(self._after_failure(request, outcome, failed))

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
        request = await self._request(method, path, query, body, fresh=self._fresh_writes)
        failed = limited = 0
        while True:
            outcome = await self._once(call, request)
            match meaning_of_write(outcome):
                case Meaning.GOOD if isinstance(outcome, Answer):
                    return outcome, exchange_of(request, outcome)
                case Meaning.REFUSED:
                    raise self._refused(request, outcome)
                case Meaning.UNAUTHORIZED:
                    await self._unauthorized(request, outcome)
                case Meaning.LOGIN_LOST:
                    raise login_was_lost(self.login.site, request, outcome)
                case Meaning.LIMITED:
                    limited += 1
                    wait_s = self._limited(call, request, outcome, limited)
                    await self._clock.sleep(wait_s)
                case Meaning.NOT_SENT:
                    failed += 1
                    await self._clock.sleep(self._after_failure(request, outcome, failed))
                case _:
                    raise write_unknown(request, outcome)

    def request_json(
        self, method: str, path: str, *, query: Query = (), body: Any = None
    ) -> dict[str, Any]:
        """Return a request as the ledger keeps it, before it is sent."""
        return self._built(
            self.login.base_if_known(), method, path, query, body, fresh=False
        ).as_json()

    async def _request(
        self, method: str, path: str, query: Query, body: Any, *, fresh: bool
    ) -> Request:
        return self._built(await self.login.base(), method, path, query, body, fresh=fresh)

    def _built(
        self, base: str, method: str, path: str, query: Query, body: Any, *, fresh: bool
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

    async def _once(self, call: Call, request: Request) -> Outcome:
        await self._limits.enter(call)
        return await self._send(request)

    def _limited(self, call: Call, request: Request, outcome: Outcome, limited: int) -> float:
        """Pause what the 429 is about and return how long this request waits."""
        assert isinstance(outcome, Answer)  # noqa: S101 - only an answer has a status
        told_s = retry_after_s(outcome, self._clock.now())
        wait_s = backoff_s(limited, told_s, self._random())
        reason = outcome.header("ratelimit-reason")
        self._limits.refused(call, reason, wait_s)
        if limited >= self._patience.limited_attempts or wait_s > self._patience.longest_wait_s:
            raise NotReachedError(
                f"{what(request)} is limited by the site (429{f', {reason}' if reason else ''}), which asks to wait {wait_s:.0f} s",
                exchange_of(request, outcome),
                answer=outcome,
                hint="run the same command again later; other clients of the site may use up its limit",
            )
        return wait_s

    def _after_failure(self, request: Request, outcome: Outcome, failed: int) -> float:
        answer = outcome if isinstance(outcome, Answer) else None
        if failed >= self._patience.attempts:
            raise not_reached(request, outcome, failed)
        told_s = None if answer is None else retry_after_s(answer, self._clock.now())
        wait_s = backoff_s(failed, told_s, self._random())
        if wait_s > self._patience.longest_wait_s:
            raise not_reached(request, outcome, failed)
        return wait_s

    async def _count_not_found(self, outcome: Outcome) -> None:
        if not isinstance(outcome, Answer) or outcome.status != 404:
            self._not_found = 0
            return
        self._not_found += 1
        if self._not_found % NOT_FOUND_BURST == 0:
            await self.login.confirm()

    async def _unauthorized(self, request: Request, outcome: Outcome) -> None:
        """Raise: either the whole login is lost, or this one request lies beyond the token's scopes."""
        await self.login.confirm()
        assert isinstance(outcome, Answer)  # noqa: S101 - only an answer has a status
        raise JiraRefusedError(
            what(request),
            outcome,
            exchange_of(request, outcome),
            hint="the login itself works, so the token's scopes do not cover this: a token with scopes needs read:jira-work, write:jira-work and read:jira-user",
        )

    @staticmethod
    def _refused(request: Request, outcome: Outcome) -> Exception:
        assert isinstance(outcome, Answer)  # noqa: S101 - only an answer has a status
        if outcome.is_html():
            return odd_answer(request, outcome)
        return JiraRefusedError(what(request), outcome, exchange_of(request, outcome))

    @staticmethod
    def _json(request: Request, outcome: Answer) -> Any:
        try:
            return outcome.json()
        except (ValueError, RecursionError) as problem:
            raise odd_answer(request, outcome) from problem
