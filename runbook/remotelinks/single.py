"""Write one remote link by hand: look first, say what would change, record the intent, then write.

In: a site, an issue, a record. Out: what would change, and what became of the write. Every write is
in the ledger before it is sent; an equal link is not written, since each write leaves an entry in
the issue's history.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    NotDocumentedError,
    NotReachedError,
    WriteUnknownError,
)
from runbook.atlassian.jira import (
    GLOBAL_ID_LIMIT,
    JiraSite,
    LinkWrite,
    Record,
    Written,
    create_write,
    delete_by_global_id_write,
    delete_write,
    update_write,
)
from runbook.errors import RemoteError, UsageError
from runbook.ledger.link_events import WriteEnded, WriteIntended
from runbook.remotelinks.model import Change, content_hash, differences, writable

PURPOSE = "links"


class Recorder(Protocol):
    """The ledger, as far as a write needs it."""

    def append(self, event: Any, *, run: str | None = None, job: str | None = None) -> Any:
        """Write one event durably."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write that was looked at: the record that is there, the one that will be, and the request."""

    write: LinkWrite
    link_id: str | None
    global_id: str | None
    before: Record | None
    after: Mapping[str, Any] | None

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the fields that the write changes; all that is lost, for a removal."""
        return differences(self.before, self.after or {})

    @property
    def equal(self) -> bool:
        """Return whether the link is there already, as it should be."""
        return self.before is not None and self.after is not None and not self.changes


def checked_record(value: Any, where: str) -> Mapping[str, Any]:
    """Return a record that may be sent, without `id` and `self`; unknown fields are kept.

    Raises:
        UsageError: it lacks what Jira requires, or its `globalId` is too long.
    """
    hint = 'a link needs at least {"object": {"url": …, "title": …}}; `runbook links get --format json` prints a whole one'
    if isinstance(value, list):
        raise UsageError(f"{where} holds a list, not one link", hint="name a file with one record")
    if not isinstance(value, dict):
        raise UsageError(f"{where} holds no JSON object", hint=hint)
    target = value.get("object")
    if not isinstance(target, dict):
        raise UsageError(f"{where} has no `object`", hint=hint)
    for name in ("url", "title"):
        if not isinstance(target.get(name), str) or not target[name].strip():
            raise UsageError(f"{where} has no `object.{name}`", hint=hint)
    global_id = value.get("globalId")
    if global_id is not None and not isinstance(global_id, str):
        raise UsageError(f"the `globalId` of {where} is no text", hint=hint)
    if global_id is not None and len(global_id) > GLOBAL_ID_LIMIT:
        raise UsageError(
            f"the `globalId` of {where} has {len(global_id)} characters; Jira takes {GLOBAL_ID_LIMIT}",
            hint="shorten it, for example to the address of the target",
        )
    return writable(value)


async def plan_set(
    site: JiraSite, issue: str, record: Mapping[str, Any], link_id: int | None
) -> Intent:
    """Look at the issue and return the write that would make a link be `record`.

    With a `link_id` that link is replaced; without, a link of the same `globalId` is, or one is made.
    """
    global_id = record.get("globalId")
    if link_id is not None:
        before = await site.remote_link(issue, link_id)
        return Intent(
            write=update_write(issue, link_id, record),
            link_id=str(link_id),
            global_id=global_id,
            before=before,
            after=record,
        )
    found = [] if not global_id else await _with_global_id(site, issue, global_id)
    there = found[0] if found else None
    return Intent(
        write=create_write(issue, record),
        link_id=None if there is None else str(there.get("id")),
        global_id=global_id,
        before=there,
        after=record,
    )


async def plan_delete(
    site: JiraSite, issue: str, link_id: int | None, global_id: str | None
) -> Intent:
    """Look at the issue and return the write that would remove one link.

    Raises:
        RemoteError: there is none, or the `globalId` is there more than once.
    """
    if link_id is not None:
        before = await site.remote_link(issue, link_id)
        write = delete_write(issue, link_id)
    else:
        found = await _with_global_id(site, issue, global_id or "")
        if len(found) != 1:
            raise RemoteError(
                f"`{issue}` has {len(found) or 'no'} link{'s' if len(found) > 1 else ''} with this `globalId`",
                hint="`runbook links list` shows the links; name one by `--id`",
            )
        before = found[0]
        write = delete_by_global_id_write(issue, global_id or "")
    return Intent(
        write=write,
        link_id=str(before.get("id")),
        global_id=before.get("globalId"),
        before=before,
        after=None,
    )


async def look_again(site: JiraSite, intent: Intent) -> None:
    """Make sure that nobody changed the link since it was shown.

    Raises:
        RemoteError: somebody did; nothing was written.
    """
    issue = intent.write.issue
    if intent.before is not None:
        now: Record | None
        try:
            now = await site.remote_link(issue, intent.link_id or "")
        except JiraRefusedError as refusal:
            if refusal.status != 404:
                raise
            now = None
    elif intent.global_id:
        found = await _with_global_id(site, issue, intent.global_id)
        now = found[0] if found else None
    else:
        return
    same = (None if now is None else content_hash(now)) == (
        None if intent.before is None else content_hash(intent.before)
    )
    if not same:
        raise RemoteError(
            f"the link on `{issue}` was changed by somebody else meanwhile; nothing was written",
            hint="run the same command again to see it as it is now",
        )


async def carry_out(site: JiraSite, intent: Intent, ledger: Recorder) -> Written:
    """Record the intent, send the write, record what became of it.

    Raises:
        JiraRefusedError, NotReachedError, LoginLostError: nothing was changed.
        WriteUnknownError: it may have arrived.
    """
    write = intent.write
    name = secrets.token_hex(8)
    ledger.append(
        WriteIntended(
            purpose=PURPOSE,
            write=name,
            action="update" if write.action == "create" and intent.before else write.action,
            site=site.url,
            issue=write.issue,
            link_id=intent.link_id,
            global_id=intent.global_id,
            before=intent.before,
            after=None if intent.after is None else dict(intent.after),
            request=site.request_json(write),
        )
    )

    def ended(result: str, detail: str, exchange: Any, link_id: str | None) -> None:
        ledger.append(
            WriteEnded(
                purpose=PURPOSE,
                write=name,
                result=result,
                link_id=link_id,
                detail=detail,
                exchange=exchange,
            )
        )

    try:
        written = await site.perform(write)
    except WriteUnknownError as unknown:
        ended("unknown", str(unknown), unknown.exchange, intent.link_id)
        raise
    except (JiraRefusedError, NotReachedError, NotDocumentedError, LoginLostError) as refusal:
        ended("refused", str(refusal), refusal.exchange, intent.link_id)
        raise
    ended("done", "", written.exchange, written.link_id or intent.link_id)
    return written


async def _with_global_id(site: JiraSite, issue: str, global_id: str) -> list[Record]:
    return [one for one in await site.remote_links(issue) if one.get("globalId") == global_id]
