"""Repair: create the links that are missing, and nothing else.

In: what a comparison calls missing, and links to learn the shape from. Out: orders to create whole
records, each with a `globalId`, and what is left alone with the reason. A link that is there already,
in whatever words, is never overwritten. Deciding is pure; writing is in `writing`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.atlassian.errors import JiraRefusedError
from runbook.atlassian.jira import JiraSite, Record, create_write
from runbook.errors import UsageError
from runbook.ledger.link_events import LinksEnded, LinksListed
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.remotelinks.compare import Addresses
from runbook.remotelinks.model import content_hash
from runbook.remotelinks.shape import NoShape, Sample, Shape, Target, learned, weblink
from runbook.remotelinks.staging import MissingRow, Stage
from runbook.remotelinks.writing import Go, Leave, Outcomes, Writer

PURPOSE = "repair"
SAMPLES_PER_JOB = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrder:
    """One missing link that is to be created; `site_number` and `keys` tell its target apart."""

    name: str
    job: str
    site: str
    issue: str
    record: Mapping[str, Any]
    site_number: int
    keys: tuple[str, ...]
    issue_id: int | None
    addresses: Addresses = field(repr=False, compare=False)

    @property
    def global_id(self) -> str | None:
        """Return the globalId that the link gets."""
        return str(self.record["globalId"])

    @property
    def target(self) -> str:
        """Return the address that the link gets."""
        return str(self.record["object"]["url"])

    def decide(self, links: Sequence[Record]) -> Go | Leave:
        """Return that the link is to be created, unless one to the same target is there."""
        wanted = content_hash(self.record)
        for link in links:
            link_id = str(link.get("id"))
            if content_hash(link) == wanted:
                return Leave(reason="an equal link is there", link_id=link_id)
            if link.get("globalId") == self.global_id:
                return Leave(
                    reason="a link of the same globalId is there; it is left as it is",
                    link_id=link_id,
                )
            if self._same_target(link):
                return Leave(
                    reason="a link to the same target is there; it is left as it is",
                    link_id=link_id,
                )
        return Go(write=create_write(self.issue, self.record), link_id=None, before=None)

    def listed(self) -> dict[str, Any]:
        """Return the order as `links.listed` keeps it and `--dry-run` shows it."""
        return {
            "write": self.name,
            "action": "create",
            "job": self.job,
            "site": self.site,
            "issue": self.issue,
            "target": self.target,
            "link_id": None,
            "global_id": self.global_id,
            "record": dict(self.record),
        }

    def _same_target(self, link: Record) -> bool:
        shown = link.get("object")
        url = str(shown.get("url") or "") if isinstance(shown, Mapping) else ""
        point = self.addresses.pointer(url, _text(link.get("globalId")))
        if point.site == self.site_number and point.key in self.keys:
            return True
        return (
            self.issue_id is not None
            and point.issue_id == self.issue_id
            and (point.key is None or point.site == self.site_number)
        )


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
        return {
            "site": self.site,
            "issue": self.issue,
            "target": self.target,
            "link_id": self.link_id,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairList:
    """What `repair` is about to do; `shapes` says for each job where its shape comes from.

    `for_later` counts those of `left` that the next round of the run can still serve.
    """

    listing: str
    orders: tuple[CreateOrder, ...]
    left: tuple[Left, ...]
    shapes: Mapping[str, str]
    for_later: int = 0


def planned(
    *,
    listing: str,
    missing: Iterable[MissingRow],
    addresses: Addresses,
    numbers: Mapping[str, int],
    shapes: Mapping[str, Shape | NoShape],
    as_weblink: bool,
    also_unserved: bool = False,
) -> RepairList:
    """Return the orders for what is missing; each target of an issue once.

    What the next round of the run can still serve is left to it, unless `also_unserved` is set.
    """
    orders: list[CreateOrder] = []
    left: list[Left] = []
    for_later = 0
    seen: set[tuple[str, str, str, str]] = set()
    for row in missing:
        shape = shapes.get(row.job, NoShape(reason="no link is there to learn from"))
        target = Target(key=row.target_keys[0], issue_id=row.target_id, base=row.target_site)
        identity = (row.site, row.issue, row.target_site, target.key)
        reason = ""
        record: dict[str, Any] = {}
        if row.later and not also_unserved:
            reason = row.detail
            for_later += 1
        elif identity in seen:
            reason = "Jira holds one link per target: the first row's label is used"
        elif isinstance(shape, Shape) or as_weblink:
            try:
                record = (
                    shape.record(target, row.label)
                    if isinstance(shape, Shape)
                    else weblink(target, row.label)
                )
            except ValueError as problem:
                reason = str(problem)
        else:
            reason = f"its shape is not known: {shape.reason}"
        if reason:
            left.append(
                Left(site=row.site, issue=row.issue, target=target.url, link_id=None, reason=reason)
            )
            continue
        seen.add(identity)
        orders.append(
            CreateOrder(
                name=f"{listing}.{len(orders) + 1}",
                job=row.job,
                site=row.site,
                issue=row.issue,
                record=record,
                site_number=numbers[row.target_site],
                keys=row.target_keys,
                issue_id=row.target_id,
                addresses=addresses,
            )
        )
    used = {order.job for order in orders}
    words = {job: _source(shapes.get(job)) for job in used}
    return RepairList(
        listing=listing,
        orders=tuple(orders),
        left=tuple(left),
        shapes=words,
        for_later=for_later,
    )


def shapes_from_snapshot(stage: Stage, after: Path) -> dict[str, Shape | NoShape]:
    """Return the shape of every job's direction, learned from links that Atlassian's job made.

    Links that `repair` wrote are no evidence of how Atlassian writes.
    """
    result: dict[str, Shape | NoShape] = {}
    for job in (instance.id for instance in stage.plan.instances):
        samples = [
            Sample(
                record=json.loads(record),
                key=key,
                issue_id=issue_id,
                where=f"link {link_id} on {issue}",
            )
            for record, key, issue_id, link_id, issue in stage.made_links(
                job, after, limit=SAMPLES_PER_JOB
            )
        ]
        result[job] = learned(samples)
    return result


async def shapes_by_hand(
    likes: Iterable[tuple[str, str]],
    plan: Plan,
    sites: Mapping[str, JiraSite],
    addresses: Addresses,
    numbers: Mapping[str, int],
) -> dict[str, Shape | NoShape]:
    """Return the shapes of links that a person made: `likes` are (site URL, issue key).

    Raises:
        UsageError: the issue is not there, or holds no link to another site of the plan.
    """
    samples: dict[str, list[Sample]] = {}
    by_number = {number: url for url, number in numbers.items()}
    for site, issue in likes:
        try:
            links = await sites[site].remote_links(issue)
        except JiraRefusedError as refusal:
            raise UsageError(
                f"`--like` names `{issue}`, which cannot be read: {refusal}"
            ) from refusal
        found = False
        for link in links:
            shown = link.get("object")
            url = str(shown.get("url") or "") if isinstance(shown, Mapping) else ""
            point = addresses.pointer(url, _text(link.get("globalId")))
            target_site = by_number.get(point.site or 0)
            if target_site is None or point.key is None or target_site == site:
                continue
            found = True
            there = await sites[target_site].issue(point.key)
            for instance in plan.instances:
                if (instance.product_url, instance.destination_url) == (site, target_site):
                    samples.setdefault(instance.id, []).append(
                        Sample(
                            record=link,
                            key=point.key,
                            issue_id=None if there is None else there.id,
                            where=f"link {link.get('id')} on {issue}, made by hand",
                        )
                    )
        if not found:
            raise UsageError(
                f"`{issue}` on `{site}` holds no link to an issue on another site of the plan",
                hint="make one by hand there first (Link issue, choose the other site), then name that issue",
            )
    return {job: learned(members) for job, members in samples.items()}


async def carry_out(
    *, plan_list: RepairList, writer: Writer, ledger: Ledger, run: str, operator: str
) -> Outcomes:
    """Write the list to the ledger, then the links, then the end.

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
    ledger.append(
        LinksEnded(
            purpose=PURPOSE,
            listing=plan_list.listing,
            counts=outcomes.counts(plan_list.orders),
        ),
        run=run,
    )
    return outcomes


def _source(shape: Shape | NoShape | None) -> str:
    return f"like {shape.learned_from}" if isinstance(shape, Shape) else "as web links"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
