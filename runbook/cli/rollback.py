"""`rollback`: remove the links this tool created."""

from collections.abc import Mapping

import click

from runbook.cli.console import say
from runbook.cli.link_text import LinkWriteScreen, listed_line
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    operator_option,
    path_option,
    run_argument,
    with_options,
    yes_option,
)
from runbook.errors import ExitCode
from runbook.operations.links import RollbackOptions, rollback_in_ledger
from runbook.operations.root import Root
from runbook.remotelinks.rollback import NOT_UNDONE, Revert
from runbook.remotelinks.writes import Outcomes, WriteList
from runbook.text import added_up, plural, printable
from runbook.view import RunView


@click.command("rollback")
@run_argument
@path_option("--before", required=True, dir_okay=False, help="The snapshot from before the run.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and write nothing.")
@yes_option
@operator_option
@format_option("text", "json")
@ledger_option
@network_options
@with_options(RollbackOptions)
def rollback(root: Root, options: RollbackOptions) -> ExitCode:
    """Remove the links of RUN that are ours, and restore those we changed.

    Ours is what `repair` wrote, and what `verify` recorded as new. Everything else is left and listed.
    """
    return rollback_in_ledger(root, options, RollbackScreen(root, options))


class RollbackScreen(LinkWriteScreen[WriteList[Revert]]):
    """What `rollback` shows."""

    question = "remove"
    unread = "link", "could not be looked at"

    def begin(self, view: RunView) -> None:  # noqa: ARG002
        """Say what is not undone."""
        for sentence in NOT_UNDONE:
            say(f"note: {sentence}")

    def line(self, todo: WriteList[Revert], order: Revert) -> str:  # noqa: ARG002
        """Return what would be removed or restored, and why."""
        action = "remove" if order.restored is None else "restore"
        return f"{listed_line(action, order.listed())}: {printable(order.why)}"

    def written(
        self,
        todo: WriteList[Revert],
        view: RunView,  # noqa: ARG002
        outcomes: Outcomes,  # noqa: ARG002
        counts: Mapping[str, int],
    ) -> None:
        """Say what became of the removals."""
        say(f"rollback: {added_up(counts)}")
        if todo.left:
            say(f"{plural(len(todo.left), 'link')} left as they are, each with the reason")

    def left(self, todo: WriteList[Revert], view: RunView) -> None:
        """Say why there is nothing to take back, where that is so."""
        if todo.orders or (todo.left and todo.not_looked_at == len(todo.left)):
            return
        if todo.left:
            links = plural(len(todo.left), "link")
            say(f"no link of ours to remove; {links} left, with the reason")
            return
        say(
            f"the ledger names no links of this run: `runbook verify {view.id} --before FILE` records which ones arrived"
        )
