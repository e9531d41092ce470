"""`runbook resolve`: a person's word on an outcome that cannot be known, or on a job sent elsewhere."""

import click

from runbook.cli.console import say
from runbook.cli.options import ledger_option, operator_option, run_argument, with_options
from runbook.operations.decide import ResolveOptions, resolve_job
from runbook.operations.root import Root

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
