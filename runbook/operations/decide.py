"""What a person decides about a run from any terminal: the formal no-go, and unknown outcomes."""

from dataclasses import dataclass
from pathlib import Path

from runbook.clock import to_the_second
from runbook.errors import UsageError
from runbook.ledger.events import JobNotAttempted, JobResolved, StopRequested
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.root import Root
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, JobView, RunState, accepts_resolution


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOptions:
    """Which run is stopped, and why."""

    run: str
    reason: str
    operator: str | None
    ledger_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedRun:
    """A run that was stopped now: the jobs that are not sent, and those that go on at Atlassian.

    `in_use` says that another process carries the run out, which will notice.
    """

    run: str
    unsent: int
    at_atlassian: int
    in_use: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOptions:
    """What a person says of a job; exactly one of `uuid`, `accepted_no_id` and `send_again`."""

    run: str
    job: str
    uuid: str | None
    accepted_no_id: bool
    send_again: bool
    by: str | None
    note: str
    operator: str | None
    ledger_file: Path | None


def stop_run(root: Root, options: StopOptions) -> StoppedRun:
    """Record the formal no-go: nothing more is submitted.

    Raises:
        UsageError: the ledger has no such run, or it was stopped already.
        LedgerError: the ledger cannot be written.
    """
    by = root.operator(options.operator)
    with root.open_ledger(root.ledger_path(options.ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), options.run)
        if view.stop is not None:
            at, earlier = view.stop
            raise UsageError(
                f"run `{view.id}` was {earlier.sentence()} (at {to_the_second(at)}) already",
                hint="`runbook status` shows where it stands",
            )
        no_go = StopRequested(reason=options.reason.strip(), by=by)
        ledger.append(no_go, run=view.id)
        in_use = view.state is RunState.RUNNING
        unsent = [
            job for job in view.jobs if job.state in SENDABLE and job.state is not JobState.REFUSED
        ]
        if not in_use:
            # No process carries the run out, so none will write it for each job.
            for job in unsent:
                held = JobNotAttempted(why="stopped", detail=no_go.sentence())
                ledger.append(held, run=view.id, job=job.id)
    return StoppedRun(
        run=view.id,
        unsent=len(unsent),
        at_atlassian=sum(job.state in AT_ATLASSIAN for job in view.jobs),
        in_use=in_use,
    )


def resolve_job(root: Root, options: ResolveOptions) -> JobResolved:
    """Record what a person says of an outcome that cannot be known; the next `run` acts on it.

    Raises:
        UsageError: not exactly one thing is said, the id is none, the job is unknown, or nothing
            has to be decided about it.
        LedgerError: the ledger cannot be written.
    """
    uuid = options.uuid
    if sum((uuid is not None, options.accepted_no_id, options.send_again)) != 1:
        raise UsageError(
            "say exactly one of `--accepted UUID`, `--accepted-no-id` and `--send-again`",
            hint="`--send-again` is recommended: Atlassian leaves out links that are updated already, but may repeat a backup",
        )
    if uuid is not None and (
        not uuid.strip() or any(c.isspace() or c == "/" for c in uuid.strip())
    ):
        raise UsageError(
            f"`--accepted {uuid!r}` is no job id", hint="it is the `uuid` of Atlassian's answer"
        )
    resolution = "accepted" if uuid else "send_again" if options.send_again else "accepted_no_id"
    event = JobResolved(
        resolution=resolution,
        uuid=uuid.strip() if uuid is not None else None,
        by=options.by or root.operator(options.operator),
        note=options.note.strip(),
    )
    with root.open_ledger(root.ledger_path(options.ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), options.run)
        job = view.job(options.job)
        if job is None:
            raise UsageError(
                f"run `{view.id}` has no job `{options.job}`",
                hint=f"its jobs: {', '.join(job.id for job in view.jobs)}",
            )
        _refuse_pointless(job, resolution)
        ledger.append(event, run=view.id, job=job.id)
    return event


def _refuse_pointless(job: JobView, resolution: str) -> None:
    if job.state in SENDABLE and resolution == "send_again":
        raise UsageError(
            f"`{job.id}` is {job.state.value.replace('_', ' ')}: the next `run` sends it anyway",
            hint="`resolve` is for unknown outcomes and for jobs that were sent elsewhere",
        )
    if not accepts_resolution(job, resolution):
        raise UsageError(
            f"the outcome of `{job.id}` is known: {job.state.value.replace('_', ' ')}",
            hint='to send it once more: `runbook run PLAN --again ID --reason "…"`',
        )
