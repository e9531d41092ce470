"""`snapshot`: every remote link of every issue in scope, into a file."""

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeft
from rich.text import Text

from runbook.cli.console import say, show, show_json
from runbook.cli.options import (
    format_option,
    network_options,
    path_option,
    plan_argument,
    with_options,
)
from runbook.clock import Clock
from runbook.errors import ExitCode, RunbookError, foremost
from runbook.operations.root import Root
from runbook.operations.take_snapshot import (
    SnapshotOptions,
    SnapshotResult,
    SnapshotScreen,
    take_snapshot,
)
from runbook.remotelinks.snapshot import QueryRefusedError, Scope, SnapshotProgress, Taken
from runbook.remotelinks.snapshot_file import Chunk, SnapshotFile
from runbook.text import aligned, plural, printable, shortened, span

_SHOWN = 20


@click.command("snapshot")
@plan_argument
@path_option(
    "-o",
    "--output",
    "output",
    required=True,
    help="The snapshot; one that was begun is gone on with.",
    dir_okay=False,
)
@click.option(
    "--site", "sites", multiple=True, metavar="URL", help="Only this site; may be repeated."
)
@click.option("--jql", metavar="JQL", help="Only the issues of this query, on every chosen site.")
@path_option(
    "--links",
    "links_file",
    metavar="CSV",
    help="The issues that these expected links name; default the plan's `expected`.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="At most N requests per second, site and endpoint; default the documented limit.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="The plan's projects, although there are expected links.",
)
@format_option("text", "json")
@network_options
@with_options(SnapshotOptions)
def snapshot(root: Root, options: SnapshotOptions) -> ExitCode:
    """Read every remote link of the issues in scope into FILE; the same command goes on after a break."""

    def show_file(file: SnapshotFile, scope: Scope, taken: Taken | None) -> None:
        if taken is None:
            say(
                f"`{options.output}` is whole since {file.meta().finished_at}; nothing was read. Name another file for a new snapshot"
            )
        _show(file, scope, () if taken is None else taken.errors, options.output_format)

    screen = SnapshotScreen(scope=_say_scope, watching=partial(watching, root), show=show_file)
    result = take_snapshot(root, options, screen)
    return ExitCode.DONE if result.taken is None else _ended(result.taken, result, options.output)


def _ended(taken: Taken, result: SnapshotResult, output: Path) -> ExitCode:
    """Say what is left to do and return the exit code."""
    queries = _say_queries(taken, by_hand=result.scope.kind == "jql")
    for site, error in taken.errors:
        if site in queries:
            continue
        say(f"error: {site}: {printable(str(error))}")
        if error.hint:
            say(f"hint: {error.hint}")
    failed = taken.states.get("failed", 0)
    if taken.errors and result.empty:
        say(f"nothing was read{'' if output.exists() else f', so there is no `{output}`'}")
    elif queries:
        say(f"`{output}` is not whole: the same query would be refused again")
    elif taken.errors:
        say(f"`{output}` is not whole; the same command goes on behind the last whole chunk")
    elif failed:
        say(f"{plural(failed, 'issue')} failed; the same command asks for them again")
    codes = [error.exit_code for _, error in taken.errors]
    return foremost([*codes, *([ExitCode.REMOTE] if failed else [])])


def _say_queries(taken: Taken, *, by_hand: bool) -> set[str]:
    """Say each refused query once, with Jira's words; return the sites that refused one."""
    refused: dict[tuple[str, str], list[str]] = {}
    for site, error in taken.errors:
        if isinstance(error, QueryRefusedError):
            refused.setdefault((error.query, error.said), []).append(site)
    for (query, said), sites in refused.items():
        where = sites[0] if len(sites) == 1 else plural(len(sites), "site")
        say(
            f"error: Jira refused the query `{shortened(query, 500)}` on {where}: {printable(said)}"
        )
    if refused and by_hand:
        say("hint: correct the query of `--jql`, or name with `--site` where it can be answered")
    elif refused:
        say("hint: correct the project keys of that site in the plan")
    return {site for sites in refused.values() for site in sites}


def _say_scope(scope: Scope) -> None:
    match scope.kind:
        case "expected":
            name = (scope.source or {}).get("file", "")
            total = sum(len(keys) for keys in scope.keys.values())
            say(f"scope: the {plural(total, 'issue')} that `{name}` names")
        case "projects":
            say("scope: the plan's projects")
        case _:
            say("scope: the issues of the query")
    for row in scope.bad_rows[:_SHOWN]:
        say(f"warning: expected links, {row}")
    if len(scope.bad_rows) > _SHOWN:
        say(f"warning: … and {len(scope.bad_rows) - _SHOWN} more rows that cannot be read")
    if scope.unplaced:
        say(
            f"warning: {plural(scope.unplaced, 'expected link')} with an end in no project of the plan: that end is not read"
        )


