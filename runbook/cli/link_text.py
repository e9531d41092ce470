"""What `verify`, `repair` and `rollback` show and ask alike."""

from collections.abc import Callable

import click

from runbook.cli.console import say
from runbook.errors import UsageError
from runbook.operations.root import Root
from runbook.remotelinks.staging import Stage
from runbook.text import plural, printable, shortened

BAD_ROWS_SHOWN = 20


def say_bad_rows(stage: Stage) -> None:
    """Say which rows of the expected links were not taken, with line and reason."""
    for row in stage.bad[:BAD_ROWS_SHOWN]:
        say(f"warning: expected links, {printable(str(row))}")
    more = stage.bad_count - min(len(stage.bad), BAD_ROWS_SHOWN)
    if more:
        say(f"warning: … and {plural(more, 'more row')} that cannot be read")


def confirmed(root: Root, question: str, *, yes: bool) -> None:
    """Ask before something is written.

    Raises:
        UsageError: nobody can be asked, and `--yes` was not given.
        click.Abort: the person said no.
    """
    if yes:
        return
    if not root.interactive:
        raise UsageError(
            "this writes to the sites, and nobody can be asked",
            hint="add `--yes`, or look first with `--dry-run`",
        )
    click.confirm(question, abort=True, err=True)


def next_round(count: int, plan_file: str) -> str:
    """Return what to do about missing links that the next round of the run can still serve."""
    plan = printable(plan_file) or "PLAN"
    return (
        f"{plural(count, 'link')} for the next round: `runbook run {plan} --again --reason …`, "
        "once every wave is in and has its `finished` in the plan"
    )


def host_of(url: str) -> str:
    """Return the host of an address, for tables."""
    return printable(url.partition("://")[2] or url)


def listed_line(action: str, link: dict[str, object]) -> str:
    """Return one planned or left link as a line."""
    issue, target = printable(str(link["issue"])), printable(str(link["target"] or "?"))
    number = "" if link.get("link_id") is None else f" (link {printable(str(link['link_id']))})"
    return f"{action:8} {issue} on {host_of(str(link['site']))} -> {target}{number}"


def progress_line() -> Callable[[object, str, str], None]:
    """Return a listener that says every refusal at once, and how far it is every 100 writes."""
    seen = 0

    def listen(order: object, result: str, detail: str) -> None:
        nonlocal seen
        seen += 1
        if result in ("refused", "unknown"):
            issue = printable(str(getattr(order, "issue", "")))
            say(f"{result}: {issue}: {shortened(detail, 300)}")
        elif seen % 100 == 0:
            say(f"{seen} links done")

    return listen
