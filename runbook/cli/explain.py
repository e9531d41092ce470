"""`runbook explain`: why a check matters, and how to fix what it finds."""

import click

from runbook.errors import UsageError


@click.command("explain")
@click.argument("code", metavar="CODE", required=False)
def explain(code: str | None) -> None:
    """Print the documentation of CODE, such as RB301; without CODE, list all of them."""
    from runbook.checks.codes import CODES, sections
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