def _show(
    file: SnapshotFile, scope: Scope, errors: Sequence[tuple[str, RunbookError]], output_format: str
) -> None:
    meta = file.meta()
    rows = [
        (site.url, file.chunk_sizes(site.url)[0], file.states(site.url), file.planned(site.url))
        for site in scope.sites
    ]
    if output_format == "json":
        show_json(
            {
                "format": 1,
                "file": str(file.path),
                "plan": meta.plan,
                "scope": dict(meta.scope),
                "created_at": meta.created_at,
                "finished_at": meta.finished_at,
                "sites": [
                    {
                        "site": url,
                        "issues": total if counted else None,
                        "states": _states(total, states),
                        "links": file.link_count(url),
                    }
                    for url, total, states, counted in rows
                ],
                "not_read": [
                    {
                        "site": issue.site,
                        "issue": issue.asked,
                        "state": issue.state,
                        "detail": issue.detail,
                    }
                    for issue in file.issues()
                    if issue.state != "read"
                ],
                "errors": [
                    {"site": site, "message": str(error), "hint": error.hint}
                    for site, error in errors
                ],
            }
        )
        return
    head = ("site", "issues", "read", "absent", "refused", "failed", "not looked at", "links")
    table: list[tuple[str, ...]] = [head]
    for url, total, states, counted in rows:
        counts = [str(count) for count in _states(total, states).values()]
        if not counted:
            total_text, counts[-1] = "?", "?"
        else:
            total_text = str(total)
        table.append((url, total_text, *counts, str(file.link_count(url))))
    show(aligned(table))
    unread = (issue for issue in file.issues() if issue.state != "read")
    for issue in islice(unread, _SHOWN):
        detail = f": {shortened(issue.detail, 160)}" if issue.state != "absent" else ""
        show(f"{issue.state}: {printable(issue.asked)} on {issue.site}{detail}")
    more = sum(1 for _ in unread)
    if more:
        show(f"… and {more} more; `--format json` lists all")


def _states(total: int, states: dict[str, int]) -> dict[str, int]:
    counts = {name: states.get(name, 0) for name in ("read", "absent", "refused", "failed")}
    return {**counts, "not_looked_at": max(0, total - sum(counts.values()))}


class SnapshotLines(SnapshotProgress):
    """One line on stderr per change: a site counted, a chunk on disk, keys resolved."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._totals: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._read: Counter[str] = Counter()
        self._begun_s: dict[str, float] = {}

    def found(self, site: str, total: int, done: int) -> None:
        """Say how many issues are in scope; `done` of them were read by an earlier process."""
        self._totals[site], self._before[site] = total, done
        self._begun_s[site] = self._clock.monotonic_s()
        known = f", {done} read before" if done else ""
        say(f"{_host(site)}: {plural(total, 'issue')} in scope{known}")

    def read(self, site: str) -> None:
        """Count."""
        self._read[site] += 1

    def recorded(self, site: str, chunk: Chunk) -> None:
        """Say how far it is, how fast, and how long the rest will take."""
        del chunk
        total, read = self._totals[site], self._read[site]
        done = self._before[site] + read
        passed_s = self._clock.monotonic_s() - self._begun_s[site]
        rate = read / passed_s if passed_s > 0 else 0.0
        left = f", {span(timedelta(seconds=(total - done) / rate))} left" if rate else ""
        say(f"{_host(site)}: {done} of {total} issues, {rate:.0f}/s{left}")

    def resolving(self, site: str, keys: int) -> None:
        """Say it."""
        say(f"{_host(site)}: resolving {plural(keys, 'target key')}")


class SnapshotBars(SnapshotProgress):
    """A live bar per site."""

    def __init__(self, bars: Any) -> None:
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def found(self, site: str, total: int, done: int) -> None:
        """Begin a bar."""
        self._tasks[site] = self._bars.add_task(_host(site), total=total, completed=done)

    def read(self, site: str) -> None:
        """Move the bar on."""
        self._bars.advance(self._tasks[site])

    def resolving(self, site: str, keys: int) -> None:
        """Say it above the bars."""
        self._bars.console.print(f"{_host(site)}: resolving {plural(keys, 'target key')}")


@contextlib.contextmanager
def watching(root: Root) -> Iterator[SnapshotProgress]:
    """Yield what shows the progress of a snapshot on stderr."""
    if not sys.stderr.isatty():
        yield SnapshotLines(root.clock)
        return

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Speed(),
        TimeLeft(),
        TextColumn("left"),
    )
    console = Console(stderr=True, no_color=root.no_color)
    with Progress(*columns, console=console, refresh_per_second=4) as bars:
        yield SnapshotBars(bars)


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.0f}/s")


def _host(site: str) -> str:
    return urlsplit(site).netloc
