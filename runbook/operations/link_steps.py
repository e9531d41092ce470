"""The steps of an evening after the run: verify, repair, roll back; from ports to results.

`verify`, `repair` and `rollback` call these, and `rehearse` calls them inside its own event loop on a
virtual clock. Each takes what it needs from outside as one value, `LinkPorts`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.clock import Clock
from runbook.errors import CredentialError, RunbookError, UsageError
from runbook.http import Send
from runbook.ledger.events.kinds import WritePurpose
from runbook.ledger.events.links import VerifyStarted
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan, Site
from runbook.remotelinks import repair, rollback
from runbook.remotelinks.comparison import Comparison, compare
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.expected import ExpectedFile
from runbook.remotelinks.history import SiteHistory
from runbook.remotelinks.mapping import PlanMap
from runbook.remotelinks.pointing import Addresses
from runbook.remotelinks.repair import RepairList, Shape
from runbook.remotelinks.rollback import LinksBefore, Revert, RollbackPlanner
from runbook.remotelinks.snapshot import Scope, SnapshotProgress, snapshot_of, take
from runbook.remotelinks.snapshot_file import open_snapshot
from runbook.remotelinks.verification import (
    SampleResult,
    Verified,
    ask_history,
    file_json,
    recall,
    record,
)
from runbook.remotelinks.window_gaps import WindowGaps
from runbook.remotelinks.writes import Order, WriteList, WriteLog, Writer
from runbook.view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPorts:
    """What these steps get from outside; `folder` is for temporary files.

    `connect` makes one client for each site, by the site's URL; without it no site can be asked, and
    `why_not` says why. `sites` are the clients of everything but snapshots.
    """

    plan: Plan
    ledger: Ledger
    clock: Clock
    folder: Path
    connect: Callable[[], dict[str, JiraSite]] = dict
    why_not: str = ""
    progress: SnapshotProgress | None = None
    sites: dict[str, JiraSite] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect to the sites."""
        self.sites.update(self.connect())


def clients_of(
    sites: Iterable[Site], send: Send, clock: Clock, limits: Limits, random: Callable[[], float]
) -> dict[str, JiraSite]:
    """Return one client for each site, by the site's URL."""
    return {
        site.url: JiraSite(site, send=send, clock=clock, limits=limits, random=random)
        for site in sites
    }


async def verify_run(
    ports: LinkPorts,
    view: RunView,
    store: ComparisonStore,
    *,
    expected: ExpectedFile | None,
    after: Path | None,
    before: Path | None,
    sample: int | None,
    operator: str,
) -> Verified:
    """Verify a run against its expected links; without `after` the snapshot is taken now.

    Single findings stream from the result's `comparison` until the store is closed.

    Raises:
        CredentialError: a site no longer takes the credential.
        UsageError: a file cannot be read.
        LedgerError: the ledger cannot be written.
    """
    sampled = _staged(store, expected, sample, seed=view.id)
    if after is None:
        after = await _taken(ports, store)
    verification = f"v{ports.ledger.head()[0] + 1}"
    started = VerifyStarted(
        verification=verification,
        after=file_json(after),
        before=None if before is None else file_json(before),
        expected=None if expected is None else expected.as_json(),
        sample=None if sampled is None else sampled.size,
        operator=operator,
    )
    ports.ledger.append(started, run=view.id)
    comparison, later = await _compared(ports, view, store, after, before)
    return record(comparison, ports.ledger, view.id, verification, sample=sampled, later=later)


async def list_repair(
    ports: LinkPorts,
    view: RunView,
    *,
    expected: ExpectedFile,
    after: Path | None,
    likes: Sequence[tuple[str, str]] = (),
    as_weblink: bool = False,
    also_unserved: bool = False,
    dry_run: bool = False,
    progress: Callable[[Order, str, str], None] = lambda *_: None,
) -> tuple[RepairList, Writer]:
    """Return what `repair` would create, and its writer: what is missing now, and was not removed since.

    What the next round of the run can still serve is left to it, unless `also_unserved` is set.
    Writes of an earlier process without a known end are looked up first (not in a dry run).

    Raises:
        CredentialError, RemoteError: a site cannot be asked.
        UsageError: a file cannot be read, or `--like` names no usable link.
    """
    writer = _writer(ports, view, "repair", progress)
    settled = 0 if dry_run else await _settle(writer, view)
    with ComparisonStore(ports.plan, folder=ports.folder) as store:
        _staged(store, expected, None, seed="")
        if after is None:
            after = await _taken(ports, store)
        comparison, _ = await _compared(ports, view, store, after)
        by_hand = await repair.shapes_by_hand(likes, ports.plan, ports.sites, comparison.addresses)
        shapes = repair.shapes_from_snapshot(comparison)
        for job, shape in by_hand.items():
            if not isinstance(shapes.get(job), Shape):
                shapes[job] = shape
        todo = repair.planned(
            comparison,
            listing=_listing(ports.ledger),
            shapes=shapes,
            as_weblink=as_weblink,
            also_unserved=also_unserved,
            settled=settled,
        )
        return todo, writer


