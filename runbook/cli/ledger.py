"""`runbook ledger verify` and `runbook ledger export`: the hash chain, and all events as NDJSON."""

from pathlib import Path

import click

from runbook.cli.console import say, show, show_json, show_utf8
from runbook.cli.options import format_option, ledger_option
from runbook.errors import ExitCode
from runbook.ledger.store import Damage, export_line
from runbook.operations.root import Root
from runbook.text import plural, printable


@click.group("ledger")
def ledger() -> None:
    """Verify or export the ledger; neither writes to it."""


@ledger.command("verify", short_help="Check the hash chain, row by row.")
@format_option("text", "json")
@ledger_option
@click.pass_context
def verify(ctx: click.Context, output_format: str, ledger_file: Path | None) -> None:
    """Check the hash chain and name every row that was changed, removed, inserted or moved."""
    root: Root = ctx.obj
    path = root.ledger_path(ledger_file)
    with root.open_ledger(path) as opened:
        damages = tuple(opened.damages())
        rows, head = opened.head()
    if output_format == "json":
        show_json(
            {
                "format": 1,
                "whole": not damages,
                "rows": rows,
                "head": head,
                "damages": [{"seq": damage.seq, "problem": damage.problem} for damage in damages],
            }
        )
    else:
        for damage in damages:
            show(f"{f'row {damage.seq}' if damage.seq else 'table'}: {printable(damage.problem)}")
        show(f"rows: {rows}\nhead: {head}")
        say(_verdict(damages))
    ctx.exit(ExitCode.LEDGER if damages else ExitCode.DONE)


def _verdict(damages: tuple[Damage, ...]) -> str:
    if damages:
        return (
            f"error: the ledger was altered: {plural(len(damages), 'place')}\n\n"
            "hint: keep the file as it is and take the last good copy"
        )
    return (
        "the chain is whole: no row was changed, removed, inserted or moved\n"
        "this proves nothing against somebody who wrote the whole chain anew: compare the head with one noted elsewhere (report, bundle)"
    )


@ledger.command("export", short_help="Print all events as NDJSON.")
@ledger_option
@click.pass_obj
def export(root: Root, ledger_file: Path | None) -> None:
    """Print all events as NDJSON, one object per row, oldest first; the chain is checked before."""
    with root.open_ledger(root.ledger_path(ledger_file)) as opened:
        for _ in opened.events():
            pass
        for row in opened.rows():
            show_utf8(export_line(row))
