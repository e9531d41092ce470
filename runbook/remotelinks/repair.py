"""Repair: create the links that are missing, and nothing else.

In: what a comparison calls missing, and links to learn the shape from. Out: orders to create whole
records, each with a `globalId`, and what is left alone with the reason. A link that is there already,
in whatever words, is never overwritten. Deciding is pure; writing is in `writes`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook.atlassian.errors import JiraRefusedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Record, create_write
from runbook.errors import UsageError
from runbook.plan.model import Plan
from runbook.remotelinks.comparison import Comparison, MissingRow
from runbook.remotelinks.model import content_hash
from runbook.remotelinks.pointing import OLD, Addresses
from runbook.remotelinks.shape import NoShape, Sample, Shape, Target, learned, weblink
from runbook.remotelinks.writes import Intent, Leave, Left, Order, WriteList

SAMPLES_PER_JOB = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrder(Order):
    """One missing link that is to be created; `target_site` and `keys` tell its target apart."""

    job: str
    record: Mapping[str, Any]
    target_site: str
    keys: tuple[str, ...]
    issue_id: int | None
    addresses: Addresses = field(repr=False, compare=False)

    def decide(self, links: Sequence[Record]) -> Intent | Leave:
        """Return that the link is to be created, unless one to the same target is there."""
        wanted = content_hash(self.record)
        for link in links:
            if content_hash(link) == wanted:
                reason = "an equal link is there"
            elif link.get("globalId") == self.global_id:
                reason = "a link of the same globalId is there; it is left as it is"
            elif self._same_target(link):
                reason = "a link to the same target is there; it is left as it is"
            else:
                continue
            return Leave(reason=reason, link_id=str(link.get("id")))
        write = create_write(self.issue, self.record)
        return Intent(write=write, link_id=None, global_id=self.global_id, before=None)

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
        point = self.addresses.pointer_of(link)
        return point.hits(self.target_site, self.keys, self.issue_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairList(WriteList[CreateOrder]):
    """What `repair` is about to do; `shapes` says for each job where its shape comes from.

    `for_later` counts those of `left` that the next round of the run can still serve.
    """

    shapes: Mapping[str, str]
    for_later: int = 0


def planned(
    *,
    listing: str,
    missing: Iterable[MissingRow],
    addresses: Addresses,
    shapes: Mapping[str, Shape | NoShape],
    as_weblink: bool,
    also_unserved: bool = False,
    settled: int = 0,
    not_looked_at: int = 0,
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
                target=str(record["object"]["url"]),
                global_id=str(record["globalId"]),
                record=record,
                target_site=row.target_site,
                keys=row.target_keys,
                issue_id=row.target_id,
                addresses=addresses,
            )
        )
    return RepairList(
        listing=listing,
        orders=tuple(orders),
        left=tuple(left),
        shapes={order.job: _source(shapes.get(order.job)) for order in orders},
        for_later=for_later,
        settled=settled,
        not_looked_at=not_looked_at,
    )


def shapes_from_snapshot(comparison: Comparison) -> dict[str, Shape | NoShape]:
    """Return the shape of every job's direction, learned from links that Atlassian's job made.

    Links that `repair` wrote are no evidence of how Atlassian writes.
    """
    result: dict[str, Shape | NoShape] = {}
    for instance in comparison.store.plan.instances:
        samples = [
            Sample(
                record=json.loads(link.record),
                key=link.key,
                issue_id=link.issue_id,
                where=f"link {link.link_id} on {link.issue}",
            )
            for link in comparison.made_links(
                instance.id, instance.destination_url, limit=SAMPLES_PER_JOB
            )
        ]
        result[instance.id] = learned(samples)
    return result


async def shapes_by_hand(
    likes: Iterable[tuple[str, str]],
    plan: Plan,
    sites: Mapping[str, JiraSite],
    addresses: Addresses,
) -> dict[str, Shape | NoShape]:
    """Return the shapes of links that a person made: `likes` are (site URL, issue key).

    Raises:
        UsageError: the issue is not there, or holds no link to another site of the plan.
    """
    samples: dict[str, list[Sample]] = {}
    for site, issue in likes:
        try:
            links = await sites[site].remote_links(issue)
        except JiraRefusedError as refusal:
            raise UsageError(
                f"`--like` names `{issue}`, which cannot be read: {refusal}"
            ) from refusal
        found = False
        for link in links:
            point = addresses.pointer_of(link)
            if point.site in (None, OLD, site) or point.key is None:
                continue
            found = True
            there = await sites[point.site].issue(point.key)
            for instance in plan.instances:
                if (instance.product_url, instance.destination_url) == (site, point.site):
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


def _source(shape: Shape | NoShape | None) -> str:
    return f"like {shape.learned_from}" if isinstance(shape, Shape) else "as web links"
