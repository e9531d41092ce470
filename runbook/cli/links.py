"""`links`: the six operations on the remote links of one issue, by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runbook.atlassian.jira_values import Record
from runbook.cli.console import say, show
from runbook.cli.options import (
    Command,
    format_option,
    ledger_option,
    network_options,
    path_option,
    with_options,
    yes_option,
)
from runbook.errors import UsageError
from runbook.operations.issue_links import (
    DeleteOptions,
    GetOptions,
    HandWrite,
    HandWriteOptions,
    HandWriteQuestions,
    ListOptions,
    SetOptions,
    delete_link,
    get_link,
    list_links,
    set_link,
)
from runbook.operations.root import Root
from runbook.remotelinks.model import Change, differences
from runbook.remotelinks.writes import Intent, checked_record
from runbook.text import aligned, printable, shortened

_CELL = 60


@click.group()
def links() -> None:
    """Read and write the remote links of one issue.

    SITE is a site's address, such as https://contoso-eng.atlassian.net; ISSUE is a key or an id.
    """


_id = click.option(
    "--id", "link_id", type=click.IntRange(min=0), metavar="N", help="The link with this id."
)
_global_id = click.option("--global-id", metavar="TEXT", help="The link with this globalId.")
_account = click.option(
    "--account",
    default="default",
    show_default=True,
    metavar="PROFILE",
    help="The credential profile to use.",
)
_dry_run = click.option(
    "--dry-run", is_flag=True, help="Show what would be written, and write nothing."
)


def _of_issue(command: Command) -> Command:
    """Add SITE, ISSUE, `--account` and the network options."""
    command = _account(network_options(command))
    return click.argument("site", metavar="SITE")(click.argument("issue", metavar="ISSUE")(command))


def _writes(command: Command) -> Command:
    return ledger_option(yes_option(_dry_run(command)))


@links.command("list")
@_of_issue
@format_option("table", "json")
@with_options(ListOptions)
def list_(root: Root, options: ListOptions) -> None:
    """List every remote link of an issue."""
    records = list_links(root, options)
    if options.output_format == "json":
        show(json.dumps(list(records), indent=2))
    elif records:
        head = ("id", "relationship", "title", "url", "application", "globalId")
        show(aligned([head, *(_row(record) for record in records)]))
    else:
        say(f"no remote links on `{printable(options.issue)}`")


@links.command("get")
@_of_issue
@_id
@_global_id
@format_option("table", "json")
@with_options(GetOptions)
def get(root: Root, options: GetOptions) -> None:
    """Show one remote link, by its id or its globalId."""
    record = get_link(root, options)
    if options.output_format == "json":
        show(json.dumps(record, indent=2))
    else:
        rows = [("id", str(record.get("id")))]
        rows += [(change.path, _value(change.after)) for change in differences(None, record)]
        show(aligned([(printable(path), value) for path, value in rows]))


@links.command("set")
@_of_issue
@path_option(
    "--file",
    "link_file",
    required=True,
    metavar="LINK.json",
    help="The whole link as JSON; `-` reads it from stdin. A field left out becomes null.",
    allow_dash=True,
)
@_id
@_writes
@with_options(SetOptions)
def set_(root: Root, options: SetOptions) -> None:
    """Create a remote link, update the one with the same globalId, or replace the one with --id."""
    record = checked_record(_json_file(options.link_file), f"`{options.link_file}`")
    done = set_link(root, options, record, _questions(options))
    if done.intent.equal:
        issue = printable(options.issue)
        say(f"link {done.intent.link_id} on `{issue}` is equal already; nothing written")
    _say_written(done)


@links.command("delete")
@_of_issue
@_id
@_global_id
@_writes
@with_options(DeleteOptions)
def delete(root: Root, options: DeleteOptions) -> None:
    """Remove one remote link, by its id or its globalId."""
    _say_written(delete_link(root, options, _questions(options)))


def _questions(options: HandWriteOptions) -> HandWriteQuestions:
    def show_intent(intent: Intent, request: Mapping[str, Any]) -> None:
        if intent.after is not None and intent.before is None and not intent.global_id:
            say("warning: without a `globalId` Jira makes a new link each time this is sent")
        show(f"{_headline(intent)}\n{_changes(intent.changes)}")
        if options.dry_run:
            say(f"dry run: `{request['method']} {printable(request['url'])}` was not sent")

    return HandWriteQuestions(
        show=show_intent, confirm=lambda: click.confirm("write this?", abort=True, err=True)
    )


def _say_written(done: HandWrite) -> None:
    intent, written = done.intent, done.written
    if written is None:
        return
    issue, where = printable(intent.write.issue), f"recorded in `{printable(str(done.ledger))}`"
    if intent.after is None:
        say(f"removed link {intent.link_id} from `{issue}`, {where}")
    elif written.created:
        say(f"created link {written.link_id} on `{issue}`, {where}")
    else:
        say(f"updated link {written.link_id or intent.link_id} on `{issue}`, {where}")


def _headline(intent: Intent) -> str:
    issue = printable(intent.write.issue)
    if intent.after is None:
        return f"remove link {intent.link_id} from `{issue}`"
    if intent.before is None:
        return f"create a link on `{issue}`"
    return f"change link {intent.link_id} on `{issue}`"


def _json_file(path: Path) -> Any:
    try:
        with click.open_file(str(path), "rb") as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except OSError as problem:
        raise UsageError(
            f"cannot read `{path}`: {problem.strerror}",
            hint="`--file` names a file with one link as JSON, or `-` for stdin",
        ) from problem
    except (ValueError, RecursionError) as problem:
        raise UsageError(
            f"`{path}` is no JSON: {shortened(str(problem), 200)}",
            hint="`runbook links get SITE ISSUE --id N --format json` prints a link to start from",
        ) from problem


def _row(record: Record) -> tuple[str, ...]:
    target, application = _part(record, "object"), _part(record, "application")
    values = (
        record.get("id"),
        record.get("relationship"),
        target.get("title"),
        target.get("url"),
        application.get("name") or application.get("type"),
        record.get("globalId"),
    )
    return tuple("-" if value in (None, "") else shortened(str(value), _CELL) for value in values)


def _part(record: Record, name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _changes(changes: Sequence[Change]) -> str:
    rows = []
    for change in changes:
        sign = "+" if change.before is None else "-" if change.after is None else "~"
        values = [_value(value) for value in (change.before, change.after) if value is not None]
        rows.append((sign, printable(change.path), " -> ".join(values)))
    return aligned(rows, indent="  ")


def _value(value: Any) -> str:
    return shortened(value if isinstance(value, str) else json.dumps(value), 200)
