"""Jira's REST API, version 3, as far as remote links need it; every operation as documented.

In: one site and one account. Out: Atlassian's records as received, and small values. The six
remote-link operations carry whole records, since a field left out of a write becomes null
(jira-rest.md B1). Errors are those of `runbook.atlassian.errors`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from runbook.atlassian.errors import (
    JiraRefusedError,
    NotDocumentedError,
    error_of,
    login_was_lost,
    undocumented_answer,
)
from runbook.atlassian.jira_values import (
    LINK,
    LINKS,
    IssueRef,
    LinkWrite,
    Record,
    Resolution,
    Written,
    issue_in,
    issue_path,
    links_path,
    list_in,
    matched,
    member_in,
    number_of,
    record_in,
    written_id,
)
from runbook.atlassian.limits import LimitedRequest, Limits
from runbook.atlassian.login import Login
from runbook.atlassian.retry import (
    Meaning,
    Patience,
    RetryingSender,
    Settled,
    meaning_of_read,
    meaning_of_write,
)
from runbook.checks.online import CurrentUser
from runbook.clock import Clock
from runbook.http import Answer, Exchange, Outcome, Request, Send, exchange_of
from runbook.json_text import json_text
from runbook.plan.model import Site

Query = Sequence[tuple[str, str]]

_SEARCH_PAGE = 5000
_BULK_PAGE = 100  # the documented number; newer texts allow more (jira-rest.md B6)
_PROJECT_PAGE = 50
# So many 404 in a row may mean that the site treats us as anonymous (jira-rest.md B8).
_NOT_FOUND_BURST = 10


class JiraSite:
    """One Jira Cloud site, as the account that the plan names for it.

    `limits` is shared by everything in the process that talks to sites. `random` draws from 0 to 1;
    `watch` gets every exchange; a `site.site_id` saves asking for it when the token has scopes.
    """

    def __init__(
        self,
        site: Site,
        *,
        send: Send,
        clock: Clock,
        limits: Limits,
        random: Callable[[], float] = lambda: 0.5,
        patience: Patience | None = None,
        watch: Callable[[Exchange], None] | None = None,
    ) -> None:
        sender = RetryingSender(
            send=send if watch is None else _watched(send, watch),
            clock=clock,
            limits=limits,
            random=random,
            patience=patience or Patience(),
        )
        self.url = site.url.rstrip("/")
        self.account = site.account
        self._sender = sender
        self._login = Login(sender, site)
        self._not_found = 0

    # The account

    async def myself(self) -> CurrentUser:
        """Return the account that the site sees, and by which host it is reached."""
        return await self._login.me()

    async def confirm_login(self) -> CurrentUser:
        """Ask the site again which account it sees; raise `LoginLostError` where that has changed."""
        return await self._login.confirm()

    # Remote links

    async def remote_links(self, issue: str) -> tuple[Record, ...]:
        """Return every remote link of an issue."""
        body, _ = await self._read(links_path(issue), endpoint=LINKS)
        # The document allows a single object here, too.
        return tuple(map(record_in, body if isinstance(body, list) else [body]))

    async def remote_link(self, issue: str, link_id: int | str) -> Record:
        """Return one remote link by its id."""
        body, _ = await self._read(links_path(issue, link_id), endpoint=LINK)
        return record_in(body)

    async def remote_link_by_global_id(self, issue: str, global_id: str) -> Record:
        """Return one remote link by its `globalId`; documented as a single object."""
        query = (("globalId", global_id),)
        body, _ = await self._read(links_path(issue), endpoint=LINKS, query=query)
        if isinstance(body, list):
            matching = [link for link in body if record_in(link).get("globalId") == global_id]
            body = matching[0] if matching else None
        return record_in(body)

    def request_json(self, write: LinkWrite) -> dict[str, Any]:
        """Return a write as the ledger keeps it, before it is sent; call `myself` first."""
        base = self._login.base_if_known()
        return self._request(base, write.method, write.path, write.query, write.body).as_json()

    async def perform(self, write: LinkWrite) -> Written:
        """Send one write; it is repeated only where it cannot have arrived.

        Raises:
            JiraRefusedError: nothing was changed.
            WriteUnknownError: it may have arrived.
            NotReachedError: it was never sent, or not accepted (429).
        """
        base = await self._login.base()
        request = self._request(base, write.method, write.path, write.query, write.body, fresh=True)
        counted = LimitedRequest(
            site=self.url, method=write.method, endpoint=write.endpoint, issue=write.issue
        )
        settled = await self._sender.settle(counted, request, meaning_of_write)
        if settled.meaning is not Meaning.GOOD:
            raise await self._error_of(request, settled)
        answer, exchange = settled.answer, exchange_of(request, settled.answer)
        if write.method != "POST":
            return Written(link_id=None, created=False, exchange=exchange)
        link_id = written_id(answer, exchange)
        return Written(link_id=link_id, created=answer.status == 201, exchange=exchange)

    # Issues

    async def search(
        self, jql: str, *, fields: Sequence[str] = ("key",), page: int = _SEARCH_PAGE
    ) -> AsyncIterator[Record]:
        """Yield the records of a bounded JQL query, page by page.

        Search is eventually consistent, so it never proves that something is absent.

        Raises:
            NotDocumentedError: the pages never end, since a page token comes back.
        """
        body = {"jql": jql, "maxResults": page, "fields": list(fields)}
        async for answer, repeated in self._pages("search/jql", body):
            for issue in list_in(answer, "issues"):
                yield record_in(issue)
            if repeated:
                raise NotDocumentedError(
                    f"`{self.url}` repeats a page of its search: the list of issues cannot be read to its end",
                    hint="run the same command again; narrow it with `--jql` if it stays",
                )

    async def _pages(self, path: str, body: Record) -> AsyncIterator[tuple[Record, bool]]:
        """Yield each page, and whether it names a next page that was read before; then it is the last."""
        token: str | None = None
        seen: set[str] = set()
        while True:
            told = {} if token is None else {"nextPageToken": token}
            answer, _ = await self._read(path, body=body | told)
            token = record_in(answer).get("nextPageToken")
            token = None if answer.get("isLast") is True else token
            yield answer, bool(token) and token in seen
            if not token or token in seen:
                return
            seen.add(token)

    async def issue(self, key: str) -> IssueRef | None:
        """Return an issue by a key it has or had, or by its id; None where it is absent or not visible."""
        try:
            body, _ = await self._read(
                issue_path(key), endpoint="issue/{issue}", query=(("fields", "key"),)
            )
        except JiraRefusedError as refusal:
            if refusal.status == 404:
                return None
            raise
        return issue_in(body)

    async def resolve(self, keys: Iterable[str]) -> Resolution:
        """Return the issues that keys (or ids, as text) lead to now; moved issues are followed.

        All pages are requested at once, so pass a few thousand keys at most.

        Bulk fetch leaves out what it does not find and does not say which key became which, so the rest
        is requested once more without the others, then one by one.
        """
        wanted = tuple(dict.fromkeys(keys))
        found: dict[str, IssueRef] = {}
        starts = range(0, len(wanted), _BULK_PAGE)
        await asyncio.gather(
            *(self._resolve_page(wanted[at : at + _BULK_PAGE], found) for at in starts)
        )
        return Resolution(found=found, absent=tuple(key for key in wanted if key not in found))

    async def _resolve_page(self, keys: Sequence[str], found: dict[str, IssueRef]) -> None:
        answered = await self.bulk_fetch(keys)
        rest = matched(keys, answered, found)
        if len(rest) < len(keys) and len(rest) > 1:
            # An issue that is asked for by two keys comes back once: only without the matched ones
            # does an empty answer mean that nothing else is there.
            answered = await self.bulk_fetch(rest)
        if not answered:
            return
        issues = await asyncio.gather(*map(self.issue, rest))
        found |= {key: ref for key, ref in zip(rest, issues, strict=True) if ref is not None}

    async def bulk_fetch(self, keys: Sequence[str]) -> tuple[IssueRef, ...]:
        """Return the issues of up to 100 keys or ids that are there and visible, with their present keys."""
        body, _ = await self._read(
            "issue/bulkfetch", body={"issueIdsOrKeys": list(keys), "fields": ["key"]}
        )
        return tuple(map(issue_in, list_in(body, "issues")))

    async def changelogs(
        self, issues: Sequence[str], *, field_ids: Sequence[str] = ()
    ) -> AsyncIterator[Record]:
        """Yield `{issueId, changeHistories}` records of up to 1 000 issues; up to 10 field ids narrow them."""
        body: Record = {"issueIdsOrKeys": list(issues), "maxResults": 1000}
        if field_ids:
            body["fieldIds"] = list(field_ids)
        async for answer, _ in self._pages("changelog/bulkfetch", body):
            for log in list_in(answer, "issueChangeLogs"):
                yield record_in(log)

    # Read-only questions about the site

    async def server_info(self) -> tuple[Record, Answer]:
        """Return the site's `baseUrl`, `displayUrl`, `serverTitle` and so on, and the answer itself."""
        return await self.get("serverInfo")

    async def get(self, path: str, query: Query = ()) -> tuple[Record, Answer]:
        """Return a JSON object of the site, such as its `configuration`, and the answer itself."""
        body, answer = await self._read(path, query=query)
        return record_in(body), answer

    async def my_permissions(self, permissions: Sequence[str]) -> dict[str, bool]:
        """Return which permissions the account has, in any project.

        Raises:
            NotDocumentedError: the answer does not say so of each of them.
        """
        body, _ = await self.get("mypermissions", [("permissions", ",".join(permissions))])
        held = member_in(body, "permissions", dict)
        return {
            name: member_in(member_in(held, name, dict), "havePermission", bool)
            for name in permissions
        }

    async def check_permissions(
        self, permissions: Sequence[str], projects: Sequence[int]
    ) -> dict[str, frozenset[int]]:
        """Return for each permission the ids of those projects (up to 1 000) in which the account has it.

        A permission that is held in none of them may be left out of the answer.

        Raises:
            NotDocumentedError: the answer does not list permissions with their projects.
        """
        asked = {"permissions": list(permissions), "projects": list(projects)}
        body, _ = await self._read("permissions/check", body={"projectPermissions": [asked]})
        granted: dict[str, frozenset[int]] = dict.fromkeys(permissions, frozenset())
        for grant in member_in(body, "projectPermissions", list):
            ids = member_in(grant, "projects", list)
            granted[member_in(grant, "permission", str)] = frozenset(map(number_of, ids))
        return granted

    async def projects(self, keys: Sequence[str]) -> tuple[Record, ...]:
        """Return the records of those of the projects that are there and visible, archived ones too."""
        records: list[Record] = []
        for start in range(0, len(keys), _PROJECT_PAGE):
            query = [("keys", key) for key in keys[start : start + _PROJECT_PAGE]]
            query += [("status", "live"), ("status", "archived")]
            query.append(("maxResults", str(_PROJECT_PAGE)))
            body, _ = await self.get("project/search", query)
            records += map(record_in, member_in(body, "values", list))
        return tuple(records)

    # Requests and what their answers mean

    async def _read(
        self, path: str, *, endpoint: str = "", query: Query = (), body: Any = None
    ) -> tuple[Any, Answer]:
        """Return the JSON of a request that changes nothing, and its answer.

        A `body` makes it a POST, as Jira's questions with long arguments are. `endpoint` is the
        template that the limits know, where it is not the path itself.
        """
        method = "GET" if body is None else "POST"
        request = self._request(await self._login.base(), method, path, query, body)
        counted = LimitedRequest(site=self.url, method=method, endpoint=endpoint or path)
        settled = await self._sender.settle(counted, request, meaning_of_read)
        if settled.meaning is Meaning.GOOD:
            self._not_found = 0
            try:
                return settled.answer.json(), settled.answer
            except ValueError as problem:
                raise undocumented_answer(request, settled.answer) from problem
        if settled.meaning is Meaning.REFUSED:
            await self._count_not_found(settled.answer.status)
        raise await self._error_of(request, settled)

    def _request(
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
            account=self._login.account,
            fresh=fresh,
        )

    async def _error_of(self, request: Request, settled: Settled) -> Exception:
        """Return the error that explains why there is no good answer.

        Raises:
            LoginLostError: the site no longer takes the credential.
        """
        if settled.meaning is Meaning.LOGIN_LOST:
            return login_was_lost(self.url, request, settled.answer)
        if settled.meaning is Meaning.UNAUTHORIZED:
            # Either the whole login is lost, or the token's scopes do not cover this one request.
            await self._login.confirm()
            return JiraRefusedError(
                request,
                settled.answer,
                hint="the login itself works, so the token's scopes do not cover this: a token with scopes needs read:jira-work, write:jira-work and read:jira-user",
            )
        return error_of(request, settled)

    async def _count_not_found(self, status: int) -> None:
        self._not_found = self._not_found + 1 if status == 404 else 0
        if self._not_found and self._not_found % _NOT_FOUND_BURST == 0:
            await self._login.confirm()


def _watched(send: Send, watch: Callable[[Exchange], None]) -> Send:
    async def sent(request: Request) -> Outcome:
        outcome = await send(request)
        watch(exchange_of(request, outcome))
        return outcome

    return sent
