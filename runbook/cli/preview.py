"""`runbook preview`: exactly what would be sent, in order, without touching the network."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.operations.console import say, show, show_json
from runbook.cli.options import format_option, ledger_option, plan_argument
from runbook.operations.root import Root

if TYPE_CHECKING:
    from runbook.operations.check_plan import Planned
    from runbook.preview import Expected


@click.command("preview")
@plan_argument
@format_option("text", "json", "curl", "html")
@click.option("--at", metavar="TIME", help="The planned moment, with its offset; else `cutover`.")
@click.option(
    "--links",
    "links_file",
    type=click.Path(path_type=Path),
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
    from runbook.operations.check_plan import planned, planned_moment

    judged = planned(root, plan, at=planned_moment(at), ledger=ledger_file)
    if output_format == "html":
        show(preview_html(judged))
        return
    show_preview(judged, output_format, expected_links(judged, links_file))


def show_preview(judged: "Planned", output_format: str, expected: "Expected | None") -> None:
    """Print the dry run of a plan that was read and checked: `text`, `json` or `curl`."""
    from runbook.operations.credentials import variable_names
    from runbook.findings import may_run
    from runbook.preview import preview_curl, preview_json, preview_text

    moment, use_planned = judged.facts.at, not judged.facts.running
    match output_format:
        case "json":
            show_json(preview_json(judged.plan, moment, expected, use_planned=use_planned))
        case "curl":
            show(preview_curl(judged.plan, variable_names).rstrip("\n"))
        case _:
            show(preview_text(judged.plan, moment, expected, use_planned=use_planned))
    if not may_run(judged.findings):
        say("\nthis plan may not run yet: `runbook check` lists what is left to do")


def expected_links(judged: "Planned", links_file: Path | None) -> "Expected | None":
    """Return how many links each job and pair of waves is expected to recreate.

    The links are those of `--links`, else of the plan's `expected` where that file is there; None
    without either.

    Raises:
        UsageError: the CSV cannot be read.
    """
    if links_file is None and judged.plan.expected is not None:
        beside = Path(judged.plan.file).parent / judged.plan.expected
        links_file = beside if beside.is_file() else None
    if links_file is None:
        return None
    from runbook.remotelinks.expected import read_expected
    from runbook.remotelinks.mapping import expected_counts

    return expected_counts(judged.plan, read_expected(links_file))


def preview_html(judged: "Planned") -> str:
    """Return the report's page with every job planned."""
    from runbook.report import planned_page

    return planned_page(judged.plan, judged.findings, judged.facts.at)
