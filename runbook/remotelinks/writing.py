"""Many writes of remote links, one by one beyond doubt: looked at, intended, sent, recorded.

In: orders (what to write where, and what may stand in its way) and ports. Out: what became of each;
the results add up to the orders. For every order the issue is read right before the write; the
intent is in the ledger before the request; an outcome that cannot be known is looked up at once and,
after a crash, by the next process. One issue has one writer at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runbook.atlassian.errors import (
    JiraRefusedError,
    LoginLostError,
    NotDocumentedError,
    NotReachedError,
    WriteUnknownError,
)
from runbook.atlassian.jira import JiraSite, LinkWrite, Record
from runbook.clock import Clock
from runbook.errors import RunbookError
from runbook.ledger.link_events import WriteEnded, WriteIntended
from runbook.ledger.store import Ledger
from runbook.remotelinks.model import content_hash

RESULTS = ("done", "skipped", "refused", "unknown", "not_attempted")
WRITERS = 8
HEARTBEAT_S = 15.0
ATTEMPTS = 3  # of a write whose outcome is unknown and that turns out not to be there
_REFUSED_IN_A_ROW = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """The issue looks as expected: write. `before` is the record that is replaced or removed."""

    write: LinkWrite
    link_id: str | None
    before: Record | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Do not write, and why; `link_id` names the link that stands there instead."""

    reason: str
    link_id: str | None = None


class Order(Protocol):
    """One write that is wanted."""

    @property
    def name(self) -> str:
        """Return the name of the write within the ledger."""
        ...

    @property
    def site(self) -> str:
        """Return the URL of the site that holds the link."""
        ...

    @property
    def issue(self) -> str:
        """Return the key of the issue that holds the link."""
        ...

    @property
    def global_id(self) -> str | None:
        """Return the link's globalId."""
        ...

    def decide(self, links: Sequence[Record]) -> Go | Leave:
        """Return what to do, given the links that are on the issue now."""
        ...


def what_became(intended: WriteIntended, links: Sequence[Record]) -> Record | bool | None:
    """Return what an unknown outcome turns out to be, given the links that are there now.

    The record (True for a removal) where the write arrived, None where it did not, False where
    somebody changed the link since, so that nobody can say.
    """
    if intended.action == "create":
        same = [one for one in links if one.get("globalId") == intended.global_id]
        if not same:
            return None
        return next((one for one in same if holds(one, intended.after or {})), False)
    now = next((one for one in links if str(one.get("id")) == intended.link_id), None)
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

    by_name: dict[str, tuple[str, str]] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    stopped_by: RunbookError | None = None

    def counts(self, orders: Iterable[Order]) -> dict[str, int]:
        """Return how many orders had which result; they add up to the orders."""
        found = Counter(self.by_name.get(one.name, ("not_attempted", ""))[0] for one in orders)
        return {name: found[name] for name in RESULTS}


