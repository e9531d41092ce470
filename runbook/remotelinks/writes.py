"""Writes of remote links, one by one beyond doubt: looked at, intended, sent, recorded.

In: what to write where, and ports. Out: what became of it. Every intent is in the ledger before its
request. `Writer` carries out the many writes of `repair` and `rollback`: the issue is read right before
each write, an outcome that cannot be known is looked up at once and, after a crash, by the next process;
one issue has one writer at a time, and the results add up to the orders. `plan_set`, `plan_delete` and
`write_by_hand` are for `links`: one link, shown before it is written.
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar, get_args

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    NotDocumentedError,
    NotReachedError,
    WriteUnknownError,
)
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import (
    GLOBAL_ID_LIMIT,
    LinkWrite,
    Record,
    Written,
    create_write,
    delete_by_global_id_write,
    delete_write,
    update_write,
)
from runbook.clock import Clock
from runbook.errors import RemoteError, RunbookError, UsageError
from runbook.ledger.events.kinds import WritePurpose, WriteResult
from runbook.ledger.events.links import LinksEnded, LinksListed, WriteEnded, WriteIntended
from runbook.ledger.store import Ledger
from runbook.remotelinks.model import Change, content_hash, differences, writable

RESULTS = (*get_args(WriteResult), "not_attempted")
WRITERS = 8
ATTEMPTS = 3  # of a write whose outcome is unknown and that turns out not to be there
_HEARTBEAT_S = 15.0
_REFUSED_IN_A_ROW = 10
# Whatever these hit would hit every other write, too.
_STOPPING = (LoginLostError, NotReachedError, NotDocumentedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A write, ready to be sent; `before` is the record that is there, which it replaces or removes."""

    write: LinkWrite
    global_id: str | None
    before: Record | None

    @property
    def link_id(self) -> str | None:
        """Return the id of the link that is there, None where there is none."""
        return None if self.before is None else str(self.before.get("id"))

    @property
    def after(self) -> Mapping[str, Any] | None:
        """Return the record that will be there, None for a removal."""
        return self.write.body

    @property
    def changes(self) -> tuple[Change, ...]:
        """Return the fields that the write changes; all that is lost, for a removal."""
        return differences(self.before, self.after or {})

    @property
    def equal(self) -> bool:
        """Return whether the link is there already, as it should be."""
        return self.before is not None and self.after is not None and not self.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteLog:
    """The writes of one purpose in the ledger: an intent before each request, an end after it."""

    purpose: WritePurpose
    ledger: Ledger
    run: str | None = None

    def intend(self, jira: JiraSite, intent: Intent, *, name: str) -> WriteIntended:
        """Record a write that is about to be sent; it is on disk when this returns."""
        write = intent.write
        intended = WriteIntended(
            purpose=self.purpose,
            write=name,
            # A creation writes over the link of the same globalId.
            action="update" if write.action == "create" and intent.before else write.action,
            site=jira.url,
            issue=write.issue,
            link_id=intent.link_id,
            global_id=intent.global_id,
            before=intent.before,
            after=None if write.body is None else dict(write.body),
            request=jira.request_json(write),
        )
        self.ledger.append(intended, run=self.run)
        return intended

    def end(
        self,
        name: str,
        result: WriteResult,
        detail: str,
        exchange: Any = None,
        *,
        link_id: str | None = None,
        **found: Any,
    ) -> None:
        """Record what became of a write; `found` are `record` and `replaced` of `WriteEnded`."""
        ended = WriteEnded(
            purpose=self.purpose,
            write=name,
            result=result,
            link_id=link_id,
            detail=detail,
            exchange=exchange,
            **found,
        )
        self.ledger.append(ended, run=self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Do not write, and why; `link_id` names the link that stands there instead."""

    reason: str
    link_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(ABC):
    """One write that is wanted: `name` is the name of the write within the ledger.

    `site` is the URL of the site and `issue` the key of the issue that holds the link.
    """

    name: str
    site: str
    issue: str
    target: str
    global_id: str | None

    @abstractmethod
    def decide(self, links: Sequence[Record]) -> Intent | Skip:
        """Return what to do, given the links that are on the issue now."""

    @abstractmethod
    def listed(self) -> dict[str, Any]:
        """Return the order as `links.listed` keeps it and `--dry-run` shows it."""


OrderT_co = TypeVar("OrderT_co", bound=Order, covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A link that is left alone, with the reason; `unread` where its issue could not be read."""

    site: str
    issue: str
    target: str
    link_id: str | None
    reason: str
    unread: bool = False

    def listed(self) -> dict[str, Any]:
        """Return it as `links.listed` keeps it."""
        return {name: value for name, value in asdict(self).items() if name != "unread"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteList(Generic[OrderT_co]):
    """What `repair` or `rollback` is about to do, and what it leaves alone.

    `settled` counts the writes of an earlier process that were looked up first, `not_looked_at` the
    links that could not be looked at.
    """

    listing: str
    orders: tuple[OrderT_co, ...]
    left: tuple[Left, ...]
    settled: int = 0
    not_looked_at: int = 0


def what_became(intended: WriteIntended, links: Sequence[Record]) -> Record | bool | None:
    """Return what an unknown outcome turns out to be, given the links that are there now.

    The record (True for a removal) where the write arrived, None where it did not, False where
    somebody changed the link since, so that nobody can say.
    """
    if intended.action == "create":
        same = [link for link in links if link.get("globalId") == intended.global_id]
        if not same:
            return None
        return next((link for link in same if holds(link, intended.after or {})), False)
    now = next((link for link in links if str(link.get("id")) == intended.link_id), None)
    if intended.action == "delete":
        if now is None:
            return True
        return None if _equal(now, intended.before) else False
    if now is None:
        return False
    if holds(now, intended.after or {}):
        return now
    return None if _equal(now, intended.before) else False


def holds(record: Any, sent: Any) -> bool:
    """Return whether a record holds everything that was sent; the server may add fields of its own."""
    if isinstance(sent, Mapping):
        return isinstance(record, Mapping) and all(
            holds(record.get(name), value)
            for name, value in sent.items()
            if value not in (None, {})
        )
    return bool(record == sent)


def _equal(record: Record, before: Mapping[str, Any] | None) -> bool:
    return before is not None and content_hash(record) == content_hash(before)


@dataclass(slots=True, kw_only=True)
class Outcomes:
    """What became of the orders, by name: (result, detail).

    `replaced` holds the names of creations that wrote over a link which was there by then.
    """

    by_name: dict[str, tuple[WriteResult, str]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    stopped_by: RunbookError | None = None

    def counts(self, orders: Iterable[Order]) -> dict[str, int]:
        """Return how many orders had which result; they add up to the orders."""
        attempted = (self.by_name.get(order.name) for order in orders)
        found = Counter("not_attempted" if known is None else known[0] for known in attempted)
        return {result: found[result] for result in RESULTS}


@dataclass(slots=True, kw_only=True)
class Writer:
    """The one way in which `repair` and `rollback` write.

    `sites` maps a site's URL to its client; `progress` is told of every outcome.
    """

    log: WriteLog
    clock: Clock
    sites: Mapping[str, JiraSite]
    progress: Callable[[Order, str, str], None] = lambda *_: None
    outcomes: Outcomes = field(default_factory=Outcomes)
    _refused: Counter[str] = field(default_factory=Counter)
    _beat_at_s: float = 0.0

    async def carry_out(self, todo: WriteList[Order], operator: str) -> Outcomes:
        """Record the list, carry out every order, record the end; return what became of each.

        A lost login or a network that is down stops the rest, which stays `not_attempted`; what was
        under way is brought to its end first.

        Raises:
            LedgerError: the ledger cannot be written; nothing more is sent.
        """
        log = self.log
        listed = LinksListed(
            purpose=log.purpose,
            listing=todo.listing,
            planned=[order.listed() for order in todo.orders],
            left=[left.listed() for left in todo.left],
            operator=operator,
        )
        log.ledger.append(listed, run=log.run)
        await self._write_all(todo.orders)
        counts = self.outcomes.counts(todo.orders)
        ended = LinksEnded(purpose=log.purpose, listing=todo.listing, counts=counts)
        log.ledger.append(ended, run=log.run)
        return self.outcomes

    async def settle(self, writes: Iterable[WriteIntended]) -> int:
        """Look up writes of which no end is known; return how many there were.

        Raises:
            RunbookError: a site cannot be asked; what was settled stays settled.
        """
        settled = 0
        for intended in writes:
            jira = self.sites[intended.site]
            await jira.myself()
            try:
                there = what_became(intended, await jira.remote_links(intended.issue))
            except JiraRefusedError as refusal:
                self.log.end(intended.write, "unknown", f"could not be looked up: {refusal}")
            else:
                self._settled(intended, there, "looked up again")
            settled += 1
        return settled

    async def _write_all(self, orders: Sequence[Order]) -> None:
        by_issue: dict[tuple[str, str], list[Order]] = {}
        for order in orders:
            by_issue.setdefault((order.site, order.issue), []).append(order)
        for site in dict.fromkeys(order.site for order in orders):
            await self.sites[site].myself()
        waiting = iter(by_issue.values())
        writers = min(WRITERS, len(by_issue))
        await asyncio.gather(*(self._worker(waiting) for _ in range(writers)))

    async def _worker(self, waiting: Iterator[list[Order]]) -> None:
        for orders in waiting:
            for order in orders:
                if self.outcomes.stopped_by is not None:
                    return
                if self._refused[order.site] >= _REFUSED_IN_A_ROW:
                    continue
                try:
                    await self._carry_out(order)
                except _STOPPING as problem:
                    self.outcomes.stopped_by = problem
                    return

    async def _carry_out(self, order: Order) -> None:
        """Bring one order to its end: look, decide, intend, send; look again where nobody knows."""
        jira = self.sites[order.site]
        intended: WriteIntended | None = None
        for look in range(ATTEMPTS + 1):
            self._heartbeat()
            # Right before every write: what was listed minutes ago may have changed since.
            try:
                links = await jira.remote_links(order.issue)
            except JiraRefusedError as refusal:
                return self._say(order, "refused", f"the issue could not be read: {refusal}")
            if intended is not None:
                there = what_became(intended, links)
                result = self._settled(intended, there, "looked up")
                if there is not None:
                    return self._say(order, result, "the answer was lost; looked up")
            if look == ATTEMPTS:
                return self._say(order, "unknown", f"no answer to {ATTEMPTS} attempts")
            decision = order.decide(links)
            if isinstance(decision, Skip):
                reason = decision.reason
                self.log.end(order.name, "skipped", reason, link_id=decision.link_id)
                return self._say(order, "skipped", reason)
            # On disk before the request: a process that dies between them finds it and looks it up.
            name = order.name if look == 0 else f"{order.name}.{look}"
            intended = self.log.intend(jira, decision, name=name)
            if await self._send(jira, order, intended, decision):
                return None
            await self.clock.sleep(2.0 * 2**look)
        return None

    async def _send(
        self, jira: JiraSite, order: Order, intended: WriteIntended, intent: Intent
    ) -> bool:
        """Send one write; return False where its outcome is unknown and must be looked up."""
        name, removal = intended.write, intent.after is None
        try:
            written = await jira.perform(intent.write)
        except WriteUnknownError as unknown:
            self.log.end(name, "unknown", str(unknown), unknown.exchange)
            self._say(order, "unknown", str(unknown))
            return False
        except JiraRefusedError as refusal:
            if removal and await self._is_gone(jira, order, intended, refusal):
                self._refused[order.site] = 0
                self._ended(order, name, "skipped", "it was gone already", refusal.exchange)
            else:
                self._refused[order.site] += 1
                self._ended(order, name, "refused", str(refusal), refusal.exchange)
            return True
        except _STOPPING as problem:
            self._ended(order, name, "refused", f"not written: {problem}", problem.exchange)
            raise
        self._refused[order.site] = 0
        link_id = written.link_id or intent.link_id
        replaced = intent.write.action == "create" and not written.created
        if replaced:
            self.outcomes.replaced.add(order.name)
        self._ended(
            order,
            name,
            "done",
            "a link of the same globalId was there by then and was replaced" * replaced,
            written.exchange,
            link_id=link_id,
            record=None if removal else await self._read_back(jira, order, link_id),
            replaced=replaced,
        )
        return True

    async def _is_gone(
        self, jira: JiraSite, order: Order, intended: WriteIntended, refusal: JiraRefusedError
    ) -> bool:
        """Return whether a refusal is a 404 because the link is gone, and no loss of access.

        Raises:
            LoginLostError, NotReachedError, NotDocumentedError: it could not be looked up; the write
            is recorded as refused.
        """
        if refusal.status != 404:
            return False
        try:
            await jira.confirm_login()
            links = await jira.remote_links(order.issue)
        except JiraRefusedError:
            return False
        except _STOPPING:
            self._ended(order, intended.write, "refused", str(refusal), refusal.exchange)
            raise
        return all(str(link.get("id")) != intended.link_id for link in links)

    def _settled(
        self, intended: WriteIntended, there: Record | bool | None, how: str
    ) -> WriteResult:
        name = intended.write
        if there is None or there is False:
            said = "it did not arrive" if there is None else "somebody else has changed the link"
            self.log.end(name, "skipped", f"{how}: {said}")
            return "skipped"
        record = None if there is True else there
        link_id = intended.link_id if record is None else str(record.get("id"))
        self.log.end(name, "done", f"{how}: it had arrived", link_id=link_id, record=record)
        return "done"

    async def _read_back(self, jira: JiraSite, order: Order, link_id: str | None) -> Record | None:
        if link_id is None:
            return None
        try:
            return await jira.remote_link(order.issue, link_id)
        except RunbookError:
            # The write is what counts; without the record the sent one is compared later.
            return None

    def _ended(
        self, order: Order, name: str, result: WriteResult, detail: str, exchange: Any, **more: Any
    ) -> None:
        self.log.end(name, result, detail, exchange, **more)
        self._say(order, result, detail)

    def _say(self, order: Order, result: WriteResult, detail: str) -> None:
        self.outcomes.by_name[order.name] = (result, detail)
        self.progress(order, result, detail)

    def _heartbeat(self) -> None:
        now_s = self.clock.monotonic_s()
        if now_s - self._beat_at_s >= _HEARTBEAT_S:
            self._beat_at_s = now_s
            self.log.ledger.heartbeat()


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
    target, global_id = value.get("object"), value.get("globalId")
    if not isinstance(target, dict):
        raise UsageError(f"{where} has no `object`", hint=hint)
    for name in ("url", "title"):
        if not isinstance(target.get(name), str) or not target[name].strip():
            raise UsageError(f"{where} has no `object.{name}`", hint=hint)
    if not isinstance(global_id, str | None):
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
        write = update_write(issue, link_id, record)
        return Intent(write=write, global_id=global_id, before=before)
    found = await _with_global_id(site, issue, global_id) if global_id else []
    write = create_write(issue, record)
    return Intent(write=write, global_id=global_id, before=found[0] if found else None)


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
    return Intent(write=write, global_id=before.get("globalId"), before=before)


async def look_again(site: JiraSite, intent: Intent) -> None:
    """Make sure that nobody changed the link since it was shown.

    Raises:
        RemoteError: somebody did; nothing was written.
    """
    issue = intent.write.issue
    if intent.before is not None:
        try:
            now = await site.remote_link(issue, intent.link_id or "")
            same = _equal(now, intent.before)
        except JiraRefusedError as refusal:
            if refusal.status != 404:
                raise
            same = False
    else:
        same = not (intent.global_id and await _with_global_id(site, issue, intent.global_id))
    if not same:
        raise RemoteError(
            f"the link on `{issue}` was changed by somebody else meanwhile; nothing was written",
            hint="run the same command again to see it as it is now",
        )


async def write_by_hand(jira: JiraSite, intent: Intent, ledger: Ledger) -> Written:
    """Record the intent, send the write, record what became of it.

    Raises:
        JiraRefusedError, NotReachedError, LoginLostError: nothing was changed.
        WriteUnknownError: it may have arrived.
    """
    log, name = WriteLog(purpose="links", ledger=ledger), secrets.token_hex(8)
    log.intend(jira, intent, name=name)
    try:
        written = await jira.perform(intent.write)
    except WriteUnknownError as unknown:
        log.end(name, "unknown", str(unknown), unknown.exchange, link_id=intent.link_id)
        raise
    except (JiraRefusedError, *_STOPPING) as refusal:
        log.end(name, "refused", str(refusal), refusal.exchange, link_id=intent.link_id)
        raise
    log.end(name, "done", "", written.exchange, link_id=written.link_id or intent.link_id)
    return written


async def _with_global_id(site: JiraSite, issue: str, global_id: str) -> list[Record]:
    return [link for link in await site.remote_links(issue) if link.get("globalId") == global_id]
