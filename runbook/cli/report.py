"""`runbook report`: one run of the ledger as a file for people, or as JSON for programs."""

import json
from pathlib import Path

import click

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.cli.options import format_option, ledger_option, run_argument
from runbook.errors import UsageError
from runbook.operations.find_run import find_run, read_runs
from runbook.operations.root import Root
from runbook.operations.write_report import read_logo
from runbook.report.build import build
from runbook.report.data import report_json
from runbook.report.render import render

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
@click.pass_obj
def report(
    root: Root,
    run: str,
    output: str,
    output_format: str,
    lang: str,
    logo: Path | None,
    ledger_file: Path | None,
) -> None:
    """Write the report of RUN: an id, a unique beginning of one, or `latest`.

    The same ledger gives the same file, byte for byte. Nothing is written to the ledger.
    """
    if logo is not None and output_format == "json":
        raise UsageError("JSON has no logo", hint="leave out `--logo`, or use `--format html`")
    picture = None if logo is None else read_logo(logo)
    view = find_run(read_runs(root, root.ledger_path(ledger_file)), run)
    if output_format == "json":
        text = json.dumps(report_json(view), ensure_ascii=True, indent=2) + "\n"
    else:
        text = render(build(view, lang=lang, logo=picture))
    if output == STDOUT:
        click.echo(text.encode(), nl=False)
        return

    write_atomically(Path(output), text, mode=PRIVATE)
    click.echo(f"wrote `{output}`: run `{view.id}`, {view.state.value}", err=True)
