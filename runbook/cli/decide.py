"""`runbook stop`, `runbook resolve` and `runbook approve`: what a person decides, for the ledger."""

import json

import click

from runbook.cli.console import say
from runbook.cli.options import (
    format_option,
    ledger_option,
    operator_option,
    path_option,
    plan_argument,
    run_argument,
    with_options,
)
from runbook.clock import isoformat_utc
from runbook.operations.decide import (
    ApproveOptions,
    ResolveOptions,
    StopOptions,
    approve_plan,
    resolve_job,
    stop_run,
)
from runbook.operations.root import Root
from runbook.text import plural, printable


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
        say("  the process that carries it out notices within seconds, and before each submission")
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
    """Decide what happened to JOB of RUN; the next `run` acts on it."""
    resolved = resolve_job(root, options)
    words = resolved.resolution.replace("_", " ")
    say(f"{options.job}: {words}, by the word of {resolved.by}")
    say(f"  {_CONSEQUENCES[resolved.resolution]} `runbook run PLAN`")


@click.command()
@plan_argument
@click.option("--by", required=True, metavar="NAME", help="Who approves.")
@path_option(
    "--evidence", help="A file that shows it (a signed sheet, a mail), kept by name and SHA-256."
)
@ledger_option
@operator_option
@format_option("text", "json")
@with_options(ApproveOptions)
def approve(root: Root, options: ApproveOptions) -> None:
    """Bind a person's approval to what PLAN will send.

    The approval covers the ordered list of requests (`jobs_digest`). Checklist entries, dates of
    waves, waivers and evidence may still be filled in afterwards; a changed request needs a new one.
    """
    approval = approve_plan(root, options)
    event = approval.event
    if options.output_format == "json":
        click.echo(json.dumps(approval.as_json(), indent=2, ensure_ascii=False))
    else:
        click.echo(event.jobs_digest)
    say(
        f"approved by {event.by}: the {plural(approval.jobs, 'job')} of `{event.plan_name}`, recorded in `{approval.ledger}`"
    )
    for at, earlier in approval.earlier:
        say(f"approved before, too: by {printable(earlier.by)} at {isoformat_utc(at)}")
    if event.evidence is not None:
        say(
            f"evidence `{printable(event.evidence['path'])}` has SHA-256 {event.evidence['sha256']}"
        )
    say(f"to run only this: `runbook run {options.plan} --digest {event.jobs_digest}`")
