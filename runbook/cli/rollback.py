"""`rollback`: take back the links that are ours."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    operator_option,
    run_argument,
    yes_option,
)
from runbook.cli.wiring import Root

if TYPE_CHECKING:
    from runbook.errors import ExitCode
    from runbook.remotelinks.rollback import TakeBack
    from runbook.remotelinks.writes import WriteList


@click.command("rollback")
@run_argument
@click.option(
    "--before",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The snapshot from before the run.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be taken back, and write nothing.")
@yes_option
@operator_option
@format_option("text", "json")
@ledger_option
@network_options
@click.pass_context
def rollback(
    ctx: click.Context,
    run: str,
    before: Path,
    dry_run: bool,
    yes: bool,
    operator: str | None,
    output_format: str,
    ledger_file: Path | None,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """Remove the links of RUN that are ours, and restore those we changed.

    Ours is what `repair` wrote, and what `verify` recorded as new. Everything else is left and listed.
    """
    root: Root = ctx.obj
    from runbook.cli.console import say
    from runbook.cli.linkwork import (
        accounts_of,
        confirmed,
        outcome_code,
        plan_of,
        ports_of,
        progress_line,
        scratch,
    )
    from runbook.cli.runs_lookup import find_run, runs_in
    from runbook.errors import ExitCode, foremost
    from runbook.remotelinks.rollback import NOT_UNDONE
    from runbook.remotelinks.snapshot_file import open_snapshot
    from runbook.remotelinks.steps import list_rollback
    from runbook.text import added_up, plural

    path = root.ledger_path(ledger_file)
    with root.open_ledger(path, read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), run)
        plan = plan_of(view)
        open_snapshot(before).close()
        root.endpoint(endpoint)
        for sentence in NOT_UNDONE:
            say(f"note: {sentence}")
        if not (dry_run or yes or root.interactive):
            confirmed(root, "", yes=False)
        accounts = accounts_of(root, plan)
        by = root.operator(operator, accounts)
        if not dry_run:
            ledger.lead(root.me(by))

        async def work(folder: Path) -> int:
            async with ports_of(
                root, plan, ledger, folder, accounts, endpoint=endpoint, ca_bundle=ca_bundle
            ) as ports:
                todo, writer = await list_rollback(
                    ports,
                    view,
                    read_view=lambda: find_run(runs_in(root, ledger), view.id),
                    before=before,
                    dry_run=dry_run,
                    progress=progress_line(),
                )
                if todo.settled:
                    say(f"{plural(todo.settled, 'write')} of an earlier process looked up first")
                left_code = _unread_code(todo)
                if dry_run or not todo.orders:
                    _show(todo, None, output_format)
                    _say_nothing(todo, view.id)
                    return int(ExitCode.DONE if dry_run else left_code)
                if output_format == "text":
                    _show(todo, None, output_format)
                confirmed(root, f"take back {plural(len(todo.orders), 'link')}?", yes=yes)
                outcomes = await writer.carry_out(todo, by)
                counts = outcomes.counts(todo.orders)
                if output_format == "json":
                    _show(todo, counts, output_format)
                say(f"rollback: {added_up(counts)}")
                if todo.left:
                    say(f"{plural(len(todo.left), 'link')} left as they are, each with the reason")
                return int(foremost([outcome_code(outcomes, counts), left_code]))

        with scratch() as folder:
            code = root.await_(work(folder))
    ctx.exit(code)


def _show(todo: "WriteList[TakeBack]", counts: dict[str, int] | None, output_format: str) -> None:
    from runbook.cli.console import show, show_json
    from runbook.cli.linkwork import listed_line
    from runbook.text import printable

    if output_format == "json":
        show_json(
            {
                "format": 1,
                "planned": [order.listed() for order in todo.orders],
                "left": [left.listed() for left in todo.left],
                "counts": counts,
            }
        )
        return
    for order in todo.orders:
        action = "remove" if order.restored is None else "restore"
        show(f"{listed_line(action, order.listed())}: {printable(order.why)}")
    for left in todo.left:
        show(f"{listed_line('left', left.listed())}: {printable(left.reason)}")


def _unread_code(todo: "WriteList[TakeBack]") -> "ExitCode":
    """Say how many links could not be looked at; return the exit code that this asks for."""
    from runbook.cli.console import say
    from runbook.errors import ExitCode
    from runbook.text import plural

    if not todo.not_looked_at:
        return ExitCode.DONE
    say(f"warning: {plural(todo.not_looked_at, 'link')} could not be looked at: run it again later")
    return ExitCode.REMOTE


def _say_nothing(todo: "WriteList[TakeBack]", run: str) -> None:
    from runbook.cli.console import say
    from runbook.text import plural

    if todo.orders:
        return
    if todo.left and todo.not_looked_at == len(todo.left):
        return
    if todo.left:
        say(f"nothing is ours to take back; {plural(len(todo.left), 'link')} left, with the reason")
        return
    say(
        f"the ledger names no links of this run: `runbook verify {run} --before FILE` records which ones arrived"
    )
