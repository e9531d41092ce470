"""`verify`, `repair` and `rollback` of a run in a ledger: from options to an exit code.

The steps themselves are in `link_steps`; here a run, its plan, files and ports are found, and a person
is asked between the list and the first write.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from runbook.atlassian.limits import Limits
from runbook.errors import CredentialError, ExitCode, LedgerError, UsageError, foremost
from runbook.ledger.store import Ledger
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.link_steps import (
    LinkPorts,
    clients_of,
    list_repair,
    list_rollback,
    verify_run,
)
from runbook.operations.root import NetworkOptions, Root
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.expected import ExpectedFile, read_expected
from runbook.remotelinks.repair import RepairList
from runbook.remotelinks.rollback import Revert
from runbook.remotelinks.snapshot import SnapshotProgress
from runbook.remotelinks.snapshot_file import open_snapshot
from runbook.remotelinks.verification import Verified, check_after, check_before
from runbook.remotelinks.writes import Order, Outcomes, WriteList, Writer
from runbook.secrets import Account
from runbook.text import printable
from runbook.view import RunView

Watching = Callable[[], AbstractContextManager[SnapshotProgress]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions(NetworkOptions):
    """What `verify`, `repair` and `rollback` take alike."""

    run: str
    operator: str | None
    output_format: str
    ledger_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions(LinkOptions):
    """What is compared with what; without `after` a snapshot is taken now."""

    after: Path | None
    before: Path | None
    expected_file: Path | None
    sample: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions(LinkOptions):
    """What commands that write links take besides."""

    dry_run: bool
    yes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairOptions(WriteOptions):
    """What is missing, and what the created links look like."""

    after: Path | None
    expected_file: Path | None
    likes: tuple[str, ...]
    as_weblink: bool
    also_unserved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackOptions(WriteOptions):
    """What there was before the run."""

    before: Path


class WriteScreen(Protocol):
    """What `repair` and `rollback` show and ask, in this order."""

    def begin(self, view: RunView) -> None:
        """Say what has to be known before anything is read."""

    def watching(self) -> AbstractContextManager[SnapshotProgress]:
        """Show the progress of a snapshot."""

    def listed(self, todo: Any) -> None:
        """Show what would be written and what is left alone; ask before the first write."""

    def progress(self, order: Order, result: str, detail: str) -> None:
        """Show what became of one write."""

    def ended(self, todo: Any, view: RunView, outcomes: Outcomes | None) -> None:
        """Show what became of the writes, None where there were none, and what is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run in an open ledger, with the plan that it keeps."""

    root: Root
    path: Path
    ledger: Ledger
    view: RunView
    plan: Plan


@contextlib.contextmanager
def opened_run(root: Root, options: LinkOptions) -> Iterator[OpenRun]:
    """Open the ledger for writing and find the run.

    Raises:
        UsageError: the ledger has no such run.
        LedgerError: the ledger is not there, locked, damaged or altered, or holds no plan.
    """
    path = root.ledger_path(options.ledger_file)
    with root.open_ledger(path, read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), options.run)
        yield OpenRun(root=root, path=path, ledger=ledger, view=view, plan=plan_of(view))


def verify_in_ledger(
    root: Root,
    options: VerifyOptions,
    watching: Watching,
    show: Callable[[Verified, ComparisonStore, RunView], None],
) -> ExitCode:
    """Compare what is there with what the run should have recreated; the ledger keeps the result.

    `show` may read the single findings: the comparison is open while it runs.

    Raises:
        UsageError: there is nothing to compare with, or a file cannot be read.
        CredentialError, RemoteError, LedgerError: as the steps raise them.
    """
    with opened_run(root, options) as opened:
        expected = expected_of(opened.plan, options.expected_file, opened.path)
        if expected is None and (options.after is None or options.before is None):
            raise UsageError(
                "nothing to compare with: the plan names no expected links",
                hint="`--expected CSV` names the Data Center's issue links; docs/expected-links.md has the SQL that exports them",
            )
        if options.after is not None:
            check_after(options.after, opened.view)
        if options.before is not None:
            check_before(options.before, opened.view)
        root.endpoint(options.endpoint)
        # Snapshots can be compared without a site; nobody is asked for a credential then.
        asking = root if options.after is None else dataclasses.replace(root, interactive=False)
        accounts: tuple[Account, ...] = ()
        why_not = ""
        try:
            accounts = accounts_of(asking, opened.plan)
        except CredentialError as problem:
            if options.after is None:
                raise
            why_not = str(problem)

        async def work(folder: Path, store: ComparisonStore) -> Verified:
            async with ports_of(
                opened, options, folder, accounts, watching, why_not=why_not
            ) as ports:
                return await verify_run(
                    ports,
                    opened.view,
                    store,
                    expected=expected,
                    after=options.after,
                    before=options.before,
                    sample=options.sample,
                    operator=root.operator(options.operator, accounts),
                )

        with scratch() as folder, ComparisonStore(opened.plan, folder=folder) as store:
            verified: Verified = root.await_(work(folder, store))
            show(verified, store, opened.view)
            return verified.exit_code


def repair_in_ledger(root: Root, options: RepairOptions, screen: WriteScreen) -> ExitCode:
    """Create the links that are missing, after a person has seen the list.

    Raises:
        UsageError: nothing says what is missing, a file cannot be read, or nobody can be asked.
        CredentialError, RemoteError, LedgerError: as the steps raise them.
    """
    with opened_run(root, options) as opened:
        expected = expected_of(opened.plan, options.expected_file, opened.path)
        if expected is None:
            raise UsageError(
                "nothing says what is missing: the plan names no expected links",
                hint="name the Data Center's issue links with `--expected CSV`",
            )
        likes = tuple(_like(text, opened.plan) for text in options.likes)
        if options.after is not None:
            check_after(options.after, opened.view)
        ready = _ready_to_write(opened, options)
        screen.begin(opened.view)

        def listed(ports: LinkPorts) -> Coroutine[Any, Any, tuple[RepairList, Writer]]:
            return list_repair(
                ports,
                opened.view,
                expected=expected,
                after=options.after,
                likes=likes,
                as_weblink=options.as_weblink,
                also_unserved=options.also_unserved,
                dry_run=options.dry_run,
                progress=screen.progress,
            )

        return _carried_out(opened, options, screen, ready, listed)


def rollback_in_ledger(root: Root, options: RollbackOptions, screen: WriteScreen) -> ExitCode:
    """Remove the links of a run that are ours, and restore those we changed.

    Raises:
        UsageError: `before` is no snapshot, or nobody can be asked.
        CredentialError, RemoteError, LedgerError: as the steps raise them.
    """
    with opened_run(root, options) as opened:
        view = opened.view
        open_snapshot(options.before).close()
        screen.begin(view)
        ready = _ready_to_write(opened, options)

        def listed(ports: LinkPorts) -> Coroutine[Any, Any, tuple[WriteList[Revert], Writer]]:
            return list_rollback(
                ports,
                view,
                read_view=lambda: find_run(runs_in(root, opened.ledger), view.id),
                before=options.before,
                dry_run=options.dry_run,
                progress=screen.progress,
            )

        return _carried_out(opened, options, screen, ready, listed)


def _ready_to_write(opened: OpenRun, options: WriteOptions) -> tuple[tuple[Account, ...], str]:
    """Return the accounts and the operator; without `--dry-run` this process leads the ledger now.

    Raises:
        UsageError: nobody can be asked, and `--yes` was not given.
        CredentialError: an account has no complete credential.
        LedgerError: another process leads the ledger.
    """
    root = opened.root
    root.endpoint(options.endpoint)
    if not (options.dry_run or options.yes or root.interactive):
        raise UsageError(
            "this writes to the sites, and nobody can be asked",
            hint="add `--yes`, or look first with `--dry-run`",
        )
    accounts = accounts_of(root, opened.plan)
    operator = root.operator(options.operator, accounts)
    if not options.dry_run:
        opened.ledger.acquire_lease(root.lease_owner(operator))
    return accounts, operator


def _carried_out(
    opened: OpenRun,
    options: WriteOptions,
    screen: WriteScreen,
    ready: tuple[tuple[Account, ...], str],
    listed: Callable[[LinkPorts], Coroutine[Any, Any, tuple[WriteList[Any], Writer]]],
) -> ExitCode:
    """Show the list, let the screen ask, write, and return the exit code."""
    accounts, operator = ready

    async def work(folder: Path) -> ExitCode:
        async with ports_of(opened, options, folder, accounts, screen.watching) as ports:
            todo, writer = await listed(ports)
            screen.listed(todo)
            codes = [ExitCode.REMOTE] if todo.not_looked_at else []
            if isinstance(todo, RepairList) and todo.left:
                codes.append(ExitCode.DIFFERENCES)
            outcomes = None
            if todo.orders and not options.dry_run:
                outcomes = await writer.carry_out(todo, operator)
                codes.insert(0, outcome_code(outcomes, outcomes.counts(todo.orders)))
            screen.ended(todo, opened.view, outcomes)
            return ExitCode.DONE if options.dry_run else foremost(codes)

    with scratch() as folder:
        return ExitCode(opened.root.await_(work(folder)))


def outcome_code(outcomes: Outcomes, counts: Mapping[str, int]) -> ExitCode:
    """Return the exit code of writes: the error that stopped them, unknown, refused, else done."""
    codes = []
    if outcomes.stopped_by is not None:
        codes.append(outcomes.stopped_by.exit_code)
    if counts["unknown"]:
        codes.append(ExitCode.UNKNOWN)
    if counts["refused"] or (counts["not_attempted"] and outcomes.stopped_by is None):
        codes.append(ExitCode.REMOTE)
    return foremost(codes)


def _like(text: str, plan: Plan) -> tuple[str, str]:
    """Return (site URL, issue key) of a `SITE:ISSUE`; the site by its address or its host."""
    site, colon, issue = text.rpartition(":")
    wanted = site.rstrip("/").lower()
    for known in plan.sites:
        if colon and wanted in (known.url.lower(), known.url.lower().partition("://")[2]):
            return known.url, issue.strip().upper()
    raise UsageError(
        f"`--like {text}` does not begin with a site of the plan",
        hint=f"for example `--like {plan.sites[0].url}:ENG-1`" if plan.sites else "",
    )


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder for temporary files that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="runbook-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def plan_of(view: RunView) -> Plan:
    """Return the plan of a run, as the ledger keeps it.

    Raises:
        LedgerError: it cannot be read.
    """
    plan = load_plan_bytes(view.plan_text.encode(), view.started.plan_file).plan
    if plan is None:
        raise LedgerError(
            f"the plan that run `{view.id}` keeps cannot be read",
            hint="`runbook ledger verify` names the rows that were changed",
        )
    return plan


def expected_of(plan: Plan, option: Path | None, ledger: Path) -> ExpectedFile | None:
    """Return the expected links: the option, else the plan's, beside the plan or the ledger.

    Raises:
        UsageError: the file is not there or cannot be read.
    """
    if option is not None:
        return read_expected(option)
    if plan.expected is None:
        return None
    paths = (ledger.parent / plan.expected, Path(plan.expected))
    found = next((path for path in paths if path.is_file()), None)
    if found is None:
        raise UsageError(
            f"the expected links `{printable(plan.expected)}` that the plan names are not beside the ledger `{ledger}`",
            hint="name the file with `--expected CSV`",
        )
    return read_expected(found)


def accounts_of(root: Root, plan: Plan) -> tuple[Account, ...]:
    """Return the account of every site of the plan.

    Raises:
        CredentialError: one has no complete credential.
    """
    return root.accounts([site.account for site in plan.sites])


@contextlib.asynccontextmanager
async def ports_of(
    opened: OpenRun,
    options: LinkOptions,
    folder: Path,
    accounts: tuple[Account, ...],
    watching: Watching,
    *,
    why_not: str = "",
) -> AsyncIterator[LinkPorts]:
    """Yield the ports of the steps; without accounts no site is asked.

    `watching` shows the progress of a snapshot while sites are asked.
    """
    root, plan = opened.root, opened.plan
    ports = LinkPorts(
        plan=plan, ledger=opened.ledger, clock=root.clock, folder=folder, why_not=why_not
    )
    if not accounts:
        yield ports
        return
    async with root.network(accounts, options) as send:
        connect = partial(clients_of, plan.sites, send, root.clock, Limits(root.clock), root.random)
        with watching() as progress:
            yield dataclasses.replace(ports, connect=connect, progress=progress)
