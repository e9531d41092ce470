"""Take a snapshot: every remote link of every issue in scope, one GET per issue.

Jira offers no other way (jira-rest.md B6), so each site is read at the pace of its documented limit
by one worker of its own. Work is cut into chunks of up to 1 000 issues, recorded when whole: a
process that is killed goes on behind the last one. Absent, refused and failed issues are listed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from runbook.atlassian.errors import JiraRefusedError, NotDocumentedError, NotReachedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Resolution, issue_in
from runbook.atlassian.limits import Limits
from runbook.atlassian.retry import Patience
from runbook.clock import Clock
from runbook.errors import RemoteError, RunbookError
from runbook.http import Send
from runbook.plan.model import Plan, Site
from runbook.remotelinks.model import link_of
from runbook.remotelinks.pointing import Addresses
from runbook.remotelinks.scope import Scope
from runbook.remotelinks.snapshot_file import (
    Chunk,
    IssueState,
    ReadIssue,
    ResolvedRow,
    SnapshotFile,
)

CHUNK_ISSUES = 1000
# Requests of one site that may be under way or waiting for their place: 100/s at 1 s latency.
LANES = 100
# So many issues that fail one after the other are not the issues' fault.
FAILURES_IN_A_ROW = 20


class QueryRefusedError(RemoteError):
    """A site does not take the query that names its issues; `said` are Jira's own words on it."""

    def __init__(self, query: str, said: str) -> None:
        super().__init__(f"Jira refused the query `{query}`: {said}")
        self.query = query
        self.said = said


class SnapshotProgress:
    """Watches a snapshot grow; this one does nothing."""

    def found(self, site: str, total: int, done: int) -> None:
        """Take note of how many issues of a site are in scope, and how many were read before."""

    def read(self, site: str) -> None:
        """Take note that one more issue was looked at."""

    def recorded(self, site: str, chunk: Chunk) -> None:
        """Take note that a chunk is on disk."""

    def resolving(self, site: str, keys: int) -> None:
        """Take note that the keys of targets are resolved on a site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What became of a snapshot; `errors` are by site, in plan order, and end with a partial file."""

    errors: tuple[tuple[str, RunbookError], ...]
    states: dict[str, int]
    links: int

    @property
    def whole(self) -> bool:
        """Return whether every issue in scope was looked at and none failed."""
        return not self.errors and not self.states.get(IssueState.FAILED.value)


async def take(
    plan: Plan,
    file: SnapshotFile,
    scope: Scope,
    *,
    send: Send,
    clock: Clock,
    limits: Limits | None = None,
    random: Callable[[], float] = lambda: 0.5,
    patience: Patience | None = None,
    progress: SnapshotProgress | None = None,
    lanes: int = LANES,
) -> Taken:
    """Read what is missing in `file`, all sites at once, and return what is in it then.

    Errors of one site do not stop the others; calling it again goes on with what is missing.
    """
    shared = limits or Limits(clock)
    file.reopen_failed()
    readers = [
        _SiteReader(
            site=site,
            jira=JiraSite(
                site,
                send=send,
                clock=clock,
                limits=shared,
                random=random,
                patience=patience,
            ),
            file=file,
            clock=clock,
            progress=progress or SnapshotProgress(),
            lanes=lanes,
        )
        for site in scope.sites
    ]
    errors = await _all(readers, lambda reader: reader.read(scope))
    if not errors:
        targets = _targets(plan, file, scope)
        errors = await _all(readers, lambda reader: reader.resolve(targets[reader.site.url]))
    states = file.states()
    taken = Taken(errors=errors, states=states, links=file.link_count())
    if not errors:
        file.finish(clock.now())
    return taken


async def _all(
    readers: "Sequence[_SiteReader]", work: "Callable[[_SiteReader], Awaitable[None]]"
) -> tuple[tuple[str, RunbookError], ...]:
    async def attempted(reader: _SiteReader) -> RunbookError | None:
        try:
            await work(reader)
        except RunbookError as error:
            return error
        return None

    ended = await asyncio.gather(*(attempted(reader) for reader in readers))
    return tuple(
        (reader.site.url, error)
        for reader, error in zip(readers, ended, strict=True)
        if error is not None
    )


