"""`runbook explain`: why a check matters, and how to fix what it finds."""

from pathlib import Path

import click

from runbook.errors import UsageError


@click.command("explain")
@click.argument("code", metavar="CODE", required=False)
def explain(code: str | None) -> None:
    """Print the documentation of CODE, such as RB301; without CODE, list all of them."""
    from runbook.checks.catalog import sections
    from runbook.checks.codes import CODES
    from runbook.cli.console import show

    if code is None:
        rows = (f"{name}  {severity.value:<7}  {what}" for name, (severity, what) in CODES.items())
        show("\n".join(rows))
        return
    wanted = code.strip().upper()
    if wanted.isdigit():
        wanted = f"RB{wanted}"
    section = sections().get(wanted)
    if section is None:
        from difflib import get_close_matches

        near = get_close_matches(wanted, CODES, n=1)
        meant = f", did you mean `{near[0]}`?" if near else ""
        raise UsageError(
            f"there is no check `{code}`{meant}", hint="`runbook explain` lists all of them"
        )
    show(section)


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