@dataclass(slots=True, kw_only=True)
class Writer:
    """The one way in which `repair` and `rollback` write.

    `sites` maps a site's URL to its client; `progress` is told of every outcome.
    """

    purpose: str
    run: str
    ledger: Ledger
    clock: Clock
    sites: Mapping[str, JiraSite]
    progress: Callable[[Order, str, str], None] = lambda *_: None
    outcomes: Outcomes = field(default_factory=Outcomes)
    _refused: Counter[str] = field(default_factory=Counter)
    _beat_at_s: float = 0.0

    async def carry_out(self, orders: Sequence[Order]) -> Outcomes:
        """Carry out every order and return what became of each.

        A lost login or a network that is down stops the rest, which stays `not_attempted`; what was
        under way is brought to its end first.
        """
        by_issue: dict[tuple[str, str], list[Order]] = {}
        for order in orders:
            by_issue.setdefault((order.site, order.issue), []).append(order)
        for site in dict.fromkeys(order.site for order in orders):
            await self.sites[site].myself()
        waiting = iter(by_issue.values())
        lanes = min(WRITERS, len(by_issue))
        await asyncio.gather(*(self._lane(waiting) for _ in range(lanes)))
        return self.outcomes

    async def _lane(self, waiting: Any) -> None:
        for group in waiting:
            for order in group:
                if self.outcomes.stopped_by is not None:
                    return
                if self._refused[order.site] >= _REFUSED_IN_A_ROW:
                    continue
                try:
                    await self._one(order)
                except (LoginLostError, NotReachedError, NotDocumentedError) as problem:
                    self.outcomes.stopped_by = problem
                    return

    async def settle(self, writes: Iterable[WriteIntended]) -> dict[str, str]:
        """Look up writes of which no end is known, and return the result of each by name.

        Raises:
            RunbookError: a site cannot be asked; what was settled stays settled.
        """
        results: dict[str, str] = {}
        for intended in writes:
            jira = self.sites[intended.site]
            await jira.myself()
            try:
                there = what_became(intended, await jira.remote_links(intended.issue))
            except JiraRefusedError as refusal:
                results[intended.write] = "unknown"
                self._end(intended, "unknown", f"could not be looked up: {refusal}")
                continue
            results[intended.write] = self._settled(intended, there, "looked up again")
        return results

    async def _one(self, order: Order) -> None:
        jira = self.sites[order.site]
        tried: list[WriteIntended] = []
        for look in range(ATTEMPTS + 1):
            self._heartbeat()
            try:
                links = await jira.remote_links(order.issue)
            except JiraRefusedError as refusal:
                return self._say(order, "refused", f"the issue could not be read: {refusal}")
            if tried:
                there = what_became(tried[-1], links)
                result = self._settled(tried[-1], there, "looked up")
                if there is not None:
                    return self._say(order, result, "the answer was lost; looked up")
            if look == ATTEMPTS:
                return self._say(order, "unknown", f"no answer to {ATTEMPTS} attempts")
            decision = order.decide(links)
            if isinstance(decision, Leave):
                return self._skip(order, decision)
            intended = self._intend(jira, order, decision, look)
            if await self._send(jira, order, intended, decision):
                return None
            tried.append(intended)
            await self.clock.sleep(2.0 * 2**look)
        return None

    def _intend(self, jira: JiraSite, order: Order, go: Go, look: int) -> WriteIntended:
        intended = WriteIntended(
            purpose=self.purpose,
            write=order.name if look == 0 else f"{order.name}.{look}",
            action=go.write.action,
            site=order.site,
            issue=order.issue,
            link_id=go.link_id,
            global_id=order.global_id,
            before=go.before,
            after=None if go.write.body is None else dict(go.write.body),
            request=jira.request_json(go.write),
        )
        self.ledger.append(intended, run=self.run)
        return intended

    async def _send(self, jira: JiraSite, order: Order, intended: WriteIntended, go: Go) -> bool:
        """Send one write; return False where its outcome is unknown and must be looked up."""
        try:
            written = await jira.perform(go.write)
        except WriteUnknownError as unknown:
            self._end(intended, "unknown", str(unknown), unknown.exchange)
            self._say(order, "unknown", str(unknown))
            return False
        except JiraRefusedError as refusal:
            gone = go.write.action == "delete" and refusal.status == 404
            if gone:
                gone = await self._is_gone(jira, order, intended, refusal)
            self._refused[order.site] = 0 if gone else self._refused[order.site] + 1
            result = "skipped" if gone else "refused"
            detail = "it was gone already" if gone else str(refusal)
            self._end(intended, result, detail, refusal.exchange)
            self._say(order, result, detail)
            return True
        except (NotReachedError, NotDocumentedError, LoginLostError) as problem:
            detail = f"not written: {problem}"
            self._end(intended, "refused", detail, problem.exchange)
            self._say(order, "refused", detail)
            raise
        self._refused[order.site] = 0
        link_id = written.link_id or go.link_id
        removed = go.write.action == "delete"
        record = None if removed else await self._read_back(jira, order, link_id)
        replaced = go.write.action == "create" and not written.created
        detail = "a link of the same globalId was there by then and was replaced" * replaced
        if replaced:
            self.outcomes.replaced.add(order.name)
        self._end(
            intended,
            "done",
            detail,
            written.exchange,
            link_id=link_id,
            record=record,
            replaced=replaced,
        )
        self._say(order, "done", detail)
        return True

    async def _is_gone(
        self, jira: JiraSite, order: Order, intended: WriteIntended, refusal: JiraRefusedError
    ) -> bool:
        """Return whether a link answered with 404 is no longer there, and the 404 no loss of access.

        Raises:
            LoginLostError, NotReachedError, NotDocumentedError: it could not be looked up; the write
            is recorded as refused.
        """
        try:
            await jira.confirm_login()
            links = await jira.remote_links(order.issue)
        except JiraRefusedError:
            return False
        except (NotReachedError, NotDocumentedError, LoginLostError):
            self._end(intended, "refused", str(refusal), refusal.exchange)
            self._say(order, "refused", str(refusal))
            raise
        return all(str(one.get("id")) != intended.link_id for one in links)

    def _settled(self, intended: WriteIntended, there: Record | bool | None, how: str) -> str:
        if there is None:
            self._end(intended, "skipped", f"{how}: it did not arrive")
            return "skipped"
        if there is False:
            self._end(intended, "skipped", f"{how}: somebody else has changed the link")
            return "skipped"
        record = None if there is True else there
        link_id = intended.link_id if record is None else str(record.get("id"))
        self._end(intended, "done", f"{how}: it had arrived", link_id=link_id, record=record)
        return "done"

    async def _read_back(self, jira: JiraSite, order: Order, link_id: str | None) -> Record | None:
        if link_id is None:
            return None
        try:
            return await jira.remote_link(order.issue, link_id)
        except RunbookError:
            # The write is what counts; without the record the sent one is compared later.
            return None

    def _skip(self, order: Order, leave: Leave) -> None:
        self.ledger.append(
            WriteEnded(
                purpose=self.purpose,
                write=order.name,
                result="skipped",
                link_id=leave.link_id,
                detail=leave.reason,
                exchange=None,
            ),
            run=self.run,
        )
        self._say(order, "skipped", leave.reason)

    def _end(
        self,
        intended: WriteIntended,
        result: str,
        detail: str,
        exchange: Any = None,
        *,
        link_id: str | None = None,
        record: Record | None = None,
        replaced: bool = False,
    ) -> None:
        self.ledger.append(
            WriteEnded(
                purpose=self.purpose,
                write=intended.write,
                result=result,
                link_id=link_id,
                detail=detail,
                exchange=exchange,
                record=record,
                replaced=replaced,
            ),
            run=self.run,
        )

    def _say(self, order: Order, result: str, detail: str) -> None:
        self.outcomes.by_name[order.name] = (result, detail)
        self.progress(order, result, detail)

    def _heartbeat(self) -> None:
        now_s = self.clock.monotonic_s()
        if now_s - self._beat_at_s >= HEARTBEAT_S:
            self._beat_at_s = now_s
            self.ledger.heartbeat()