@dataclass(slots=True)
class _Open:
    """A chunk that is being read."""

    chunk: Chunk
    issues: dict[str, ReadIssue] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _SiteReader:
    """The one worker of a site."""

    site: Site
    jira: JiraSite
    file: SnapshotFile
    clock: Clock
    progress: SnapshotProgress
    lanes: int
    failures: int = 0

    async def read(self, scope: Scope) -> None:
        """Read every issue of the site that is in scope and not recorded yet."""
        url = self.site.url
        self.file.add_site(url, account=self.site.account, at=self.clock.now())
        me = await self.jira.myself()
        info, _ = await self.jira.server_info()
        self.file.describe_site(
            url, base_url=info.get("baseUrl"), display_url=info.get("displayUrl"), via=me.via
        )
        if not self.file.planned(url):
            keys = scope.keys.get(url)
            if keys is None:
                keys = await self._searched(scope.jql[url])
            keys = tuple(dict.fromkeys(keys))
            cut = [keys[at : at + CHUNK_ISSUES] for at in range(0, len(keys), CHUNK_ISSUES)]
            self.file.plan_chunks(url, cut)
        self.progress.found(url, *self.file.chunk_sizes(url))
        await self._read_chunks(self.file.open_chunks(url))
        self.file.finish_site(url, self.clock.now())

    async def resolve(self, keys: Sequence[str]) -> None:
        """Resolve the keys of targets on this site; what its issues already tell is not asked again."""
        url = self.site.url
        done = {row.asked for row in self.file.resolved(url)}
        known = {row.asked: row for row in self.file.issues(url)}
        rows: list[ResolvedRow] = []
        rest: list[str] = []
        for key in keys:
            if key in done:
                continue
            row = known.get(key)
            if row is not None and row.state == IssueState.READ.value and row.id is not None:
                rows.append(ResolvedRow(url, key, row.key, row.id, "found"))
            elif row is not None and row.state == IssueState.ABSENT.value:
                rows.append(ResolvedRow(url, key, None, None, "absent"))
            else:
                rest.append(key)
        self.file.record_resolved(rows)
        if rest:
            self.progress.resolving(url, len(rest))
        for at in range(0, len(rest), CHUNK_ISSUES):
            resolution = await self.jira.resolve(rest[at : at + CHUNK_ISSUES])
            if resolution.absent:
                await self.jira.confirm_login()
            self.file.record_resolved(_resolved_rows(url, resolution))

    async def _searched(self, jql: str) -> tuple[str, ...]:
        try:
            return tuple([issue_in(issue).key async for issue in self.jira.search(jql)])
        except JiraRefusedError as refusal:
            if refusal.status != 400:
                raise
            said = "; ".join(refusal.messages) or "it gave no reason"
            raise QueryRefusedError(jql, said) from refusal

    async def _read_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Read chunks with all lanes; the next chunk begins while the last issues of one are out."""
        queue = _work(chunks)
        lanes = min(self.lanes, sum(len(chunk.keys) for chunk in chunks))
        tasks = [asyncio.create_task(self._lane(queue)) for _ in range(lanes)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _lane(self, queue: "Iterator[tuple[_Open, str]]") -> None:
        for open_chunk, key in queue:
            open_chunk.issues[key] = await self._issue(key)
            self.progress.read(self.site.url)
            if len(open_chunk.issues) == len(open_chunk.chunk.keys):
                await self._record(open_chunk)

    async def _issue(self, key: str) -> ReadIssue:
        """Return one issue with its links, or why it has none."""
        try:
            links = [link_of(record) for record in await self.jira.remote_links(key)]
        except JiraRefusedError as refusal:
            state = IssueState.ABSENT if refusal.status == 404 else IssueState.REFUSED
            return ReadIssue(asked=key, state=state, detail=str(refusal))
        except (NotDocumentedError, NotReachedError, ValueError) as problem:
            # Without any answer it is the network; with 429 it is the whole endpoint.
            if isinstance(problem, NotReachedError) and (
                problem.answer is None or problem.answer.status == 429
            ):
                raise
            self.failures += 1
            if self.failures >= FAILURES_IN_A_ROW and isinstance(problem, RunbookError):
                raise
            return ReadIssue(asked=key, state=IssueState.FAILED, detail=str(problem))
        self.failures = 0
        each_once = {link.link_id: link for link in links}
        return ReadIssue(asked=key, state=IssueState.READ, links=tuple(each_once.values()))

    async def _record(self, done: _Open) -> None:
        """Write a chunk that is whole, with the present keys and ids of its issues."""
        issues = [done.issues[key] for key in done.chunk.keys]
        if any(issue.state is IssueState.ABSENT for issue in issues):
            # A lost login looks like 404, too.
            await self.jira.confirm_login()
        there = [issue.asked for issue in issues if issue.state is IssueState.READ]
        found = (await self.jira.resolve(there)).found if there else {}
        named = [
            replace(issue, key=found[issue.asked].key, id=found[issue.asked].id)
            if issue.asked in found
            else issue
            for issue in issues
        ]
        self.file.record_chunk(done.chunk, named, self.clock.now())
        self.progress.recorded(self.site.url, done.chunk)


def _work(chunks: Sequence[Chunk]) -> Iterator[tuple[_Open, str]]:
    for chunk in chunks:
        opened = _Open(chunk)
        for key in chunk.keys:
            yield opened, key


def _resolved_rows(site: str, resolution: Resolution) -> list[ResolvedRow]:
    return [
        ResolvedRow(site, key, issue.key, issue.id, "found")
        for key, issue in resolution.found.items()
    ] + [ResolvedRow(site, key, None, None, "absent") for key in resolution.absent]


def _targets(plan: Plan, file: SnapshotFile, scope: Scope) -> dict[str, tuple[str, ...]]:
    """Return the keys to resolve on each site: expected targets, and what the links that are there name."""
    wanted: dict[str, dict[str, None]] = {
        site.url: dict.fromkeys(scope.targets.get(site.url, ())) for site in scope.sites
    }
    described = {row.url: (row.base_url, row.display_url) for row in file.sites()}
    addresses = Addresses({site.url: described.get(site.url, ()) for site in plan.sites})
    for link in file.links():
        point = addresses.pointer(link.url)
        # Whatever else follows `/browse/`, such as a project, is no issue to resolve.
        if point.site in wanted and point.key is not None and "-" in point.key:
            wanted[point.site][point.key] = None
    return {url: tuple(keys) for url, keys in wanted.items()}
