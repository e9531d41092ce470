"""`runbook check`: every finding of one or more plans, what is left to do, and how much time is left."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from runbook.cli.options import format_option, ledger_option, network_options
from runbook.errors import ExitCode
from runbook.findings import counts, may_run
from runbook.operations.check_plan import Examined, examined_plan, planned_moment
from runbook.operations.root import Root


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
@click.pass_context
def check(
    ctx: click.Context,
    plans: tuple[Path, ...],
    at: str | None,
    online: bool,
    strict: bool,
    output_format: str,
    ledger_file: Path | None,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """Check each PLAN and list every finding, in file order.

    Exit code 3 means that at least one plan may not run.
    """
    root: Root = ctx.obj
    moment = planned_moment(at)
    examined = [
        examined_plan(
            root,
            path,
            at=moment,
            ledger=ledger_file,
            online=online,
            endpoint=endpoint,
            ca_bundle=ca_bundle,
        )
        for path in plans
    ]
    if output_format == "json":
        from runbook.cli.console import show_json

        show_json({"format": 1, "plans": [plan_json(one) for one in examined]})
    else:
        _show_text(examined, moment)
    passed = all(_passes(one, strict=strict) for one in examined)
    ctx.exit(int(ExitCode.DONE if passed else ExitCode.PLAN))


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
        "findings": [one.as_json() for one in examined.findings],
    }


def _show_text(examined: list[Examined], at: datetime | None) -> None:
    from runbook.cli.check_text import PRESENT, closing_text, finding_text
    from runbook.cli.console import show

    for one in examined:
        for finding in one.findings:
            show(finding_text(finding, one.loaded.source) + "\n")
        plan = one.loaded.plan
        if one.facts is not None and one.facts.online is not None and plan is not None:
            from runbook.checks.online import online_lines

            show("asked online:")
            for line in online_lines(plan, one.facts.online):
                show(f"  {line}")
            show("")
        said = "--at" if at else "cutover" if plan and plan.cutover else PRESENT
        show(closing_text(one, at_said=said))
        if one is not examined[-1]:
            show("")
