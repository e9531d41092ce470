"""`runbook runs`: all runs of the ledger."""

from collections.abc import Iterator
from pathlib import Path

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.options import format_option, ledger_option
from runbook.operations.find_run import read_runs
from runbook.operations.root import Root
from runbook.text import added_up, aligned, moment, plural, printable, zone_of
from runbook.view import RunView


@click.command("runs")
@format_option("text", "json")
@ledger_option
@click.pass_obj
def runs(root: Root, output_format: str, ledger_file: Path | None) -> None:
    """List all runs of the ledger, oldest first."""
    path = root.ledger_path(ledger_file)
    views = read_runs(root, path)
    if output_format == "json":
        show_json(runs_json(views))
        return
    if views:
        show(aligned(_rows(views)))
    say(f"{plural(len(views), 'run')} in `{printable(str(path))}`")


def runs_json(views: tuple[RunView, ...]) -> dict[str, object]:
    """Return the runs as `runs --format json` prints them: each as in `status`, without its jobs."""
    return {
        "format": 1,
        "runs": [
            {
                **view.as_json()["run"],
                "rehearsal": view.started.rehearsal,
                "counts": view.counts(),
            }
            for view in views
        ],
    }


def _rows(views: tuple[RunView, ...]) -> Iterator[tuple[str, ...]]:
    yield "run", "plan", "state", "verification", "started", "by", "jobs"
    for view in views:
        zone = zone_of(view.started.zone_minutes)
        yield (
            printable(view.id),
            printable(view.started.plan_name) + (" (REHEARSAL)" if view.started.rehearsal else ""),
            view.state.value,
            printable(view.verification),
            moment(view.started_at, zone),
            printable(view.operator),
            added_up(view.counts()),
        )
