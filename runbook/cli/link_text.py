"""What `verify`, `repair` and `rollback` show and ask alike."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Generic, TypeVar

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.snapshot import watching
from runbook.operations.links import WriteOptions
from runbook.operations.root import Root
from runbook.remotelinks.expected import BadRow
from runbook.remotelinks.snapshot import SnapshotProgress
from runbook.remotelinks.writes import Order, Outcomes, WriteList
from runbook.text import plural, printable, shortened
from runbook.view import RunView

BAD_ROWS_SHOWN = 20

ListT = TypeVar("ListT", bound=WriteList[Any])


class LinkWriteScreen(ABC, Generic[ListT]):
    """What `repair` and `rollback` share of `WriteScreen`.

    The list is shown before the question; as JSON it is one document with the counts, and comes after.
    `question` is the verb of the question, `unread` names links that could not be looked at.
    """

    question: ClassVar[str]
    unread: ClassVar[tuple[str, str]]

    def __init__(self, root: Root, options: WriteOptions) -> None:
        self.root = root
        self.options = options
        self._writes = 0

    def watching(self) -> AbstractContextManager[SnapshotProgress]:
        """Show the progress of a snapshot."""
        return watching(self.root)

    def progress(self, order: Order, result: str, detail: str) -> None:
        """Say every refusal at once, and how far it is every 100 writes."""
        self._writes += 1
        if result in ("refused", "unknown"):
            say(f"{result}: {printable(order.issue)}: {shortened(detail, 300)}")
        elif self._writes % 100 == 0:
            say(f"{self._writes} links done")

    def listed(self, todo: ListT) -> None:
        """Show what would be written, and ask before the first write, unless `--yes` was given."""
        if todo.settled:
            say(f"{plural(todo.settled, 'write')} of an earlier process looked up first")
        if todo.not_looked_at:
            noun, problem = self.unread
            say(f"warning: {plural(todo.not_looked_at, noun)} {problem}: run it again later")
        only_listed = self.options.dry_run or not todo.orders
        if self.options.output_format != "json":
            for order in todo.orders:
                show(self.line(todo, order))
            for left in todo.left:
                show(f"{listed_line('left', left.listed())}: {printable(left.reason)}")
        elif only_listed:
            _list_json(todo, None)
        if not (only_listed or self.options.yes):
            links = plural(len(todo.orders), "link")
            click.confirm(f"{self.question} {links}?", abort=True, err=True)

    def ended(self, todo: ListT, view: RunView, outcomes: Outcomes | None) -> None:
        """Show what became of the writes, and what is left to do."""
        if outcomes is not None:
            counts = outcomes.counts(todo.orders)
            if self.options.output_format == "json":
                _list_json(todo, counts)
            self.written(todo, view, outcomes, counts)
            say_outcomes(outcomes, counts)
        self.left(todo, view)

    @abstractmethod
    def line(self, todo: ListT, order: Any) -> str:
        """Return the line of a link that would be written."""

    @abstractmethod
    def written(
        self, todo: ListT, view: RunView, outcomes: Outcomes, counts: Mapping[str, int]
    ) -> None:
        """Say what became of the writes."""

    @abstractmethod
    def left(self, todo: ListT, view: RunView) -> None:
        """Say at the end what is left to do."""


def _list_json(todo: WriteList[Order], counts: Mapping[str, int] | None) -> None:
    """Print the list; `counts` says what became of it, None before the writes."""
    show_json(
        {
            "format": 1,
            "planned": [order.listed() for order in todo.orders],
            "left": [left.listed() for left in todo.left],
            "counts": None if counts is None else dict(counts),
        }
    )


def say_outcomes(outcomes: Outcomes, counts: Mapping[str, int]) -> None:
    """Say what stopped the writes, and how many have no known outcome."""
    if outcomes.stopped_by is not None:
        say(f"error: {printable(str(outcomes.stopped_by))}")
        if outcomes.stopped_by.hint:
            say(f"hint: {outcomes.stopped_by.hint}")
    if counts["unknown"]:
        say(
            f"{plural(counts['unknown'], 'write')} without a known outcome: run the same command again, it looks them up first"
        )


def say_bad_rows(bad: Sequence[BadRow], count: int) -> None:
    """Say which of `count` bad rows of the expected links were not taken, with line and reason."""
    for row in bad[:BAD_ROWS_SHOWN]:
        say(f"warning: expected links, {printable(str(row))}")
    more = count - BAD_ROWS_SHOWN
    if more > 0:
        say(f"warning: … and {plural(more, 'more row')} that cannot be read")


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


def listed_line(action: str, link: Mapping[str, object]) -> str:
    """Return one planned or left link as a line."""
    issue, target = printable(str(link["issue"])), printable(str(link["target"] or "?"))
    number = "" if link.get("link_id") is None else f" (link {printable(str(link['link_id']))})"
    return f"{action:8} {issue} on {host_of(str(link['site']))} -> {target}{number}"
