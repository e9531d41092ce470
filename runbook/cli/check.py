"""`runbook check`: every finding of one or more plans, what is left to do, and how much time is left."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from runbook.cli.console import show, show_json
from runbook.cli.options import format_option, ledger_option, network_options, with_options
from runbook.errors import ExitCode
from runbook.findings import counts, may_run
from runbook.operations.check_plan import Examined, examined_plan, planned_moment
from runbook.operations.root import Root


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """Which plans are checked, at which moment, and whether the sites are asked."""

    plans: tuple[Path, ...]
    at: str | None
    online: bool
    strict: bool
    output_format: str
    ledger_file: Path | None
    endpoint: str | None
    ca_bundle: Path | None


@click.command("check")
@click.argument(
    "plans", metavar="PLAN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--at", metavar="TIME", help="The planned moment, with its offset; overrides `cutover`."
)
@click.option("--online", is_flag=True, help="Ask the sites, too (reads only).")
@click.option("--strict", is_flag=True, help="Let warnings fail.")
@format_option("text", "json")
@ledger_option
@network_options
@with_options(CheckOptions)
def check(root: Root, options: CheckOptions) -> ExitCode:
    """Check each PLAN and list every finding, in file order.

    Exit code 3 means that at least one plan may not run.
    """
    moment = planned_moment(options.at)
    examined = [
        examined_plan(
            root,
            path,
            at=moment,
            ledger=options.ledger_file,
            online=options.online,
            endpoint=options.endpoint,
            ca_bundle=options.ca_bundle,
        )
        for path in options.plans
    ]
    if options.output_format == "json":
        show_json({"format": 1, "plans": [plan_json(plan) for plan in examined]})
    else:
        _show_text(examined, moment)
    passed = all(_passes(plan, strict=options.strict) for plan in examined)
    return ExitCode.DONE if passed else ExitCode.PLAN


def _passes(examined: Examined, *, strict: bool) -> bool:
    if not may_run(examined.findings):
        return False
    return not (strict and counts(examined.findings)["warning"])


def plan_json(examined: Examined) -> dict[str, Any]:
    """Return one plan as `check --format json` lists it; name and digest are null where unreadable."""
    plan = examined.loaded.plan
    return {
        "file": examined.loaded.file,
        "name": None if plan is None else plan.name or None,
        "digest": None if plan is None else plan.digest,
        "instances": 0 if plan is None else len(plan.instances),
        "may_run": may_run(examined.findings),
        "counts": counts(examined.findings),
        "findings": [finding.as_json() for finding in examined.findings],
    }


def _show_text(examined: list[Examined], at: datetime | None) -> None:
    from runbook.cli.check_text import PRESENT, closing_text, finding_text

    for judged in examined:
        for finding in judged.findings:
            show(finding_text(finding, judged.loaded.source) + "\n")
        plan, facts = judged.loaded.plan, judged.facts
        if plan is not None and facts is not None and facts.online is not None:
            from runbook.checks.online import online_lines

            show("asked online:")
            for line in online_lines(plan, facts.online):
                show(f"  {line}")
            show("")
        said = "--at" if at else "cutover" if plan and plan.cutover else PRESENT
        show(closing_text(judged, at_said=said))
        if judged is not examined[-1]:
            show("")
