"""What `verify`, `repair` and `rollback` show and ask alike."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

from runbook.cli.console import say, show_json
from runbook.cli.snapshot import watching
from runbook.operations.links import WriteOptions
from runbook.operations.root import Root
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.snapshot import SnapshotProgress
from runbook.remotelinks.writes import Order, Outcomes, WriteList
from runbook.text import plural, printable, shortened

BAD_ROWS_SHOWN = 20


class LinkWriteScreen:
    """What `repair` and `rollback` share of `WriteScreen`.

    The list is shown before the question; as JSON it is one document with the counts, and comes after.
    """

    def __init__(self, root: Root, options: WriteOptions) -> None:
        self.root = root
        self.options = options
        self._writes = 0

    @property
    def as_json(self) -> bool:
        """Whether stdout gets one JSON document."""
        return self.options.output_format == "json"

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

    def notes(self, store: ComparisonStore) -> None:
        """Say what the comparison noted, and which expected rows were not taken."""
        for note in store.notes:
            say(f"note: {printable(note)}")
        say_bad_rows(store)

    def confirm(self, question: str) -> None:
        """Ask before the first write, unless `--yes` was given."""
        if not self.options.yes:
            click.confirm(question, abort=True, err=True)

    def only_listed(self, todo: WriteList[Any]) -> bool:
        """Return whether nothing will be written."""
        return self.options.dry_run or not todo.orders

    def say_settled(self, todo: WriteList[Any]) -> None:
        """Say how many writes of an earlier process were looked up."""
        if todo.settled:
            say(f"{plural(todo.settled, 'write')} of an earlier process looked up first")


def list_json(todo: WriteList[Any], counts: Mapping[str, int] | None) -> None:
    """Print the list as JSON; `counts` says what became of it, None before the writes."""
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


def say_bad_rows(store: ComparisonStore) -> None:
    """Say which rows of the expected links were not taken, with line and reason."""
    for row in store.bad[:BAD_ROWS_SHOWN]:
        say(f"warning: expected links, {printable(str(row))}")
    more = store.bad_count - min(len(store.bad), BAD_ROWS_SHOWN)
    if more:
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
