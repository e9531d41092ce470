"""`runbook preview`: exactly what would be sent, in order, without touching the network."""

from pathlib import Path

import click

from runbook.checks.checked_plan import CheckedPlan
from runbook.cli.console import say, show, show_json
from runbook.cli.options import format_option, ledger_option, path_option, plan_argument
from runbook.operations.check_plan import checked_plan, expected_links, planned_moment
from runbook.operations.credentials import variable_names
from runbook.operations.root import Root
from runbook.preview import Expected, preview_curl, preview_json, preview_text
from runbook.report import planned_page


@click.command("preview")
@plan_argument
@format_option("text", "json", "curl", "html")
@click.option("--at", metavar="TIME", help="The planned moment, with its offset; else `cutover`.")
@path_option(
    "--links",
    "links_file",
    metavar="CSV",
    help="Issue links of the Data Center, to say how many each job is expected to recreate; default the plan's `expected`.",
)
@ledger_option
@click.pass_obj
def preview(
    root: Root,
    plan: Path,
    output_format: str,
    at: str | None,
    links_file: Path | None,
    ledger_file: Path | None,
) -> None:
    """Show exactly what PLAN would send: requests in order, windows, rounds, what is not known.

    Touches no network and sends nothing.
    """
    moment = planned_moment(at)
    checked = checked_plan(root, plan, at=moment, ledger=ledger_file)
    if output_format == "html":
        show(planned_page(checked.plan, checked.findings, checked.facts.at))
        return
    show_preview(checked, output_format, expected_links(checked, links_file))


def show_preview(checked: CheckedPlan, output_format: str, expected: Expected | None) -> None:
    """Print the dry run of a plan that was read and checked: `text`, `json` or `curl`."""
    plan, moment, use_planned = checked.plan, checked.facts.at, not checked.facts.running
    match output_format:
        case "json":
            show_json(preview_json(plan, moment, expected, use_planned=use_planned))
        case "curl":
            show(preview_curl(plan, variable_names).rstrip("\n"))
        case _:
            show(preview_text(plan, moment, expected, use_planned=use_planned))
    if not checked.may_run:
        say("\nthis plan may not run yet: `runbook check` lists what is left to do")
