"""`runbook init`: a full mesh plan to start from, every field explained."""

from pathlib import Path

import click

from runbook.atomic_file import write_atomically
from runbook.calendar_file import calendar_of, events_of
from runbook.cli.console import say, show
from runbook.cli.options import path_option, plan_argument
from runbook.errors import UsageError
from runbook.operations.init_plan import new_plan
from runbook.operations.root import read_plan_for
from runbook.text import plural


class TakesSites(click.Command):
    """A command whose `--site` takes any number of addresses: `--site A B`, or once for each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite `--site A B` as `--site A --site B`."""
        spread: list[str] = []
        of_sites = False
        for word in args:
            if word == "--site":
                of_sites = True
                continue
            if word.startswith("-"):
                of_sites = False
            spread += ["--site", word] if of_sites else [word]
        return super().parse_args(ctx, spread)


@click.command("init", cls=TakesSites)
@click.option(
    "--site",
    "sites",
    multiple=True,
    required=True,
    metavar="URL ...",
    help="A cloud site that takes part; at least two.",
)
@click.option(
    "--migrated-from",
    required=True,
    metavar="URL",
    help="The base URL of the Data Center that was split.",
)
@click.option("--name", default="split", show_default=True, help="What the plan is called.")
@path_option("-o", "--output", help="Write it to a file instead of stdout.", dir_okay=False)
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
def init(
    sites: tuple[str, ...], migrated_from: str, name: str, output: Path | None, force: bool
) -> None:
    """Write a plan with one job for each direction of each pair of sites.

    Every field is explained. The checklist is open and the migration dates are missing:
    `runbook check` lists both.
    """
    text = new_plan(name, sites, migrated_from)
    if output is None:
        click.echo(text, nl=False)
        return
    replaces = output.exists()
    if replaces and not force:
        raise UsageError(
            f"`{output}` is there already, and nothing was written",
            hint="name another file, or replace it with `--force`",
        )

    write_atomically(output, text)
    say(f"{'replaced' if replaces else 'wrote'} `{output}`")
    say(f"next: fill in the migrations, then `runbook check {output}`")


@click.command("schema")
@path_option("-o", "--output", help="Write it to a file instead of stdout.", dir_okay=False)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of the plan, so that editors complete and check plans.

    A plan names it in its first line: # yaml-language-server: $schema=plan.schema.json
    """
    import json

    from runbook.plan.schema import plan_schema

    text = json.dumps(plan_schema(), indent=2)
    if output is None:
        show(text)
        return
    from runbook.atomic_file import write_atomically

    write_atomically(output, text + "\n")
    say(f"wrote `{output}`")


@click.command()
@plan_argument
@path_option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.ics",
    help="Where to write it; `-` for stdout.",
    allow_dash=True,
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
        say(f"{plural(len(events_of(read)), 'event')} written to `{output}`")
    if read.cutover is None:
        say(
            "the plan has no `cutover`, so there is neither its event nor the 29-day evidence deadline"
        )
