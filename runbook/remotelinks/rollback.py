"""Roll back: take back the links that are ours, and nothing else.

Ours is a link that the ledger names: written by `repair`, or recorded by `verify` and absent in the
snapshot from before, now pointing to the destination of a job of this run, and expected or, by the
issue's own history, added by the run's account while that job ran. A link that was there before and
was rewritten from an old base URL is restored. Whatever changed since it was recorded is left.
"""

import asyncio
import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from runbook.atlassian.errors import JiraRefusedError
from runbook.atlassian.jira import JiraSite, Record, delete_write, update_write
from runbook.clock import parse_utc
from runbook.errors import RunbookError
from runbook.ledger.link_events import LinksArrived, LinksEnded, LinksListed
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.remotelinks.compare import Addresses
from runbook.remotelinks.history import History
from runbook.remotelinks.mapping import PlanMap
from runbook.remotelinks.model import content_hash, writable
from runbook.remotelinks.repair import Left
from runbook.remotelinks.snapshot_file import open_snapshot
from runbook.remotelinks.staging import HASH_DIGITS
from runbook.remotelinks.writing import WRITERS, Go, Leave, Outcomes, Writer
from runbook.view import RunView, Write

PURPOSE = "rollback"
NOT_UNDONE = (
    "rewritten text is not undone: descriptions and comments keep the new addresses",
    "Atlassian may not recreate these links again: its data about them is deleted two weeks after the migration",
)
# A poll sees the end of a job a little later than the job's last write, never earlier; clocks differ.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A link that the ledger names for this run.

    `hash` is that of the record as it was recorded (its first 32 digits); `before` is `absent`,
    `unknown` or the hash it had before. `written` marks a link that `repair` wrote, `replaced`
    that it wrote over somebody's own in doing so.
    """

    site: str
    issue: str
    link_id: str
    hash: str
    job: str | None
    expected: bool
    before: str
    written: bool
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """One link that is to be removed, or, with `restored`, to be written as it was before."""

    name: str
    site: str
    issue: str
    link_id: str
    hash: str
    target: str
    global_id: str | None
    why: str
    restored: Mapping[str, Any] | None = None

    def decide(self, links: Sequence[Record]) -> Go | Leave:
        """Return the write, unless the link is gone or differs from what was recorded."""
        now = next((one for one in links if str(one.get("id")) == self.link_id), None)
        if now is None:
            return Leave(reason="it is gone already", link_id=self.link_id)
        if content_hash(now)[:HASH_DIGITS] != self.hash:
            return Leave(reason="it changed since it was recorded", link_id=self.link_id)
        if self.restored is None:
            write = delete_write(self.issue, self.link_id)
        else:
            write = update_write(self.issue, self.link_id, writable(self.restored))
        return Go(write=write, link_id=self.link_id, before=now)

    def listed(self) -> dict[str, Any]:
        """Return the order as `links.listed` keeps it and `--dry-run` shows it."""
        return {
            "write": self.name,
            "action": "delete" if self.restored is None else "update",
            "site": self.site,
            "issue": self.issue,
            "target": self.target,
            "link_id": self.link_id,
            "global_id": self.global_id,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackList:
    """What `rollback` is about to do, and what it leaves alone.

    `not_looked_at` counts those of `left` whose issue could not be read.
    """

    listing: str
    orders: tuple[TakeBack, ...]
    left: tuple[Left, ...]
    not_looked_at: int = 0


class Before:
    """The snapshot from before the run: which issues it read, and which links were there."""

    def __init__(self, path: Path) -> None:
        with open_snapshot(path) as snapshot:
            self.meta = snapshot.meta()
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        # The whole of a site's ids is needed: an issue may have been asked by another key then.
        self._db.execute("PRAGMA temp_store = FILE")
        self._db.execute("CREATE TEMP TABLE known AS SELECT site, link_id, issue FROM main.link")
        self._db.execute("CREATE INDEX temp.known_by_id ON known(site, link_id)")
        self._db.execute(
            "CREATE TEMP TABLE names(site TEXT, name TEXT, PRIMARY KEY(site, name)) WITHOUT ROWID"
        )
        for column in ("asked", "key"):
            self._db.execute(
                f"INSERT OR IGNORE INTO names SELECT site, {column} FROM main.issue"  # noqa: S608 - one of two column names
                f" WHERE state = 'read' AND {column} IS NOT NULL"
            )

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def read(self, site: str, issue: str) -> bool:
        """Return whether the issue's links were read."""
        query = "SELECT 1 FROM names WHERE site = ? AND name = ?"
        return self._db.execute(query, (site, issue)).fetchone() is not None

    def record(self, site: str, link_id: str) -> tuple[dict[str, Any], str] | None:
        """Return a link's record and its hash as they were, None where it was not there."""
        row = self._db.execute(
            "SELECT l.record, l.hash FROM known k JOIN main.link l"
            " ON l.site = k.site AND l.issue = k.issue AND l.link_id = k.link_id"
            " WHERE k.site = ? AND k.link_id = ?",
            (site, int(link_id)),
        ).fetchone()
        return None if row is None else (json.loads(row[0]), row[1])


