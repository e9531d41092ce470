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
from runbook.errors import CredentialError, LedgerError, RunbookError, UsageError
from runbook.http import Send
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.remotelinks import repair, rollback
from runbook.remotelinks.compare import Addresses, Kind
from runbook.remotelinks.expected import ExpectedFile
from runbook.remotelinks.history import SiteHistory
from runbook.remotelinks.repair import RepairList
from runbook.remotelinks.rollback import Before, Judge, RollbackList
from runbook.remotelinks.sampling import SampleWord
from runbook.remotelinks.scope import Scope
from runbook.remotelinks.shape import NoShape, Shape
from runbook.remotelinks.snapshot import Progress, take
from runbook.remotelinks.snapshot_file import create_snapshot
from runbook.remotelinks.staging import Stage
from runbook.remotelinks.unserved import UnservedPairs
from runbook.remotelinks.verification import (
    Verified,
    ask_history,
    first_submissions,
    recall,
    verify,
)
from runbook.remotelinks.writing import Order, Outcomes, Writer
from runbook.view import RunView, run_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPorts:
    """What these steps get from outside; `send` is None where no site can be asked, and `why_not` says why.

    `folder` is for temporary files.
    """

    plan: Plan
    ledger: Ledger
    clock: Clock
    limits: Limits
    folder: Path
    send: Send | None
    why_not: str = ""
    random: Callable[[], float] = lambda: 0.5
    progress: Progress | None = None
    sites: dict[str, JiraSite] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make one client per site of the plan, where sites can be asked."""
        if self.send is None:
            return
        for site in self.plan.sites:
            self.sites[site.url] = JiraSite.of(
                site,
                send=self.send,
                clock=self.clock,
                limits=self.limits,
                random=self.random,
            )


async def verify_run(
    ports: LinkPorts,
    run: str,
    stage: Stage,
    *,
    expected: ExpectedFile | None,
    after: Path | None,
    before: Path | None,
    sample: int | None,
    operator: str,
) -> Verified:
    """Verify a run against its expected links; without `after` the snapshot is taken now.

    The stage keeps the single findings (`stage.findings()`) until it is closed.

    Raises:
        CredentialError: a site no longer takes the credential.
        UsageError: a file cannot be read.
        LedgerError: the ledger cannot be written.
    """
    view = run_of(ports.ledger.events(), run)
    if view is None:
        raise LedgerError(
            f"the ledger knows no run `{run}`", hint="`runbook runs` lists those it knows"
        )
    word = _staged(stage, expected, sample, seed=run)
    if after is None:
        after = await _taken(ports, stage)
    history = SiteHistory(ports.sites) if ports.sites else None
    return await verify(
        stage=stage,
        after=after,
        before=before,
        expected=expected,
        sample=word,
        history=history,
        history_absent=ports.why_not,
        unserved=UnservedPairs(ports.plan, view, ports.clock.now()),
        submitted=first_submissions(view),
        ledger=ports.ledger,
        run=run,
        operator=operator,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairWork:
    """What `repair` would do, ready to be carried out; `not_looked_at` links may be missing, too."""

    ports: LinkPorts
    run: str
    plan_list: RepairList
    writer: Writer
    settled: int
    not_looked_at: int = 0

    async def carry_out(self, operator: str) -> Outcomes:
        """Create the links; the list is in the ledger first."""
        return await repair.carry_out(
            plan_list=self.plan_list,
            writer=self.writer,
            ledger=self.ports.ledger,
            run=self.run,
            operator=operator,
        )


async def list_repair(
    ports: LinkPorts,
    view: RunView,
    stage: Stage,
    *,
    expected: ExpectedFile,
    after: Path | None,
    likes: Sequence[tuple[str, str]] = (),
    as_weblink: bool = False,
    also_unserved: bool = False,
    dry_run: bool = False,
    progress: Callable[[Order, str, str], None] = lambda *_: None,
) -> RepairWork:
    """Return what `repair` would create: what is missing now, and not removed by somebody on purpose.

    What the next round of the run can still serve is left to it, unless `also_unserved` is set.
    Writes of an earlier process without a known end are looked up first (not in a dry run).

    Raises:
        CredentialError, RemoteError: a site cannot be asked.
        UsageError: a file cannot be read, or `--like` names no usable link.
    """
    writer = _writer(ports, view, repair.PURPOSE, progress)
    settled = await _settle(writer, view, dry_run=dry_run)
    _staged(stage, expected, None, seed="")
    if after is None:
        after = await _taken(ports, stage)
    recall(stage, ports.ledger, view.id)
    stage.compare(after)
    history = SiteHistory(ports.sites)
    await ask_history(stage, after, history, ports.why_not, first_submissions(view))
    stage.mark_unserved(UnservedPairs(ports.plan, view, ports.clock.now()).of)
    addresses = _addresses(stage)
    shapes: dict[str, Shape | NoShape] = repair.shapes_from_snapshot(stage, after)
    by_hand = await repair.shapes_by_hand(likes, ports.plan, ports.sites, addresses, stage.numbers)
    for job, shape in by_hand.items():
        if not isinstance(shapes.get(job), Shape):
            shapes[job] = shape
    plan_list = repair.planned(
        listing=_listing(ports.ledger),
        missing=tuple(stage.missing(after)),
        addresses=addresses,
        numbers=stage.numbers,
        shapes=shapes,
        as_weblink=as_weblink,
        also_unserved=also_unserved,
    )
    return RepairWork(
        ports=ports,
        run=view.id,
        plan_list=plan_list,
        writer=writer,
        settled=settled,
        not_looked_at=stage.finding_count(Kind.NOT_LOOKED_AT),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackWork:
    """What `rollback` would do, ready to be carried out."""

    ports: LinkPorts
    run: str
    plan_list: RollbackList
    writer: Writer
    settled: int

    async def carry_out(self, operator: str) -> Outcomes:
        """Take the links back; the list is in the ledger first."""
        return await rollback.carry_out(
            plan_list=self.plan_list,
            writer=self.writer,
            ledger=self.ports.ledger,
            run=self.run,
            operator=operator,
        )


async def list_rollback(
    ports: LinkPorts,
    view: RunView,
    *,
    read_view: Callable[[], RunView],
    before: Path,
    dry_run: bool = False,
    progress: Callable[[Order, str, str], None] = lambda *_: None,
) -> RollbackWork:
    """Return what `rollback` would take back, and what it leaves, each with the reason.

    `read_view` folds the ledger again, after writes of an earlier process were looked up.

    Raises:
        CredentialError, RemoteError: a site cannot be asked.
        UsageError: `before` is no snapshot.
    """
    writer = _writer(ports, view, rollback.PURPOSE, progress)
    settled = await _settle(writer, view, dry_run=dry_run)
    if rollback.unsettled(view, repair.PURPOSE) and not dry_run:
        others = _writer(ports, view, repair.PURPOSE, progress)
        settled += await _settle(others, view, dry_run=dry_run)
    if settled:
        view = read_view()
    then = Before(before)
    try:
        numbers = {url: n for n, url in enumerate(sorted(ports.sites), start=1)}
        judge = Judge(
            view=view,
            before=then,
            addresses=await _live_addresses(ports, numbers),
            destinations=rollback.destinations_of(ports.plan, numbers),
            sites=ports.sites,
            history=SiteHistory(ports.sites),
        )
        named = rollback.candidates(view, ports.ledger)
        plan_list = await judge.listed(_listing(ports.ledger), named.values())
    finally:
        then.close()
    return RollbackWork(
        ports=ports, run=view.id, plan_list=plan_list, writer=writer, settled=settled
    )


def _staged(
    stage: Stage, expected: ExpectedFile | None, sample: int | None, *, seed: str
) -> SampleWord | None:
    if expected is not None:
        stage.notes.extend(f"`{expected.path.name}`: {note}" for note in expected.notes)
        stage.add_expected(expected)
    if sample is None:
        return None
    seed = f"{seed}:{'' if expected is None else expected.sha256[:16]}"
    total = stage.draw(sample, seed)
    if stage.sampled is None:
        stage.notes.append(f"the sample takes in all {total} rows that a job serves")
        return None
    return SampleWord(size=sample, looked_at=0, total=total, bad=0, seed=seed)


async def _taken(ports: LinkPorts, stage: Stage) -> Path:
    """Take the snapshot of exactly what is staged; a site that fails is a note, not an end."""
    if ports.send is None:
        raise UsageError("no snapshot and no way to take one", hint="name one with `--after FILE`")
    keys: dict[str, list[str]] = {site.url: [] for site in ports.plan.sites}
    targets: dict[str, list[str]] = {site.url: [] for site in ports.plan.sites}
    for site, key, role in stage.in_scope():
        (keys if role == "source" else targets)[site].append(key)
    used = [site for site in ports.plan.sites if keys[site.url] or targets[site.url]]
    if not used and stage.expected_total() == 0:
        raise UsageError(
            "nothing says which issues to read: there are no expected links",
            hint="name them with `--expected CSV`, or a snapshot with `--after FILE`",
        )
    scope = Scope(
        kind="expected",
        sites=tuple(used),
        keys={url: tuple(members) for url, members in keys.items()},
        targets={url: tuple(members) for url, members in targets.items()},
    )
    path = ports.folder / "after.snapshot"
    path.unlink(missing_ok=True)
    with create_snapshot(
        path,
        plan=ports.plan.name,
        digest=ports.plan.digest,
        scope=scope.as_json(),
        at=ports.clock.now(),
    ) as file:
        taken = await take(
            ports.plan,
            file,
            scope,
            send=ports.send,
            clock=ports.clock,
            limits=ports.limits,
            random=ports.random,
            progress=ports.progress,
        )
    for site, error in taken.errors:
        if isinstance(error, CredentialError):
            raise error
        stage.notes.append(f"`{site}` could not be read to the end: {error}")
    if taken.errors and len(taken.errors) == len(used):
        raise taken.errors[0][1]
    return path


def _writer(
    ports: LinkPorts, view: RunView, purpose: str, progress: Callable[[Order, str, str], None]
) -> Writer:
    return Writer(
        purpose=purpose,
        run=view.id,
        ledger=ports.ledger,
        clock=ports.clock,
        sites=ports.sites,
        progress=progress,
    )


async def _settle(writer: Writer, view: RunView, *, dry_run: bool) -> int:
    """Look up what an earlier process left open; return how many writes were settled."""
    if dry_run:
        return 0
    open_writes = [write.intended for write in rollback.unsettled(view, writer.purpose)]
    return len(await writer.settle(open_writes))


async def _live_addresses(ports: LinkPorts, numbers: dict[str, int]) -> Addresses:
    """Return the sites' own base and display URLs, asked now; the plan's where a site does not say."""
    bases: dict[int, list[str]] = {}
    for url, jira in ports.sites.items():
        bases[numbers[url]] = [url]
        try:
            info, _ = await jira.server_info()
        except CredentialError:
            raise
        except RunbookError:
            continue
        found = (info.get("baseUrl"), info.get("displayUrl"))
        bases[numbers[url]] += [str(one) for one in found if one]
    return Addresses(bases, _old_bases(ports.plan))


def _old_bases(plan: Plan) -> Iterable[str]:
    for instance in plan.instances:
        yield instance.migrated_from
        if instance.migrated_from_override:
            yield instance.migrated_from_override


def _addresses(stage: Stage) -> Addresses:
    if stage.addresses is None:
        raise UsageError("nothing was compared yet")
    return stage.addresses


def _listing(ledger: Ledger) -> str:
    return f"l{ledger.head()[0] + 1}"
