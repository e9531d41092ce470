"""Roll back: remove the links this tool created, and nothing else.

Ours is a link that the ledger names: written by `repair`, or recorded by `verify` and absent in the
snapshot from before, now pointing to the destination of a job of this run, and expected or, by the
issue's own history, added by the run's account while that job ran. A link that was there before and
was rewritten from an old base URL is restored. Whatever changed since it was recorded is left.
"""

import asyncio
import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runbook.atlassian.errors import JiraRefusedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Record, delete_write, update_write
from runbook.errors import RunbookError
from runbook.ledger.events.links import LinksArrived
from runbook.ledger.store import Ledger
from runbook.remotelinks.history import SiteHistory
from runbook.remotelinks.mapping import PlanMap
from runbook.remotelinks.model import HASH_DIGITS, RecordedLink, content_hash, writable
from runbook.remotelinks.pointing import Addresses, address_of
from runbook.remotelinks.snapshot_file import IssueState, LinkRow, SnapshotFile
from runbook.remotelinks.writes import WRITERS, Intent, Left, Order, Skip, WriteList
from runbook.view import RunView, Write

NOT_UNDONE = (
    "rewritten text is not undone: descriptions and comments keep the new addresses",
    "Atlassian may not recreate these links again: its data about them is deleted two weeks after the migration",
)
# A poll sees the end of a job a little later than the job's last write, never earlier; clocks differ.
_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A link that the ledger names for this run, as it was recorded.

    `job` made it, where a verification says so; `written` marks a link that `repair` wrote, `replaced`
    that it wrote over somebody's own in doing so.
    """

    site: str
    link: RecordedLink
    job: str | None = None
    written: bool = False
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revert(Order):
    """One link that is to be removed, or, with `restored`, to be written as it was before."""

    link_id: str
    hash: str
    why: str
    restored: Mapping[str, Any] | None = None

    def decide(self, links: Sequence[Record]) -> Intent | Skip:
        """Return the write, unless the link is gone or differs from what was recorded."""
        # Between the list and this write somebody may have changed the link: only what is still as
        # recorded is ours to take back.
        now = next((link for link in links if str(link.get("id")) == self.link_id), None)
        if now is None:
            return Skip(reason="it is gone already", link_id=self.link_id)
        if content_hash(now)[:HASH_DIGITS] != self.hash:
            return Skip(reason="it changed since it was recorded", link_id=self.link_id)
        if self.restored is None:
            write = delete_write(self.issue, self.link_id)
        else:
            write = update_write(self.issue, self.link_id, writable(self.restored))
        return Intent(write=write, global_id=self.global_id, before=now)

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


class LinksBefore:
    """What the snapshot from before the run says of the candidates: their issues and their links."""

    def __init__(self, snapshot: SnapshotFile, named: Collection[Candidate]) -> None:
        # A link is known by its id alone, since its issue may have been asked by another key then.
        wanted = {(candidate.site, candidate.link.link_id) for candidate in named}
        self.links = {
            (link.site, link.link_id): link
            for link in snapshot.links()
            if (link.site, link.link_id) in wanted
        }
        issues = {(candidate.site, candidate.link.issue) for candidate in named}
        self.issues_read = {
            (row.site, name)
            for row in snapshot.issues(state=IssueState.READ.value)
            for name in (row.asked, row.key)
            if (row.site, name) in issues
        }


def candidates(view: RunView, ledger: Ledger) -> dict[tuple[str, int], Candidate]:
    """Return every link that the ledger names for a run, by site and link id, less those taken back."""
    found: dict[tuple[str, int], Candidate] = {}
    for recorded in ledger.events(kinds=(LinksArrived.KIND,)):
        if recorded.run != view.id or not isinstance(recorded.event, LinksArrived):
            continue
        site = recorded.event.site
        for link in RecordedLink.in_lines(recorded.event.links):
            found[site, link.link_id] = Candidate(site=site, link=link, job=recorded.job)
    done = [write for write in view.writes if write.ended and write.ended.result == "done"]
    for write in done:
        ours = _written(write) if write.intended.purpose == "repair" else None
        if ours is not None:
            known = found.get((ours.site, ours.link.link_id))
            if known is not None and known.written:
                # A link that was written twice is whose it was at first.
                ours = dataclasses.replace(ours, replaced=known.replaced)
            found[ours.site, ours.link.link_id] = ours
    for write in done:
        if write.intended.purpose == "rollback" and write.intended.link_id is not None:
            found.pop((write.intended.site, int(write.intended.link_id)), None)
    return found


def _written(write: Write) -> Candidate | None:
    ended, intended = write.ended, write.intended
    if ended is None or ended.link_id is None or intended.after is None:
        return None
    record = ended.record if ended.record is not None else intended.after
    digest = content_hash(record)[:HASH_DIGITS]
    link = RecordedLink(intended.issue, int(ended.link_id), digest, expected=True, before="absent")
    return Candidate(site=intended.site, link=link, written=True, replaced=ended.replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlanner:
    """Decides which candidates are ours; reads the issues as they are now."""

    view: RunView
    before: LinksBefore
    addresses: Addresses
    plan_map: PlanMap
    sites: Mapping[str, JiraSite]
    history: SiteHistory

    async def listed(
        self, listing: str, named: Iterable[Candidate], *, settled: int = 0
    ) -> WriteList[Revert]:
        """Return what will be done and what is left, with every issue read once."""
        by_issue: dict[tuple[str, str], list[Candidate]] = {}
        for candidate in named:
            by_issue.setdefault((candidate.site, candidate.link.issue), []).append(candidate)
        accounts = {url: (await jira.myself()).account_id for url, jira in self.sites.items()}
        decided: dict[tuple[str, str], list[Revert | Left]] = {}
        waiting = iter(sorted(by_issue.items()))

        async def worker() -> None:
            for (site, issue), members in waiting:
                decided[site, issue] = await self._issue(site, issue, members, accounts[site])

        await asyncio.gather(*(worker() for _ in range(min(WRITERS, len(by_issue)))))
        orders: list[Revert] = []
        left: list[Left] = []
        for _, members in sorted(decided.items()):
            for decision in members:
                if isinstance(decision, Left):
                    left.append(decision)
                else:
                    name = f"{listing}.{len(orders) + 1}"
                    orders.append(dataclasses.replace(decision, name=name))
        return WriteList(
            listing=listing,
            orders=tuple(orders),
            left=tuple(left),
            settled=settled,
            not_looked_at=sum(link.unread for link in left),
        )

    async def _issue(
        self, site: str, issue: str, members: Sequence[Candidate], account: str
    ) -> list[Revert | Left]:
        try:
            records = await self.sites[site].remote_links(issue)
        except JiraRefusedError as refusal:
            reason = f"the issue cannot be read: {refusal}"
            return [_left(candidate, "", reason, unread=True) for candidate in members]
        links = {str(record.get("id")): record for record in records}
        return [
            await self._order(candidate, links.get(str(candidate.link.link_id)), account)
            for candidate in members
        ]

    async def _order(self, candidate: Candidate, now: Record | None, account: str) -> Revert | Left:
        """Return the order to take back a link that is ours; `now` is its present record."""
        if now is None:
            return _left(candidate, "", "it is gone already")
        site, link = candidate.site, candidate.link
        url = address_of(now)
        then = self.before.links.get((site, link.link_id))
        reason = self._not_ours(candidate, now, then)
        if reason:
            return _left(candidate, url, reason)
        if candidate.written:
            why = "written by repair"
        elif not self.plan_map.job_between(site, self.addresses.pointer_of(now).site):
            reason = "it does not point to the destination of a job of this run"
            return _left(candidate, url, reason)
        elif link.expected:
            why = "recorded by verify as new and expected"
        else:
            added = await self._added_by_us(candidate, account)
            if added is None:
                reason = "it is not expected, and the issue's history does not say that the run's account added it during the job"
                return _left(candidate, url, reason)
            why = (
                f"added by the run's account at {added:%Y-%m-%d %H:%M} UTC, by the issue's history"
            )
        return Revert(
            name="",
            site=site,
            issue=link.issue,
            link_id=str(link.link_id),
            hash=link.hash,
            target=url,
            global_id=None if now.get("globalId") is None else str(now["globalId"]),
            why=why if then is None else f"{why}; restored as it was before",
            restored=None if then is None else json.loads(then.record),
        )

    def _not_ours(self, candidate: Candidate, now: Record, then: LinkRow | None) -> str:
        """Return why a link is not as the ledger says, or was somebody else's before; else nothing."""
        if candidate.replaced:
            return "repair wrote over a link that somebody had made meanwhile"
        if content_hash(now)[:HASH_DIGITS] != candidate.link.hash:
            return "it changed since it was recorded"
        if (candidate.site, candidate.link.issue) not in self.before.issues_read:
            return "the snapshot from before does not hold this issue"
        if then is not None and then.hash[:HASH_DIGITS] == candidate.link.hash:
            return "it was there before, as it is now"
        if then is not None and then.hash[:HASH_DIGITS] != candidate.link.before:
            return "it was there before, and the ledger does not say so"
        return ""

    async def _added_by_us(self, candidate: Candidate, account: str) -> datetime | None:
        job = None if candidate.job is None else self.view.job(candidate.job)
        if job is None or job.submitted_at is None:
            return None
        begin = job.submitted_at - _CLOCKS_DIFFER
        end = None if job.ended_at is None else job.ended_at + _CLOCKS_DIFFER
        link = candidate.link
        try:
            async for _, changes in self.history.changes(candidate.site, (link.issue,)):
                for change in changes:
                    added = change.link_id == str(link.link_id) and not change.removed
                    in_time = change.at and begin <= change.at and (not end or change.at <= end)
                    if added and in_time and change.author_id == account:
                        return change.at
        except RunbookError:
            pass
        return None


def _left(candidate: Candidate, url: str, reason: str, *, unread: bool = False) -> Left:
    return Left(
        site=candidate.site,
        issue=candidate.link.issue,
        target=url,
        link_id=str(candidate.link.link_id),
        reason=reason,
        unread=unread,
    )