async def list_rollback(
    ports: LinkPorts,
    view: RunView,
    *,
    read_view: Callable[[], RunView],
    before: Path,
    dry_run: bool = False,
    progress: Callable[[Order, str, str], None] = lambda *_: None,
) -> tuple[WriteList[Revert], Writer]:
    """Return what `rollback` would take back, what it leaves with the reason, and its writer.

    `read_view` folds the ledger again, after writes of an earlier process were looked up.

    Raises:
        CredentialError, RemoteError: a site cannot be asked.
        UsageError: `before` is no snapshot.
    """
    writer = _writer(ports, view, "rollback", progress)
    settled = 0
    if not dry_run:
        settled = await _settle(writer, view)
        settled += await _settle(_writer(ports, view, "repair", progress), view)
    if settled:
        view = read_view()
    named = rollback.candidates(view, ports.ledger).values()
    with open_snapshot(before) as snapshot:
        links_before = LinksBefore(snapshot, named)
    planner = RollbackPlanner(
        view=view,
        before=links_before,
        addresses=await _live_addresses(ports),
        plan_map=PlanMap(ports.plan),
        sites=ports.sites,
        history=SiteHistory(ports.sites),
    )
    return await planner.listed(_listing(ports.ledger), named, settled=settled), writer


def _staged(
    store: ComparisonStore, expected: ExpectedFile | None, sample: int | None, *, seed: str
) -> SampleResult | None:
    if expected is not None:
        store.notes.extend(f"`{expected.path.name}`: {note}" for note in expected.notes)
        store.add_expected(expected)
    if sample is None:
        return None
    seed = f"{seed}:{'' if expected is None else expected.sha256[:16]}"
    total = store.draw(sample, seed)
    if store.sampled is None:
        store.notes.append(f"the sample takes in all {total} rows that a job serves")
        return None
    return SampleResult(size=sample, looked_at=0, total=total, bad=0, seed=seed)


async def _taken(ports: LinkPorts, store: ComparisonStore) -> Path:
    """Take the snapshot of exactly what is staged; a site that fails is a note, not an end."""
    if not ports.sites:
        raise UsageError("no snapshot and no way to take one", hint="name one with `--after FILE`")
    keys: dict[str, list[str]] = {site.url: [] for site in ports.plan.sites}
    targets: dict[str, list[str]] = {site.url: [] for site in ports.plan.sites}
    for site, key, role in store.in_scope():
        (keys if role == "source" else targets)[site].append(key)
    used = [site for site in ports.plan.sites if keys[site.url] or targets[site.url]]
    if not used and not store.expected_count:
        raise UsageError(
            "nothing says which issues to read: there are no expected links",
            hint="name them with `--expected CSV`, or a snapshot with `--after FILE`",
        )
    scope = Scope(kind="expected", sites=tuple(used), keys=keys, targets=targets)
    path = ports.folder / "after.snapshot"
    path.unlink(missing_ok=True)
    with snapshot_of(path, ports.plan, scope, ports.clock.now()) as file:
        taken = await take(
            ports.plan,
            file,
            scope,
            # New clients ask again who they are: a login may have been lost since the last step.
            sites=ports.connect(),
            clock=ports.clock,
            progress=ports.progress,
        )
    for site, error in taken.errors:
        if isinstance(error, CredentialError):
            raise error
        store.notes.append(f"`{site}` could not be read to the end: {error}")
    if taken.errors and len(taken.errors) == len(used):
        raise taken.errors[0][1]
    return path


async def _compared(
    ports: LinkPorts, view: RunView, store: ComparisonStore, after: Path, before: Path | None = None
) -> tuple[Comparison, int]:
    """Compare, and let the ledger, the changelogs and the plan's waves say what they know of it.

    Returns how many missing links the next round of the run can still serve, too.
    """
    recall(store, ports.ledger, view.id)
    comparison = compare(store, after, before)
    history = SiteHistory(ports.sites) if ports.sites else None
    await ask_history(comparison, history, ports.why_not, view)
    unserved = WindowGaps(ports.plan, view, ports.clock.now())
    return comparison, comparison.mark_gaps(unserved.of)


def _writer(
    ports: LinkPorts,
    view: RunView,
    purpose: WritePurpose,
    progress: Callable[[Order, str, str], None],
) -> Writer:
    log = WriteLog(purpose=purpose, ledger=ports.ledger, run=view.id)
    return Writer(log=log, clock=ports.clock, sites=ports.sites, progress=progress)


async def _settle(writer: Writer, view: RunView) -> int:
    """Look up what an earlier process left open; return how many writes were settled."""
    return await writer.settle(
        write.intended
        for write in view.writes
        if write.intended.purpose == writer.log.purpose
        and (write.ended is None or write.ended.result == "unknown")
    )


async def _live_addresses(ports: LinkPorts) -> Addresses:
    """Return the sites' own base and display URLs, asked now; the plan's where a site does not say."""
    described: dict[str, tuple[str | None, ...]] = dict.fromkeys(ports.sites, ())
    for url, jira in ports.sites.items():
        try:
            info, _ = await jira.server_info()
        except CredentialError:
            raise
        except RunbookError:
            continue
        described[url] = (info.get("baseUrl"), info.get("displayUrl"))
    return Addresses(described, PlanMap(ports.plan).old_bases())


def _listing(ledger: Ledger) -> str:
    return f"l{ledger.head()[0] + 1}"