def candidates(view: RunView, ledger: Ledger) -> dict[tuple[str, str], Candidate]:
    """Return every link that the ledger names for a run, by site and link id, less those taken back."""
    found: dict[tuple[str, str], Candidate] = {}
    for seen in ledger.events(kinds=(LinksArrived.KIND,)):
        if seen.run != view.id or not isinstance(seen.event, LinksArrived):
            continue
        for one in arrived(seen.event, seen.job):
            found[one.site, one.link_id] = one
    for write in view.writes:
        done = write.ended is not None and write.ended.result == "done"
        if write.intended.purpose == "repair" and done:
            ours = _written(write)
            if ours is not None:
                known = found.get((ours.site, ours.link_id))
                if known is not None and known.written:
                    # A link that was written twice is whose it was at first.
                    ours = dataclasses.replace(ours, replaced=known.replaced)
                found[ours.site, ours.link_id] = ours
    for write in view.writes:
        done = write.ended is not None and write.ended.result == "done"
        if write.intended.purpose == PURPOSE and done and write.intended.link_id is not None:
            found.pop((write.intended.site, write.intended.link_id), None)
    return found


def arrived(event: LinksArrived, job: str | None) -> Iterator[Candidate]:
    """Yield the links that a `links.arrived` event names."""
    for line in event.links.splitlines():
        parts = line.split(" ")
        if len(parts) == 5:
            yield Candidate(
                site=event.site,
                issue=parts[0],
                link_id=parts[1],
                hash=parts[2],
                job=job,
                expected=parts[3] == "1",
                before=parts[4],
                written=False,
            )


def _written(write: Write) -> Candidate | None:
    ended, intended = write.ended, write.intended
    if ended is None or ended.link_id is None or intended.after is None:
        return None
    record = ended.record if ended.record is not None else intended.after
    return Candidate(
        site=intended.site,
        issue=intended.issue,
        link_id=ended.link_id,
        hash=content_hash(record)[:HASH_DIGITS],
        job=None,
        expected=True,
        before="absent",
        written=True,
        replaced=ended.replaced,
    )


