"""`runbook stop`: the formal no-go, also from another terminal."""

from pathlib import Path

import click

from runbook.cli.console import say
from runbook.cli.options import ledger_option, operator_option, run_argument
from runbook.clock import to_the_second
from runbook.errors import UsageError
from runbook.ledger.events import JobNotAttempted, StopRequested
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.root import Root
from runbook.text import plural
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, RunState


@click.command("stop")
@run_argument
@click.option(
    "--reason", default="", metavar="TEXT", help="Why; kept in the ledger and the report."
)
@operator_option
@ledger_option
@click.pass_obj
def stop(root: Root, run: str, reason: str, operator: str | None, ledger_file: Path | None) -> None:
    """Declare the no-go for RUN: nothing more is submitted; what is at Atlassian goes on there."""
    by = root.operator(operator)
    with root.open_ledger(root.ledger_path(ledger_file), read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), run)
        if view.stop is not None:
            at, earlier = view.stop
            raise UsageError(
                f"run `{view.id}` was {earlier.sentence()} (at {to_the_second(at)}) already",
                hint="`runbook status` shows where it stands",
            )
        no_go = StopRequested(reason=reason.strip(), by=by)
        ledger.append(no_go, run=view.id)
        led = view.state is RunState.RUNNING
        unsent = [
            job for job in view.jobs if job.state in SENDABLE and job.state is not JobState.REFUSED
        ]
        if not led:
            # Nobody leads the run, so nobody else will say it of each job.
            for job in unsent:
                detail = no_go.sentence()
                ledger.append(
                    JobNotAttempted(why="stopped", detail=detail), run=view.id, job=job.id
                )
    out = sum(job.state in AT_ATLASSIAN for job in view.jobs)
    say(f"run {view.id} is stopped: {plural(len(unsent), 'job')} will not be submitted")
    if led:
        say("  the process that leads it notices within seconds, and before each submission")
    if out:
        say(f"  {plural(out, 'job')} at Atlassian cannot be cancelled and goes on there")
    say('  only `runbook run PLAN --again --reason "…"` goes on with it')
