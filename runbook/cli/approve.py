"""`runbook approve`: bind a person, and evidence, to exactly what will be sent."""

import json

import click

from runbook.cli.console import say
from runbook.cli.options import (
    format_option,
    ledger_option,
    operator_option,
    path_option,
    plan_argument,
    with_options,
)
from runbook.clock import isoformat_utc
from runbook.operations.decide import ApproveOptions, approve_plan
from runbook.operations.root import Root
from runbook.text import plural, printable


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
