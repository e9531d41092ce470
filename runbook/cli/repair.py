"""`repair`: create the links that are missing, nothing else."""

from collections.abc import Mapping

import click

from runbook.cli.console import say, show
from runbook.cli.link_text import LinkWriteScreen, listed_line, next_round, say_bad_rows
from runbook.cli.options import (
    expected_option,
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
from runbook.operations.links import RepairOptions, repair_in_ledger
from runbook.operations.root import Root
from runbook.remotelinks.repair import CreateOrder, RepairList
from runbook.remotelinks.writes import Outcomes
from runbook.text import added_up, plural, printable
from runbook.view import AT_ATLASSIAN, JobState, RunView


@click.command("repair")
@run_argument
@expected_option
@path_option(
    "--after", dir_okay=False, help="A snapshot from after the run; without it one is taken now."
)
@click.option(
    "--like",
    "likes",
    multiple=True,
    metavar="SITE:ISSUE",
    help="Learn the links' shape from those made by hand on this issue, where no job made any; may be repeated.",
)
@click.option("--as-weblink", is_flag=True, help="Where no shape is known, create plain web links.")
@click.option(
    "--also-unserved",
    is_flag=True,
    help="Create links that the next round of the run can still recreate, too; by default they are left to it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be created, and write nothing.")
@yes_option
@operator_option
@format_option("text", "json")
@ledger_option
@network_options
@with_options(RepairOptions)
def repair(root: Root, options: RepairOptions) -> ExitCode:
    """Create the links of RUN that are missing, and nothing else; also after the two weeks.

    A link that is there is never changed. The shape comes from a link that Atlassian's job made.
    """
    return repair_in_ledger(root, options, RepairScreen(root, options))


class RepairScreen(LinkWriteScreen[RepairList]):
    """What `repair` shows."""

    question = "create"
    unread = "expected link", "could not be looked at, and may be missing"

    def begin(self, view: RunView) -> None:
        """Warn of jobs that may still create links."""
        states = AT_ATLASSIAN | {JobState.UNKNOWN}
        names = [f"`{job.id}` ({job.state.value})" for job in view.jobs if job.state in states]
        if names:
            more = " and more" * (len(names) > 5)
            say(f"warning: Atlassian may still create links: {', '.join(names[:5])}{more}")

    def listed(self, todo: RepairList) -> None:
        """Say what the comparison noted, show what would be created, and ask."""
        for note in todo.notes:
            say(f"note: {printable(note)}")
        say_bad_rows(todo.bad, todo.bad_count)
        super().listed(todo)
        if not todo.orders and not todo.left and self.options.output_format != "json":
            show("nothing is missing")

    def line(self, todo: RepairList, order: CreateOrder) -> str:
        """Return what would be created and in which shape."""
        label = printable(str(order.record["relationship"]))
        line = listed_line("create", order.listed())
        return f"{line} as `{label}`, {todo.shapes[order.row.job]}"

    def written(
        self, todo: RepairList, view: RunView, outcomes: Outcomes, counts: Mapping[str, int]
    ) -> None:
        """Say what became of the creations."""
        for order in todo.orders:
            if order.name in outcomes.replaced:
                say(
                    f"warning: {printable(order.issue)} -> {printable(order.target)}: somebody had made a link of the same globalId by then, and it was replaced; rollback leaves it"
                )
        say(f"repair: {added_up(counts)}")
        if not todo.left and counts["done"] == len(todo.orders):
            say(f"  `runbook verify {view.id}` shows whether everything is there now")

    def left(self, todo: RepairList, view: RunView) -> None:
        """Say what is left alone, and what to do about it."""
        others = len(todo.left) - todo.for_later
        if any("shape is not known" in left.reason for left in todo.left):
            say(
                f"{plural(others, 'link')} left: no link shows how Atlassian writes them in that direction. Make one by hand and name it with `--like SITE:ISSUE`, or add `--as-weblink`"
            )
        elif others:
            say(f"{plural(others, 'link')} left, each with the reason")
        if todo.for_later:
            say(next_round(todo.for_later, view.started.plan_file))
            say("  `--also-unserved` creates them now")
