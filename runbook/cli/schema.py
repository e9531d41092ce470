"""`runbook schema`: the JSON Schema of a plan, for editors."""

from pathlib import Path

import click


@click.command("schema")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to a file instead of stdout.",
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of the plan, so that editors complete and check plans.

    A plan names it in its first line: # yaml-language-server: $schema=plan.schema.json
    """
    import json

    from runbook.plan.schema import plan_schema

    text = json.dumps(plan_schema(), indent=2)
    if output is None:
        from runbook.cli.console import show

        show(text)
        return
    from runbook.atomic_file import write_atomically

    write_atomically(output, text + "\n")
    click.echo(f"wrote `{output}`", err=True)
