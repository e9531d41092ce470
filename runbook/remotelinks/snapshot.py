"""Take a snapshot: every remote link of every issue in scope, one GET per issue.

Jira offers no other way (jira-rest.md B6), so each site is read at the pace of its documented limit
by one worker of its own. Work is cut into chunks of up to 1 000 issues, recorded when whole: a
process that is killed goes on behind the last one. Absent, refused and failed issues are listed.

In scope are the issues that the expected links name, where there are any; else the plan's projects;
or what a JQL query says. Keys are those of the cloud: a renamed project's issues keep their numbers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from runbook.atlassian.errors import JiraRefusedError, NotDocumentedError, NotReachedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Resolution, issue_in
from runbook.clock import Clock
from runbook.errors import RemoteError, RunbookError, UsageError
from runbook.plan.model import Plan, Site
from runbook.remotelinks.expected import BadRow, read_expected
from runbook.remotelinks.mapping import PlanMap
from runbook.remotelinks.pointing import Addresses
from runbook.remotelinks.snapshot_file import (
    Chunk,
    IssueState,
    ReadIssue,
    ResolvedRow,
    SnapshotFile,
    create_snapshot,
    link_row,
)

ScopeKind = Literal["expected", "projects", "jql"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is read: `keys` or `jql` per site; `targets` are further keys to resolve per site.

    `source` is `{file, sha256}` of the expected links.
    `bad_rows` and `unplaced` rows of that file are in nobody's scope.
    """

    kind: ScopeKind
    sites: tuple[Site, ...]
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    jql: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    source: Mapping[str, str] | None = None
    bad_rows: tuple[BadRow, ...] = ()
    unplaced: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the scope as the snapshot file names it; a file of another scope is another snapshot."""
        return {
            "kind": self.kind,
            "sites": [site.url for site in self.sites],
            "jql": dict(self.jql),
            "expected": None if self.source is None else dict(self.source),
        }


def scope_of(
    plan: Plan,
    *,
    links: Path | None = None,
    sites: Iterable[str] = (),
    jql: str | None = None,
    everything: bool = False,
) -> Scope:
    """Return the scope of a snapshot.

    `links` names expected links other than the plan's; `sites` restricts to some sites; `everything`
    reads the plan's projects although there are expected links.

    Raises:
        UsageError: a site is not in the plan, nothing says what to read, or the CSV cannot be read.
    """
    chosen = _chosen(plan, tuple(sites))
    if jql is not None:
        return Scope(kind="jql", sites=chosen, jql={site.url: jql for site in chosen})
    if links is None and plan.expected is not None:
        links = Path(plan.file).parent / plan.expected
    if links is not None and not everything:
        return _expected_scope(plan, chosen, links)
    bare = [site.url for site in chosen if not site.projects]
    if bare:
        raise UsageError(
            f"nothing says which issues of `{bare[0]}` to read: the plan names no projects for it",
            hint="add `projects` to the site, or give `--links CSV`, or `--site URL --jql JQL`",
        )
    return Scope(
        kind="projects", sites=chosen, jql={site.url: _projects_jql(site) for site in chosen}
    )


def _chosen(plan: Plan, urls: tuple[str, ...]) -> tuple[Site, ...]:
    if not urls:
        return plan.sites
    wanted = [url.rstrip("/").lower() for url in urls]
    known = {site.url.lower(): site for site in plan.sites}
    unknown = [url for url in wanted if url not in known]
    if unknown:
        raise UsageError(
            f"the plan has no site `{unknown[0]}`",
            hint="its sites are " + ", ".join(f"`{site.url}`" for site in plan.sites),
        )
    return tuple(known[url] for url in dict.fromkeys(wanted))


def _expected_scope(plan: Plan, chosen: tuple[Site, ...], links: Path) -> Scope:
    plan_map, file = PlanMap(plan), read_expected(links)
    urls = {site.url for site in chosen}
    keys: dict[str, set[str]] = {url: set() for url in urls}
    targets: dict[str, set[str]] = {url: set() for url in urls}
    bad: list[BadRow] = []
    unplaced = 0
    for row in file:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        route = plan_map.route(row)
        if route.source is None or route.target is None:
            unplaced += 1
        if route.same_site:
            continue
        for end in (route.source, route.target):
            if end is not None and end.site.url in urls:
                keys[end.site.url].add(end.key)
        if route.target is not None and route.target.site.url in urls:
            targets[route.target.site.url].add(route.target.key)
    return Scope(
        kind="expected",
        sites=chosen,
        keys={url: _in_order(found) for url, found in keys.items()},
        targets={url: _in_order(found) for url, found in targets.items()},
        source=file.as_json(),
        bad_rows=tuple(bad),
        unplaced=unplaced,
    )


def _in_order(keys: Iterable[str]) -> tuple[str, ...]:
    def rank(key: str) -> tuple[str, int, str]:
        project, _, number = key.rpartition("-")
        return project, int(number) if number.isdigit() else 0, key

    return tuple(sorted(keys, key=rank))


def _projects_jql(site: Site) -> str:
    # Quoted: a project key may be a word of the language, such as NO or NOT.
    listed = ", ".join(f'"{project.key}"' for project in site.projects)
    return f"project in ({listed}) ORDER BY key ASC"


CHUNK_ISSUES = 1000
# Requests of one site that may be under way or waiting for their place: 100/s at 1 s latency.
WORKERS = 100
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


def snapshot_of(path: Path, plan: Plan, scope: Scope, at: datetime) -> SnapshotFile:
    """Make a snapshot file of a plan's scope, or open it to go on; see `create_snapshot`."""
    return create_snapshot(path, plan=plan.name, digest=plan.digest, scope=scope.as_json(), at=at)


