"""`runbook report`: one run of the ledger as a file for people, or as JSON for programs."""

from pathlib import Path

import click

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.cli.options import format_option, ledger_option, run_argument, with_options
from runbook.operations.root import Root
from runbook.operations.write_report import ReportOptions, report_of

STDOUT = "-"


@click.command("report")
@run_argument
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The file to write; it is replaced whole or not at all. `-` prints it.",
)
@format_option("html", "json")
@click.option(
    "--lang",
    type=click.Choice(("en", "de")),
    default="en",
    show_default=True,
    help="The language of the fixed texts.",
)
@click.option(
    "--logo",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A PNG, JPEG or SVG picture for the head of the report.",
)
@ledger_option
@with_options(ReportOptions)
def report(root: Root, options: ReportOptions) -> None:
    """Write the report of RUN: an id, a unique beginning of one, or `latest`.

    The same ledger gives the same file, byte for byte. Nothing is written to the ledger.
    """
    view, text = report_of(root, options)
    if options.output == STDOUT:
        click.echo(text.encode(), nl=False)
        return
    write_atomically(Path(options.output), text, mode=PRIVATE)
    click.echo(f"wrote `{options.output}`: run `{view.id}`, {view.state.value}", err=True)
