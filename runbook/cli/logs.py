"""`runbook logs import` and `runbook logs fetch`: keep Atlassian's own logs in the ledger."""

from pathlib import Path
from typing import Any

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    run_argument,
    with_options,
)
from runbook.operations.keep_logs import (
    KINDS,
    FetchOptions,
    ImportOptions,
    KeptLog,
    fetch_and_keep,
    import_log,
    mapping_of,
    totals,
)
from runbook.operations.root import Root
from runbook.text import aligned, plural, printable


@click.group()
def logs() -> None:
    """Keep Atlassian's own logs in the ledger: raw bytes, hash, and which job each row belongs to.

    Atlassian keeps the audit log of a product for 29 days.
    """


@logs.command("import")
@run_argument
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--kind", required=True, type=click.Choice(KINDS), help="Which of the two logs it is."
)
@click.option("--site", required=True, metavar="URL", help="The site it was downloaded for.")
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="ROLE=COLUMN",
    callback=lambda _ctx, _parameter, given: mapping_of(given),
    help="Name the column of a role (issue, old, new, status, type, at) where its name does not tell.",
)
@format_option("text", "json")
@ledger_option
@with_options(ImportOptions)
def import_(root: Root, options: ImportOptions) -> None:
    """Keep FILE, a log that was downloaded by hand, with RUN.

    CSV with any delimiter and JSON are read, in UTF-8 or UTF-16, also zipped or gzipped.
    """
    _show(import_log(root, options), options.output_format)


@logs.command()
@run_argument
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(KINDS),
    help="Which of the two logs; default those the plan has an address for.",
)
@click.option("--site", "sites", multiple=True, metavar="URL", help="Only this site.")
@format_option("text", "json")
@ledger_option
@network_options
@with_options(FetchOptions)
def fetch(root: Root, options: FetchOptions) -> None:
    """Download the logs of RUN from the addresses that its plan gives in `logs`.

    Without an address nothing is guessed: download by hand and use `runbook logs import`.
    """
    _show(fetch_and_keep(root, options, say), options.output_format)


def _show(kept: list[KeptLog], output_format: str) -> None:
    last = kept[-1].view
    if output_format == "json":
        show_json(
            {
                "format": 1,
                "run": last.id,
                "logs": [_log_json(log) for log in kept],
                "totals": totals(last),
            }
        )
        return
    for log in kept:
        _show_log(log)
    shown = [
        [
            printable(job["id"]),
            str(job["log_rows"]),
            "not verified" if job["recreated"] is None else str(job["recreated"]),
            "" if job["expected"] is None else str(job["expected"]),
        ]
        for job in totals(last)
    ]
    show(aligned([["job", "audit log rows", "recreated", "expected"], *shown]))


def _log_json(kept: KeptLog) -> dict[str, Any]:
    event = kept.event
    return {
        "kind": event.log,
        "site": event.site,
        "source": event.source,
        "sha256": event.sha256,
        "bytes": event.raw_bytes,
        "rows": event.rows,
        "columns": event.columns,
        "attribution": event.attribution,
        "notes": event.notes,
        "already_kept": kept.known,
    }


def _show_log(kept: KeptLog) -> None:
    event = kept.event
    what = f"{event.log} log of {printable(event.site)}"
    if kept.known:
        say(f"this {what} is in the ledger already; nothing was written")
    else:
        say(f"kept the {what}: {plural(event.rows, 'row')}, SHA-256 {event.sha256}")
    for note in event.notes:
        say(f"note: {printable(note)}")
    named = ", ".join(f"{role} = `{printable(name)}`" for role, name in event.columns.items())
    say(f"columns: {named or 'none recognised; name them with --map ROLE=COLUMN'}")
    counts = event.attribution
    parts = [f"{count} {printable(job)}" for job, count in counts["jobs"].items() if count]
    parts += [f"{counts['seen_before']} seen in an earlier log"] if counts["seen_before"] else []
    parts += [f"{n} unattributed ({why})" for why, n in counts["because"].items()]
    say(f"rows: {event.rows}{' = ' + ' + '.join(parts) if parts else ''}")
