"""`links`: the six operations on the remote links of one issue, by hand."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runbook.cli.console import say, show
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    yes_option,
)
from runbook.cli.sites import jira_site, site_url
from runbook.cli.wiring import Root
from runbook.errors import UsageError
from runbook.text import aligned, printable, shortened

if TYPE_CHECKING:
    from runbook.atlassian.jira import JiraSite, Record
    from runbook.remotelinks.model import Change
    from runbook.remotelinks.writes import Intent

Command = TypeVar("Command", bound=Callable[..., Any])

_CELL = 60


@click.group()
def links() -> None:
    """Read and write the remote links of one issue.

    SITE is a site's address, such as https://contoso-eng.atlassian.net; ISSUE is a key or an id.
    """


def _place(command: Command) -> Command:
    """Add SITE, ISSUE, `--account` and the network options."""
    command = network_options(command)
    command = click.option(
        "--account",
        default="default",
        show_default=True,
        metavar="PROFILE",
        help="The credential profile to use.",
    )(command)
    command = click.argument("issue", metavar="ISSUE")(command)
    return click.argument("site", metavar="SITE")(command)


def _which(*, needed: bool) -> Callable[[Command], Command]:
    by_id = click.option(
        "--id", "link_id", type=click.IntRange(min=0), metavar="N", help="The link with this id."
    )
    by_global_id = click.option("--global-id", metavar="TEXT", help="The link with this globalId.")

    def add(command: Command) -> Command:
        return by_id(by_global_id(command) if needed else command)

    return add


def _writes(command: Command) -> Command:
    dry = click.option(
        "--dry-run", is_flag=True, help="Show what would be written, and write nothing."
    )
    return ledger_option(yes_option(dry(command)))


@links.command("list")
@_place
@format_option("table", "json")
@click.pass_obj
def list_links(
    root: Root,
    site: str,
    issue: str,
    account: str,
    endpoint: str | None,
    ca_bundle: Path | None,
    output_format: str,
) -> None:
    """List every remote link of an issue."""

    async def work(jira: "JiraSite") -> "Sequence[Record]":
        return await jira.remote_links(_issue(issue))

    records = _with_site(root, site, account, endpoint, ca_bundle, work)
    if output_format == "json":
        _show_record(list(records))
    elif records:
        show(_table(records))
    else:
        say(f"no remote links on `{printable(issue)}`")


@links.command("get")
@_place
@_which(needed=True)
@format_option("table", "json")
@click.pass_obj
def get_link(
    root: Root,
    site: str,
    issue: str,
    account: str,
    endpoint: str | None,
    ca_bundle: Path | None,
    link_id: int | None,
    global_id: str | None,
    output_format: str,
) -> None:
    """Show one remote link, by its id or its globalId."""
    _one_of(link_id, global_id)

    async def work(jira: "JiraSite") -> "Record":
        if link_id is not None:
            return await jira.remote_link(_issue(issue), link_id)
        return await jira.remote_link_by_global_id(_issue(issue), global_id or "")

    record = _with_site(root, site, account, endpoint, ca_bundle, work)
    if output_format == "json":
        _show_record(record)
    else:
        show(_fields(record))


@links.command("set")
@_place
@click.option(
    "--file",
    "link_file",
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="LINK.json",
    help="The whole link as JSON; `-` reads it from stdin. A field left out becomes null.",
)
@_which(needed=False)
@_writes
@click.pass_obj
def set_link(
    root: Root,
    site: str,
    issue: str,
    account: str,
    endpoint: str | None,
    ca_bundle: Path | None,
    link_file: Path,
    link_id: int | None,
    dry_run: bool,
    yes: bool,
    ledger_file: Path | None,
) -> None:
    """Create a remote link, update the one with the same globalId, or replace the one with --id."""
    from runbook.remotelinks.writes import checked_record, plan_set

    record = checked_record(_json_file(link_file), f"`{link_file}`")

    async def work(jira: "JiraSite") -> None:
        intent = await plan_set(jira, _issue(issue), record, link_id)
        if intent.equal:
            say(f"link {intent.link_id} on `{printable(issue)}` is equal already; nothing written")
            return
        if intent.before is None and not intent.global_id:
            say("warning: without a `globalId` Jira makes a new link each time this is sent")
        await _write(root, jira, intent, dry_run=dry_run, yes=yes, ledger_file=ledger_file)

    _with_site(root, site, account, endpoint, ca_bundle, work)


@links.command("delete")
@_place
@_which(needed=True)
@_writes
@click.pass_obj
def delete_link(
    root: Root,
    site: str,
    issue: str,
    account: str,
    endpoint: str | None,
    ca_bundle: Path | None,
    link_id: int | None,
    global_id: str | None,
    dry_run: bool,
    yes: bool,
    ledger_file: Path | None,
) -> None:
    """Remove one remote link, by its id or its globalId."""
    from runbook.remotelinks.writes import plan_delete

    _one_of(link_id, global_id)

    async def work(jira: "JiraSite") -> None:
        intent = await plan_delete(jira, _issue(issue), link_id, global_id)
        await _write(root, jira, intent, dry_run=dry_run, yes=yes, ledger_file=ledger_file)

    _with_site(root, site, account, endpoint, ca_bundle, work)


async def _write(
    root: Root,
    jira: "JiraSite",
    intent: "Intent",
    *,
    dry_run: bool,
    yes: bool,
    ledger_file: Path | None,
) -> None:
    """Show what would change, ask, and write."""
    from runbook.remotelinks.writes import look_again, write_by_hand

    request = jira.request_json(intent.write)
    doing = _headline(intent)
    show(f"{doing}\n{_changes(intent.changes)}")
    if dry_run:
        say(f"dry run: `{request['method']} {printable(request['url'])}` was not sent")
        return
    with contextlib.closing(root.create_ledger(root.ledger_path(ledger_file))) as ledger:
        if not yes:
            if not root.interactive:
                raise UsageError(
                    "nobody can be asked here, and there is no `--yes`; nothing written",
                    hint="look with `--dry-run`, then add `--yes`",
                )
            click.confirm("write this?", abort=True, err=True)
            await look_again(jira, intent)
        written = await write_by_hand(jira, intent, ledger)
        where = f", recorded in `{printable(str(ledger.path))}`"
    issue = printable(intent.write.issue)
    if intent.after is None:
        say(f"removed link {intent.link_id} from `{issue}`{where}")
    elif written.created:
        say(f"created link {written.link_id} on `{issue}`{where}")
    else:
        say(f"updated link {written.link_id or intent.link_id} on `{issue}`{where}")


def _headline(intent: "Intent") -> str:
    issue = printable(intent.write.issue)
    if intent.after is None:
        return f"remove link {intent.link_id} from `{issue}`"
    if intent.before is None:
        return f"create a link on `{issue}`"
    return f"change link {intent.link_id} on `{issue}`"


def _with_site(
    root: Root,
    site: str,
    account: str,
    endpoint: str | None,
    ca_bundle: Path | None,
    work: "Callable[[JiraSite], Awaitable[Any]]",
) -> Any:
    # A wrong address is said before a credential is asked for.
    url = site_url(site, stand_in=root.endpoint(endpoint) is not None)
    accounts = root.accounts([account])

    async def whole() -> Any:
        async with root.network(accounts, endpoint=endpoint, ca_bundle=ca_bundle) as send:
            jira = jira_site(root, send, url, account)
            await jira.myself()
            return await work(jira)

    return root.await_(whole())


def _issue(text: str) -> str:
    issue = text.strip()
    if not issue:
        raise UsageError("ISSUE is empty", hint="name an issue by its key, such as `ENG-123`")
    return issue


def _one_of(link_id: int | None, global_id: str | None) -> None:
    if (link_id is None) == (global_id is None):
        raise UsageError(
            "name the link by either `--id` or `--global-id`",
            hint="`runbook links list SITE ISSUE` shows both",
        )
    if global_id == "":
        raise UsageError("`--global-id` is empty", hint="name the link by its `--id`")


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


def _show_record(value: Any) -> None:
    show(json.dumps(value, indent=2))


def _table(records: "Iterable[Record]") -> str:
    head = ("id", "relationship", "title", "url", "application", "globalId")
    return aligned([head, *(_row(record) for record in records)])


def _row(record: "Record") -> tuple[str, ...]:
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


def _part(record: "Record", name: str) -> dict[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _fields(record: "Record") -> str:
    from runbook.remotelinks.model import differences

    rows = [("id", str(record.get("id")))]
    rows += [(one.path, _value(one.after)) for one in differences(None, record)]
    return aligned([(printable(path), value) for path, value in rows])


def _changes(changes: "Sequence[Change]") -> str:
    rows = []
    for one in changes:
        sign = "+" if one.before is None else "-" if one.after is None else "~"
        values = [_value(value) for value in (one.before, one.after) if value is not None]
        rows.append((sign, printable(one.path), " -> ".join(values)))
    return aligned(rows, indent="  ")


def _value(value: Any) -> str:
    return shortened(value if isinstance(value, str) else json.dumps(value), 200)
