"""`runbook approve`: bind a person, and evidence, to exactly what will be sent."""

import json
from pathlib import Path
from typing import Any

import click

from runbook.cli.options import format_option, ledger_option, operator_option, plan_argument
from runbook.errors import PlanError, UsageError
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.approvals import approvals_for
from runbook.ledger.handover_events import ApprovalGiven
from runbook.operations.evidence import evidence_name, read_evidence
from runbook.operations.root import Root, read_plan_for
from runbook.text import plural, printable


@click.command()
@plan_argument
@click.option("--by", required=True, metavar="NAME", help="Who approves.")
@click.option(
    "--evidence",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file that shows it (a signed sheet, a mail), kept by name and SHA-256.",
)
@ledger_option
@operator_option
@format_option("text", "json")
@click.pass_obj
def approve(
    root: Root,
    plan: Path,
    by: str,
    evidence: Path | None,
    ledger_file: Path | None,
    operator: str | None,
    output_format: str,
) -> None:
    """Bind a person's approval to what PLAN will send.

    The approval covers the ordered list of requests (`jobs_digest`). Checklist entries, dates of
    waves, waivers and evidence may still be filled in afterwards; a changed request needs a new one.
    """
    by = " ".join(printable(by).split())
    if not by:
        raise UsageError("`--by` is empty", hint="name the person who approves")
    read = read_plan_for(plan)
    jobs = jobs_of(read)
    if not jobs:
        raise PlanError(
            f"`{plan}` sends nothing, so there is nothing to approve", hint="add `instances`"
        )
    digest = jobs_digest(jobs)
    file = None if evidence is None else _approval_file(plan, evidence)
    with root.create_ledger(root.ledger_path(ledger_file, plan)) as ledger:
        earlier = approvals_for(ledger.events(), digest)
        row = ledger.append(
            ApprovalGiven(
                plan_name=read.name,
                digest=read.digest,
                jobs_digest=digest,
                by=by,
                evidence=file,
                operator=root.operator(operator),
            )
        )
        where = ledger.path
    if output_format == "json":
        document = {
            "format": 1,
            "plan": {"name": read.name, "digest": read.digest, "jobs_digest": digest},
            "jobs": len(jobs),
            "by": by,
            "at": row.at,
            "evidence": file,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(digest)
    click.echo(
        f"approved by {by}: the {plural(len(jobs), 'job')} of `{read.name}`, recorded in `{where}`",
        err=True,
    )
    for at, one in earlier:
        click.echo(f"approved before, too: by {printable(one.by)} at {at}", err=True)
    if file is not None:
        click.echo(f"evidence `{printable(file['path'])}` has SHA-256 {file['sha256']}", err=True)
    click.echo(f"to run only this: `runbook run {plan} --digest {digest}`", err=True)


def _approval_file(plan: Path, given: Path) -> dict[str, Any]:
    name = evidence_name(plan, given, such_as="the signed sheet or the mail that approves")
    return read_evidence(plan, name)
