"""`runbook calendar`: the plan's deadlines for everybody's calendar."""

from pathlib import Path

import click

from runbook.atomic_file import write_atomically
from runbook.calendar_file import calendar_of, events_of
from runbook.cli.options import plan_argument
from runbook.operations.root import read_plan_for
from runbook.text import plural


@click.command()
@plan_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE.ics",
    help="Where to write it; `-` for stdout.",
)
def calendar(plan: Path, output: Path) -> None:
    """Write window openings, safe and final closings, cutover and deadlines as a calendar file.

    Importing a newer file updates the events of the older one.
    """
    read = read_plan_for(plan)
    data = calendar_of(read)
    if str(output) == "-":
        click.echo(data, nl=False)
    else:
        write_atomically(output, data)
        click.echo(f"{plural(len(events_of(read)), 'event')} written to `{output}`", err=True)
    if read.cutover is None:
        click.echo(
            "the plan has no `cutover`, so there is neither its event nor the 29-day evidence deadline",
            err=True,
        )
