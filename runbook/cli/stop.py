"""`runbook stop`: the formal no-go, also from another terminal."""

import click

from runbook.cli.console import say
from runbook.cli.options import ledger_option, operator_option, run_argument, with_options
from runbook.operations.decide import ResolveOptions, StopOptions, resolve_job, stop_run
from runbook.operations.root import Root
from runbook.text import plural


@click.command("stop")
@run_argument
@click.option(
    "--reason", default="", metavar="TEXT", help="Why; kept in the ledger and the report."
)
@operator_option
@ledger_option
@with_options(StopOptions)
def stop(root: Root, options: StopOptions) -> None:
    """Declare the no-go for RUN: nothing more is submitted; what is at Atlassian goes on there."""
    stopped = stop_run(root, options)
    say(f"run {stopped.run} is stopped: {plural(stopped.unsent, 'job')} will not be submitted")
    if stopped.in_use:
        say("  the process that leads it notices within seconds, and before each submission")
    if stopped.at_atlassian:
        at_atlassian = plural(stopped.at_atlassian, "job")
        say(f"  {at_atlassian} at Atlassian cannot be cancelled and goes on there")
    say('  only `runbook run PLAN --again --reason "…"` goes on with it')


_CONSEQUENCES = {
    "accepted": "it is polled at the next",
    "accepted_no_id": "it is never polled; `runbook verify` tells whether its links came. Go on with",
    "send_again": "it is sent once more at the next",
}


@click.command("resolve")
@run_argument
@click.argument("job", metavar="JOB")
@click.option("--accepted", "uuid", metavar="UUID", help="Atlassian accepted it under this job id.")
@click.option("--accepted-no-id", is_flag=True, help="It was accepted; its id is not known.")
@click.option("--send-again", is_flag=True, help="Send it again at the next `run`.")
@click.option("--by", metavar="NAME", help="Whose word it is; default the operator.")
@click.option("--note", default="", metavar="TEXT", help="How they know; kept in the ledger.")
@operator_option
@ledger_option
@with_options(ResolveOptions)
def resolve(root: Root, options: ResolveOptions) -> None:
    """Record a person's word on JOB of RUN; the next `run` acts on it."""
    resolved = resolve_job(root, options)
    words = resolved.resolution.replace("_", " ")
    say(f"{options.job}: {words}, by the word of {resolved.by}")
    say(f"  {_CONSEQUENCES[resolved.resolution]} `runbook run PLAN`")
