"""Whether a snapshot was made at the moment that it is named for: before a run, or after it.

In: a snapshot file and what is known of a run. Out: nothing, or an error that says what to do. A
snapshot of the wrong moment would make everything missing, or every link a user's own.
"""

from pathlib import Path

from runbook.clock import isoformat_utc, parse_utc
from runbook.errors import UsageError
from runbook.remotelinks.snapshot_file import Meta, open_snapshot
from runbook.text import printable
from runbook.view import RunView, served_at


def check_after(path: Path, view: RunView) -> None:
    """Hold that a snapshot is of the run's plan and was begun after the last job of the run ended.

    A job that has not ended counts with its submission.

    Raises:
        UsageError: it was not, or it cannot be read.
    """
    meta = _of_this_plan(path, view, "--after")
    ends = [(job.ended_at or job.submitted_at, job.id) for job in view.jobs]
    moments = [(at, job) for at, job in ends if at is not None]
    if not moments:
        return
    end, job = max(moments)
    if parse_utc(meta.created_at) < end:
        raise UsageError(
            f"the snapshot `{path}` was begun at {meta.created_at}, before job `{printable(job)}` of run `{view.id}` ended or was submitted ({isoformat_utc(end)}): it cannot say what arrived",
            hint="leave out `--after` to take one now, or name one that was taken after the run",
        )


def check_before(path: Path, view: RunView) -> None:
    """Hold that a snapshot is of the run's plan and was whole before the run's first submission.

    Raises:
        UsageError: it was not, or it cannot be read.
    """
    meta = _of_this_plan(path, view, "--before")
    moments = [moment for job in view.jobs for moment in served_at(job)]
    made = meta.finished_at or meta.created_at
    if moments and parse_utc(made) > min(moments):
        raise UsageError(
            f"the snapshot `{path}` was made at {made}, after the first submission of run `{view.id}` ({min(moments):%Y-%m-%dT%H:%M:%SZ}): it cannot say what was there before",
            hint="leave out `--before`, or name one that was finished before the run",
        )


def _of_this_plan(path: Path, view: RunView, option: str) -> Meta:
    with open_snapshot(path) as snapshot:
        meta = snapshot.meta()
    if meta.plan != view.started.plan_name:
        raise UsageError(
            f"the snapshot `{path}` is of plan `{printable(meta.plan)}`, run `{view.id}` of plan `{printable(view.started.plan_name)}`",
            hint=f"name with `{option}` a snapshot of this run's plan",
        )
    return meta
