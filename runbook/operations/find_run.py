"""Find the run that a command means: by id, by a unique prefix of one, or `latest`."""

from pathlib import Path

from runbook.errors import UsageError
from runbook.ledger.codec import Recorded
from runbook.ledger.events import RunEnded, RunResumed, RunStarted
from runbook.ledger.store import Ledger, lease_holds
from runbook.operations.root import Root
from runbook.view import RunView, runs_of

LATEST = "latest"


def read_runs(root: Root, ledger_path: Path) -> tuple[RunView, ...]:
    """Return every run of a ledger, oldest first, with the whole chain checked; nothing is written.

    Raises:
        LedgerError: there is no ledger, or it is locked, damaged, altered or of another version.
        UsageError: its folder is not there.
    """
    with root.open_ledger(ledger_path) as ledger:
        return runs_in(root, ledger)


def runs_in(root: Root, ledger: Ledger) -> tuple[RunView, ...]:
    """Return every run of an open ledger, oldest first; the one that a living process carries out is running.

    Raises:
        LedgerError: the ledger is locked, damaged or altered.
    """
    events = tuple(ledger.events())
    return runs_of(events, leased_run=run_in_use(root, ledger, events))


def run_in_use(root: Root, ledger: Ledger, events: tuple[Recorded, ...]) -> str | None:
    """Return the id of the run that a living process carries out now, None where nobody does.

    A process that holds the lease carries out the run that it has started or resumed since it took
    the lease, until it ends that run.
    """
    lease = ledger.lease()
    if lease is None or not lease_holds(lease, root.lease_owner("reader"), root.clock.now()):
        return None
    in_use: str | None = None
    for seen in events:
        # By number, not by time: clocks step back.
        if seen.seq > lease.after_seq and isinstance(seen.event, RunStarted | RunResumed):
            in_use = seen.run
        elif isinstance(seen.event, RunEnded) and seen.run == in_use:
            in_use = None
    return in_use


def find_run(views: tuple[RunView, ...], text: str) -> RunView:
    """Return the run that `text` names: an id, a unique prefix of one, or `latest`.

    Raises:
        UsageError: no run or more than one is meant; the message names the candidates.
    """
    if not views:
        raise UsageError(
            "the ledger holds no run yet",
            hint="a run begins with `runbook run PLAN`; `--ledger FILE` names another ledger",
        )
    if text == LATEST:
        return views[-1]
    exact = [view for view in views if view.id == text]
    meant = exact or [view for view in views if text and view.id.startswith(text)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        raise UsageError(
            f"`{text}` is the beginning of {len(meant)} runs: {_named(tuple(meant))}",
            hint="write more of the id",
        )
    raise UsageError(
        f"the ledger has no run `{text}`; it has {_named(views)}",
        hint="name a run by its id, a unique beginning of one, or `latest`",
    )


def _named(views: tuple[RunView, ...]) -> str:
    shown = [f"`{view.id}` ({view.started.plan_name})" for view in views[-5:]]
    more = len(views) - len(shown)
    return ", ".join(shown) + (f" and {more} older ones" if more else "")
