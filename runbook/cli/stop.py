"""`runbook stop`: the formal no-go, also from another terminal."""

import click

from runbook.cli.console import say
from runbook.cli.options import ledger_option, operator_option, run_argument, with_options
from runbook.operations.decide import StopOptions, stop_run
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
