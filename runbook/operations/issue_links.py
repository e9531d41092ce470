"""The remote links of one issue, read and written by hand."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Record, Written
from runbook.atlassian.limits import Limits
from runbook.errors import UsageError
from runbook.operations.root import NetworkOptions, Root
from runbook.plan.model import Site
from runbook.remotelinks.writes import Intent, look_again, plan_delete, plan_set, write_by_hand
from runbook.text import printable

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOptions(NetworkOptions):
    """Which issue, on which site, with which account."""

    site: str
    issue: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions(IssueOptions):
    """How the links of an issue are listed."""

    output_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOptions(ListOptions):
    """Which link is shown: by its id or its globalId."""

    link_id: int | None
    global_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandWriteOptions(IssueOptions):
    """How a link is written by hand."""

    link_id: int | None
    dry_run: bool
    yes: bool
    ledger_file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOptions(HandWriteOptions):
    """Which record is written."""

    link_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions(HandWriteOptions):
    """Which link is removed, by its id or its globalId."""

    global_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandWrite:
    """What became of a write by hand; `written` is None where nothing was written."""

    intent: Intent
    written: Written | None
    ledger: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HandWriteQuestions:
    """What is shown before a write by hand, with the request, and asked; `confirm` raises on a no."""

    show: Callable[[Intent, Mapping[str, Any]], None]
    confirm: Callable[[], object]


def list_links(root: Root, options: ListOptions) -> Sequence[Record]:
    """Return every remote link of an issue.

    Raises:
        UsageError: SITE is no address of a Jira Cloud site, or ISSUE is empty.
        CredentialError, RemoteError: the site refuses the account or does not answer as documented.
    """
    return _on_site(root, options, lambda jira: jira.remote_links(_issue(options)))


def get_link(root: Root, options: GetOptions) -> Record:
    """Return one remote link; see `list_links` for the errors."""
    _refuse_unless_one_of(options)

    async def read(jira: JiraSite) -> Record:
        if options.link_id is not None:
            return await jira.remote_link(_issue(options), options.link_id)
        return await jira.remote_link_by_global_id(_issue(options), options.global_id or "")

    return _on_site(root, options, read)


def set_link(
    root: Root, options: SetOptions, record: Mapping[str, Any], questions: HandWriteQuestions
) -> HandWrite:
    """Create a link, update the one of the same globalId, or replace the one of `link_id`.

    Nothing is written where the link is equal already (`Intent.equal`). See `list_links` for the errors.
    """

    async def write(jira: JiraSite) -> HandWrite:
        intent = await plan_set(jira, _issue(options), record, options.link_id)
        return await _write(root, jira, intent, options, questions)

    return _on_site(root, options, write)


def delete_link(root: Root, options: DeleteOptions, questions: HandWriteQuestions) -> HandWrite:
    """Remove one link; see `list_links` for the errors."""
    _refuse_unless_one_of(options)

    async def write(jira: JiraSite) -> HandWrite:
        intent = await plan_delete(jira, _issue(options), options.link_id, options.global_id)
        return await _write(root, jira, intent, options, questions)

    return _on_site(root, options, write)


def _refuse_unless_one_of(options: GetOptions | DeleteOptions) -> None:
    if (options.link_id is None) == (options.global_id is None):
        raise UsageError(
            "name the link by either `--id` or `--global-id`",
            hint="`runbook links list SITE ISSUE` shows both",
        )
    if options.global_id == "":
        raise UsageError("`--global-id` is empty", hint="name the link by its `--id`")


async def _write(
    root: Root,
    jira: JiraSite,
    intent: Intent,
    options: HandWriteOptions,
    questions: HandWriteQuestions,
) -> HandWrite:
    """Show what would change, ask, look again, and write; the intent is in the ledger first."""
    path = root.ledger_path(options.ledger_file)
    if not intent.equal:
        questions.show(intent, jira.request_json(intent.write))
    if intent.equal or options.dry_run:
        return HandWrite(intent=intent, written=None, ledger=path)
    with root.create_ledger(path) as ledger:
        if not options.yes:
            if not root.interactive:
                raise UsageError(
                    "nobody can be asked here, and there is no `--yes`; nothing written",
                    hint="look with `--dry-run`, then add `--yes`",
                )
            questions.confirm()
            await look_again(jira, intent)
        written = await write_by_hand(jira, intent, ledger)
        return HandWrite(intent=intent, written=written, ledger=ledger.path)


def _on_site(
    root: Root, options: IssueOptions, work: Callable[[JiraSite], Awaitable[Result]]
) -> Result:
    # A wrong address is said before a credential is asked for.
    url = site_url(options.site, stand_in=root.endpoint(options.endpoint) is not None)
    accounts = root.accounts([options.account])

    async def whole() -> Result:
        async with root.network(accounts, options) as send:
            jira = JiraSite(
                Site(url=url, account=options.account),
                send=send,
                clock=root.clock,
                limits=Limits(root.clock),
                random=root.random,
            )
            await jira.myself()
            return await work(jira)

    result: Result = root.await_(whole())
    return result


def _issue(options: IssueOptions) -> str:
    issue = options.issue.strip()
    if not issue:
        raise UsageError("ISSUE is empty", hint="name an issue by its key, such as `ENG-123`")
    return issue


_CLOUD_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(atlassian\.net|jira\.com)")


def site_url(text: str, *, stand_in: bool) -> str:
    """Return a site's address without a trailing slash.

    `stand_in` says that every request goes to a stand-in on this machine (`--endpoint`), so that any
    host may be named; else a mistyped one would be sent a credential.

    Raises:
        UsageError: it is no `https` address of a host alone, or no Jira Cloud site.
    """
    hint = "name the site as in the plan, such as `https://contoso-eng.atlassian.net`"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"SITE is no address: {text!r}", hint=hint) from None
    if "@" in parts.netloc:
        raise UsageError("SITE holds a user name or password", hint=hint)
    if parts.scheme != "https" or not host:
        raise UsageError(f"SITE is no site address: {text!r}", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"SITE has more than a host: {text!r}", hint=hint)
    if not (stand_in or _CLOUD_HOST.fullmatch(parts.netloc.lower())):
        raise UsageError(
            f"`{printable(text)}` is no Jira Cloud site, and no credential is sent anywhere else",
            hint="the host of a site ends in `.atlassian.net` or `.jira.com`; for a stand-in on this machine name `--endpoint URL`",
        )
    return f"https://{parts.netloc.lower()}"
