"""Take a snapshot: every remote link of every issue in scope, into a file that can be resumed."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook.atlassian.limits import Limits
from runbook.errors import UsageError
from runbook.operations.link_steps import clients_of
from runbook.operations.root import NetworkOptions, Root, read_plan_for
from runbook.remotelinks.snapshot import Scope, SnapshotProgress, Taken, scope_of, snapshot_of, take
from runbook.remotelinks.snapshot_file import SnapshotFile


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotOptions(NetworkOptions):
    """What is read into which file; `rate` caps requests per second, site and endpoint."""

    plan: Path
    output: Path
    sites: tuple[str, ...]
    jql: str | None
    links_file: Path | None
    rate: float | None
    everything: bool
    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotScreen:
    """What a snapshot shows: its scope, its progress, and the file before it is closed.

    `show` gets what was taken, None where the file was finished before.
    """

    scope: Callable[[Scope], None]
    watching: Callable[[], AbstractContextManager[SnapshotProgress]]
    show: Callable[[SnapshotFile, Scope, Taken | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotResult:
    """What was taken, None where the file was whole before; `empty` says that no issue was found."""

    scope: Scope
    taken: Taken | None
    empty: bool


def take_snapshot(root: Root, options: SnapshotOptions, screen: SnapshotScreen) -> SnapshotResult:
    """Read every remote link in scope into the file; the same call resumes after a break.

    Raises:
        UsageError: the options contradict each other, or the file is no snapshot of this plan and scope.
        PlanError: the plan has structural errors.
        CredentialError: an account has no complete credential.
    """
    _refuse_contradiction(options)
    plan = read_plan_for(options.plan)
    scope = scope_of(
        plan,
        links=options.links_file,
        sites=options.sites,
        jql=options.jql,
        everything=options.everything,
    )
    screen.scope(scope)
    root.endpoint(options.endpoint)
    fresh = not options.output.exists()
    accounts = root.accounts([site.account for site in scope.sites])
    with snapshot_of(options.output, plan, scope, root.clock.now()) as file:
        if file.meta().finished_at is not None and not file.states().get("failed"):
            screen.show(file, scope, None)
            return SnapshotResult(scope=scope, taken=None, empty=False)

        async def work() -> Any:
            async with root.network(accounts, options) as send:
                limits = Limits(root.clock, rate_cap_per_s=options.rate)
                sites = clients_of(scope.sites, send, root.clock, limits, root.random)
                with screen.watching() as progress:
                    return await take(
                        plan, file, scope, sites=sites, clock=root.clock, progress=progress
                    )

        taken: Taken = root.await_(work())
        empty = not any(file.planned(site.url) for site in scope.sites)
        if options.output_format == "json" or not (taken.errors and empty):
            screen.show(file, scope, taken)
    if fresh and empty and taken.errors:
        options.output.unlink(missing_ok=True)
    return SnapshotResult(scope=scope, taken=taken, empty=empty)


def _refuse_contradiction(options: SnapshotOptions) -> None:
    given = [
        name
        for name, value in (
            ("--jql", options.jql),
            ("--links", options.links_file),
            ("--all", options.everything or None),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(f'`{name}`' for name in given)} say different things",
            hint="give one of them: a query, expected links, or the plan's projects",
        )
