"""Pairs of waves that no submission has served yet, and those that none can serve any more.

Pure. A submission serves a pair where it was, or may have been, accepted while the pair's window was
open or late. Everything is judged at the ledger's last event, since the report reads no clock.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from runbook.report.moments import parsed
from runbook.view import JobView, RunView, served_at
from runbook.windows import Pair, WindowState

__all__ = [
    "Unserved",
    "due_pairs",
    "judged_at",
    "missed_pairs",
    "pairs_of_job",
    "served_at",
    "unserved_pairs",
]

_TO_COME = (WindowState.NOT_YET, WindowState.OPEN, WindowState.LATE)


@dataclass(frozen=True, slots=True)
class Unserved:
    """A pair of waves of a job that was never served, and where the report's moment stands to it."""

    job: JobView
    pair: Pair
    state: WindowState

    @property
    def named(self) -> str:
        """Return job and waves for a list: `eng-to-ops: wave-2 → wave-1`."""
        return f"{self.job.id}: {self.pair.from_wave.name} → {self.pair.to_wave.name}"


def pairs_of_job(job: JobView) -> tuple[Pair, ...]:
    """Return the pairs of waves of one job."""
    return tuple(Pair.from_json(job.id, value) for value in job.windows)


def judged_at(view: RunView) -> datetime:
    """Return the moment at which the report judges clocks: the ledger's last event of the run."""
    return parsed(view.last_at) or parsed(view.started_at) or datetime(1970, 1, 1, tzinfo=UTC)


def unserved_pairs(view: RunView) -> tuple[Unserved, ...]:
    """Return every pair that no submission has served, in the order of the jobs."""
    at = judged_at(view)
    return tuple(
        Unserved(job, pair, pair.state(at))
        for job in view.jobs
        for moments in (served_at(job),)
        for pair in pairs_of_job(job)
        if not any(pair.servable(moment) for moment in moments)
    )


def due_pairs(view: RunView) -> tuple[Unserved, ...]:
    """Return the pairs that need a later round.

    A job that was never submitted is itself what is left to do, so that of its pairs only those
    count whose window is not open yet.
    """
    return tuple(
        one
        for one in unserved_pairs(view)
        if one.state is WindowState.NOT_YET or (one.state in _TO_COME and served_at(one.job))
    )


def missed_pairs(view: RunView) -> tuple[Unserved, ...]:
    """Return the pairs that were never served and that no round can serve any more."""
    return tuple(one for one in unserved_pairs(view) if one.state not in _TO_COME)