async def take(
    plan: Plan,
    file: SnapshotFile,
    scope: Scope,
    *,
    sites: Mapping[str, JiraSite],
    clock: Clock,
    progress: SnapshotProgress | None = None,
) -> Taken:
    """Read what is missing in `file`, all sites at once, and return what is in it then.

    `sites` maps a site's URL to its client. Errors of one site do not stop the others; calling it
    again goes on with what is missing.
    """
    file.reopen_failed()
    progress = progress or SnapshotProgress()
    readers = [
        _SiteReader(site.url, sites[site.url], file, clock, progress) for site in scope.sites
    ]
    errors = await _all(readers, lambda reader: reader.read(scope))
    if not errors:
        targets = _targets(plan, file, scope)
        errors = await _all(readers, lambda reader: reader.resolve(targets[reader.url]))
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
        (reader.url, error)
        for reader, error in zip(readers, ended, strict=True)
        if error is not None
    )


@dataclass(slots=True)
class _Open:
    """A chunk that is being read."""

    chunk: Chunk
    issues: dict[str, ReadIssue] = field(default_factory=dict)


@dataclass(slots=True)
class _SiteReader:
    url: str
    jira: JiraSite
    file: SnapshotFile
    clock: Clock
    progress: SnapshotProgress
    failures: int = 0

    async def read(self, scope: Scope) -> None:
        """Read every issue of the site that is in scope and not recorded yet."""
        url = self.url
        self.file.add_site(url, account=self.jira.account, at=self.clock.now())
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
        url = self.url
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
        """Read chunks with all workers; the next chunk begins while the last issues of one are out."""
        queue = _work(chunks)
        workers = min(WORKERS, sum(len(chunk.keys) for chunk in chunks))
        tasks = [asyncio.create_task(self._worker(queue)) for _ in range(workers)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _worker(self, queue: "Iterator[tuple[_Open, str]]") -> None:
        for open_chunk, key in queue:
            open_chunk.issues[key] = await self._issue(key)
            self.progress.read(self.url)
            if len(open_chunk.issues) == len(open_chunk.chunk.keys):
                await self._record(open_chunk)

    async def _issue(self, key: str) -> ReadIssue:
        """Return one issue with its links, or why it has none."""
        try:
            records = await self.jira.remote_links(key)
            links = [link_row(self.url, key, record) for record in records]
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
        self.progress.recorded(self.url, done.chunk)


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
