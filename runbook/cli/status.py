"""`runbook status`: where a run stands, what its windows leave, and what only a person can do."""

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.options import format_option, ledger_option
from runbook.operations.find_run import LATEST, find_run, read_runs
from runbook.operations.root import Root
from runbook.text import added_up, aligned, moment, plural, printable, shortened, span, zone_of
from runbook.view import AT_ATLASSIAN, SUSPECTS, JobState, JobView, RunState, RunView, next_for
from runbook.windows import WindowState

_STATE_WORDS = {
    RunState.RUNNING: "running",
    RunState.COMPLETE: "complete",
    RunState.FAILED: "failed: a job was refused, ended in error, or was not attempted",
    RunState.NEEDS_PERSON: "needs a person",
    RunState.INTERRUPTED: "interrupted: it can go on",
    RunState.STOPPED: "stopped",
}
_VERIFICATION_WORDS = {
    "none": "none: nobody has looked yet whether the links arrived",
    "partial": "partial: not every expected link was looked at",
    "clean": "clean: every expected link was found",
    "differences": "differences: links are missing, wrong or old",
}


@click.command("status")
@click.argument("run", metavar="[RUN]", default=LATEST)
@format_option("text", "json")
@ledger_option
@click.pass_obj
def status(root: Root, run: str, output_format: str, ledger_file: Path | None) -> None:
    """Show where a run stands: RUN is an id, a unique beginning of one, or `latest` (default)."""
    view = find_run(read_runs(root, root.ledger_path(ledger_file)), run)
    if output_format == "json":
        show_json(view.as_json())
        return
    show(status_text(view, root.clock.now()))
    say(next_step(view))


def status_text(view: RunView, at: datetime) -> str:
    """Return where the run stands at a moment, in plain text; times in the plan's own offset."""
    zone = zone_of(view.started.zone_minutes)
    blocks = [
        aligned(_head(view, at, zone)),
        f"jobs: {added_up(view.counts())}",
        aligned(_job_rows(view, at, zone), indent="  "),
    ]
    blocks += _notes(view)
    waiting = [job for job in view.jobs if job.needs_person()]
    if waiting:
        blocks.append(
            "\n\n".join(
                ["needs a person:", *(_words_for_person(view, job, zone) for job in waiting)]
            )
        )
    return "\n\n".join(blocks)


def _head(view: RunView, at: datetime, zone: tzinfo) -> Iterator[tuple[str, str]]:
    rehearsal = " (REHEARSAL)" if view.started.rehearsal else ""
    yield "run", f"{printable(view.id)}{rehearsal}"
    yield "state", _STATE_WORDS[view.state]
    yield "verification", _VERIFICATION_WORDS.get(view.verification, printable(view.verification))
    yield "plan", printable(view.started.plan_name)
    yield "jobs digest", view.jobs_digest
    started = view.started_at
    yield (
        "started",
        f"{moment(started, zone)} by {printable(view.operator)} on {printable(view.started.machine)}, {span(at - started)} ago",
    )
    if view.ended_at is not None:
        yield "ended", moment(view.ended_at, zone)
    else:
        yield "last event", moment(view.last_at, zone)
    if view.stop is not None:
        stopped_at, stop = view.stop
        reason = f": {printable(stop.reason)}" if stop.reason else ""
        yield ("stopped", f"{moment(stopped_at, zone)} by {printable(stop.by)}{reason}")


def _job_rows(view: RunView, at: datetime, zone: tzinfo) -> Iterator[tuple[str, ...]]:
    yield "#", "job", "state", "since", "window", "detail"
    for job in view.jobs:
        since = job.transitions[-1][0] if job.transitions else None
        yield (
            str(job.job.order),
            printable(job.id),
            job.state.value,
            moment(since, zone) if since else "-",
            window_left(job, at),
            shortened(_detail(job, zone), 100),
        )


def _detail(job: JobView, zone: tzinfo) -> str:
    words = []
    if job.why is not None:
        words.append(f"{job.why.replace('_', ' ')}:")
    if job.stalled_since is not None:
        words.append(f"no change since {moment(job.stalled_since, zone)};")
    words.append(job.detail or ("" if job.uuid is None else f"job {job.uuid}"))
    return " ".join(word for word in words if word)


def window_left(job: JobView, at: datetime) -> str:
    """Return what a job's windows leave at a moment, such as `safe for 3 d 4 h (1 of 2 pairs)`."""
    if not job.windows:
        return "none" if not job.job.recreate_as_remote else "unknown"
    states = [(pair.state(at), pair) for pair in job.windows]
    usable = [
        (end, state)
        for state, pair in states
        if (end := {WindowState.OPEN: pair.safe_closes, WindowState.LATE: pair.closes}.get(state))
    ]
    of_pairs = "" if len(states) == 1 else f" ({len(usable)} of {plural(len(states), 'pair')})"
    if usable:
        closes, state = min(usable)
        word = "safe for" if state is WindowState.OPEN else "late, at most"
        return f"{word} {span(closes - at)}{of_pairs}"
    to_come = [pair.opens for state, pair in states if state is WindowState.NOT_YET]
    if to_come:
        opens = [moment for moment in to_come if moment is not None]
        return f"opens in {span(min(opens) - at)}" if opens else "not yet"
    return "never open" if {state for state, _ in states} == {WindowState.NEVER} else "closed"