def unsettled(view: RunView, purpose: str) -> tuple[Write, ...]:
    """Return the writes of a purpose of which no end is known."""
    return tuple(
        write
        for write in view.writes
        if write.intended.purpose == purpose
        and (write.ended is None or write.ended.result == "unknown")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Decides which candidates are ours; reads the issues as they are now.

    `destinations` maps a site to the numbers (of `addresses`) of the sites that a job links it to.
    """

    view: RunView
    before: Before
    addresses: Addresses
    destinations: Mapping[str, frozenset[int]]
    sites: Mapping[str, JiraSite]
    history: History

    async def listed(self, listing: str, named: Iterable[Candidate]) -> RollbackList:
        """Return what will be done and what is left, with every issue read once."""
        by_issue: dict[tuple[str, str], list[Candidate]] = {}
        for one in named:
            by_issue.setdefault((one.site, one.issue), []).append(one)
        accounts = {url: (await jira.myself()).account_id for url, jira in self.sites.items()}
        judged: dict[tuple[str, str], list[TakeBack | Left]] = {}
        waiting = iter(sorted(by_issue.items()))

        async def lane() -> None:
            for place, members in waiting:
                judged[place] = await self._issue(*place, members, accounts[place[0]])

        await asyncio.gather(*(lane() for _ in range(min(WRITERS, len(by_issue)))))
        all_of = [one for _, members in sorted(judged.items()) for one in members]
        orders = [one for one in all_of if isinstance(one, TakeBack)]
        left = [one for one in all_of if isinstance(one, Left)]
        numbered = tuple(
            dataclasses.replace(one, name=f"{listing}.{number}")
            for number, one in enumerate(orders, start=1)
        )
        return RollbackList(
            listing=listing,
            orders=numbered,
            left=tuple(left),
            not_looked_at=sum(one.unread for one in left),
        )

    async def _issue(
        self, site: str, issue: str, members: Sequence[Candidate], account: str
    ) -> list[TakeBack | Left]:
        try:
            records = await self.sites[site].remote_links(issue)
        except JiraRefusedError as refusal:
            reason = f"the issue cannot be read: {refusal}"
            return [dataclasses.replace(_left(one, "", reason), unread=True) for one in members]
        links = {str(one.get("id")): one for one in records}
        return [await self._order(one, links.get(one.link_id), account) for one in members]

    async def _order(self, one: Candidate, now: Record | None, account: str) -> TakeBack | Left:
        if now is None:
            return _left(one, "", "it is gone already")
        shown = now.get("object")
        url = str(shown.get("url") or "") if isinstance(shown, Mapping) else ""
        if one.replaced:
            return _left(one, url, "repair wrote over a link that somebody had made meanwhile")
        if content_hash(now)[:HASH_DIGITS] != one.hash:
            return _left(one, url, "it changed since it was recorded")
        then = self.before.record(one.site, one.link_id)
        if not self.before.read(one.site, one.issue):
            return _left(one, url, "the snapshot from before does not hold this issue")
        restored: Mapping[str, Any] | None = None
        if then is not None:
            record, digest = then
            if digest[:HASH_DIGITS] == one.hash:
                return _left(one, url, "it was there before, as it is now")
            if one.before != digest[:HASH_DIGITS]:
                return _left(one, url, "it was there before, and the ledger does not say so")
            restored = record
        if one.written:
            why = "written by repair"
        elif not self._points_to_destination(one.site, url, now):
            return _left(one, url, "it does not point to the destination of a job of this run")
        elif one.expected:
            why = "recorded by verify as new and expected"
        else:
            added = await self._added_by_us(one, account)
            if added is None:
                return _left(
                    one,
                    url,
                    "it is not expected, and the issue's history does not say that the run's account added it during the job",
                )
            why = (
                f"added by the run's account at {added:%Y-%m-%d %H:%M} UTC, by the issue's history"
            )
        return TakeBack(
            name="",
            site=one.site,
            issue=one.issue,
            link_id=one.link_id,
            hash=one.hash,
            target=url,
            global_id=None if now.get("globalId") is None else str(now["globalId"]),
            why=why if restored is None else f"{why}; restored as it was before",
            restored=restored,
        )

    def _points_to_destination(self, site: str, url: str, record: Record) -> bool:
        global_id = record.get("globalId")
        point = self.addresses.pointer(url, None if global_id is None else str(global_id))
        return point.site in self.destinations.get(site, frozenset())

    async def _added_by_us(self, one: Candidate, account: str) -> datetime | None:
        job = None if one.job is None else self.view.job(one.job)
        if job is None or job.submitted_at is None:
            return None
        begin = parse_utc(job.submitted_at) - _CLOCKS_DIFFER
        end = None if job.ended_at is None else parse_utc(job.ended_at) + _CLOCKS_DIFFER
        try:
            answers = [c async for _, c in self.history.changes(one.site, (one.issue,))]
        except RunbookError:
            return None
        for change in (change for changes in answers for change in changes):
            if change.removed or change.link_id != one.link_id or change.author_id != account:
                continue
            if change.at is not None and begin <= change.at and (end is None or change.at <= end):
                return change.at
        return None


def destinations_of(plan: Plan, numbers: Mapping[str, int]) -> dict[str, frozenset[int]]:
    """Return for each site the numbers of the sites that a job links it to."""
    places = PlanMap(plan)
    return {
        site: frozenset(
            number for target, number in numbers.items() if places.job_between(site, target)
        )
        for site in numbers
    }


async def carry_out(
    *, plan_list: RollbackList, writer: Writer, ledger: Ledger, run: str, operator: str
) -> Outcomes:
    """Write the list to the ledger, then take the links back, then write the end.

    Raises:
        LedgerError: the ledger cannot be written; nothing more is sent.
    """
    ledger.append(
        LinksListed(
            purpose=PURPOSE,
            listing=plan_list.listing,
            planned=[order.listed() for order in plan_list.orders],
            left=[one.listed() for one in plan_list.left],
            operator=operator,
        ),
        run=run,
    )
    outcomes = await writer.carry_out(plan_list.orders)
    counts = outcomes.counts(plan_list.orders)
    ledger.append(LinksEnded(purpose=PURPOSE, listing=plan_list.listing, counts=counts), run=run)
    return outcomes


def _left(one: Candidate, url: str, reason: str) -> Left:
    return Left(site=one.site, issue=one.issue, target=url, link_id=one.link_id, reason=reason)