def _notes(view: RunView) -> list[str]:
    lines = []
    if view.state is not RunState.RUNNING and any(job.state in AT_ATLASSIAN for job in view.jobs):
        lines.append(
            "jobs that Atlassian has accepted go on there, although nothing here asks for them now"
        )
    if any(job.settled_by_person and job.state is JobState.UNKNOWN for job in view.jobs):
        lines.append("accepted without an id: only `runbook verify` can tell what such a job did")
    return ["\n".join(lines)] if lines else []


def _words_for_person(view: RunView, job: JobView, zone: tzinfo) -> str:
    plan = view.started.plan_file or "PLAN"
    advice = next_for(job, view, plan)
    commands = [f"    {printable(command)}" for command in advice.commands]
    if advice.key == "probe":
        absent = [
            f"{printable(issue)} -> {printable(target)}"
            for (issue, target), result in job.probe_results().items()
            if result == "not_arrived"
        ]
        again, no_id = commands
        return "\n".join(
            [
                f"  {printable(job.id)}: Atlassian reports Complete, but a known link did not arrive ({', '.join(absent)})",
                f"  suspects in this order: {'; '.join(SUSPECTS)}",
                f"{again}    # after the cause is fixed",
                f"{no_id}    # go on without it; verification will list what is missing",
            ]
        )
    sent = moment(job.submitted_at, zone) if job.submitted_at else "an unknown moment"
    send_again, accepted, no_id = commands
    return "\n".join(
        [
            f"  {printable(job.id)}: sent at {sent}, the outcome is unknown: {printable(job.detail) or 'no answer is on disk'}",
            f"{send_again}        # recommended: links already updated are left out; may repeat a backup",
            f"{accepted}     # Atlassian told you the job's id",
            f"{no_id}    # it surely arrived, the id is not known",
        ]
    )


def next_step(view: RunView) -> str:
    """Return what to do next about the run, in one line that starts with `next:`."""
    plan = printable(view.started.plan_file) or "PLAN"
    run = printable(view.id)
    if view.started.rehearsal:
        return "next: this was a rehearsal; nothing left this machine"
    match view.state:
        case RunState.RUNNING if view.stop is not None:
            return "next: wait; the run is stopped, and what is at Atlassian is followed to its end"
        case RunState.RUNNING:
            return "next: wait; `runbook stop` is the formal no-go"
        case RunState.NEEDS_PERSON:
            return f"next: one of the commands above for each job, then `runbook run {plan}`"
        case RunState.INTERRUPTED:
            return f"next: `runbook run {plan}` resumes"
        case RunState.STOPPED:
            return (
                f"next: `runbook run {plan}` sends what was not selected"
                if view.stop is None
                else f"next: `runbook run {plan} --again --reason TEXT` takes the stop back"
            )
        case RunState.FAILED:
            return f"next: fix what the detail says, then `runbook run {plan}`; jobs in error are sent again with `--again ID --reason TEXT`"
        case RunState.COMPLETE:
            return {
                "clean": f"next: `runbook report {run} -o report.html` and `runbook bundle {run} -o bundle.zip`",
                "differences": f"next: `runbook repair {run} --dry-run` shows what can be repaired",
            }.get(
                view.verification, f"next: `runbook verify {run}` looks whether the links arrived"
            )


@click.command("runs")
@format_option("text", "json")
@ledger_option
@click.pass_obj
def runs(root: Root, output_format: str, ledger_file: Path | None) -> None:
    """List all runs of the ledger, oldest first."""
    path = root.ledger_path(ledger_file)
    views = read_runs(root, path)
    if output_format == "json":
        # Each as in `status`, without its jobs.
        listed = [
            {**view.as_json()["run"], "rehearsal": view.started.rehearsal, "counts": view.counts()}
            for view in views
        ]
        show_json({"format": 1, "runs": listed})
        return
    if views:
        show(aligned(_rows(views)))
    say(f"{plural(len(views), 'run')} in `{printable(str(path))}`")


def _rows(views: tuple[RunView, ...]) -> Iterator[tuple[str, ...]]:
    yield "run", "plan", "state", "verification", "started", "by", "jobs"
    for view in views:
        zone = zone_of(view.started.zone_minutes)
        yield (
            printable(view.id),
            printable(view.started.plan_name) + (" (REHEARSAL)" if view.started.rehearsal else ""),
            view.state.value,
            printable(view.verification),
            moment(view.started_at, zone),
            printable(view.operator),
            added_up(view.counts()),
        )
