"""Repair: create the links that are missing, and nothing else.

In: what a comparison calls missing, and links to learn the shape from. Out: orders to create whole
records, each with a `globalId`, and what is left alone with the reason. A link that is there already,
in whatever words, is never overwritten. Deciding is pure; writing is in `writes`.

A shape is learned, never guessed: what the samples do not share is left out, and what belongs to one
target only (summary, status) always is.
"""

import copy
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from runbook.atlassian.errors import JiraRefusedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import GLOBAL_ID_LIMIT, Record, create_write
from runbook.errors import UsageError
from runbook.json_text import json_text
from runbook.plan.model import Plan
from runbook.remotelinks.compare import Kind
from runbook.remotelinks.comparison import Comparison, MissingRow
from runbook.remotelinks.expected import BadRow
from runbook.remotelinks.model import content, content_hash, writable
from runbook.remotelinks.pointing import OLD, Addresses
from runbook.remotelinks.writes import Intent, Left, Order, Skip, WriteList

_OF_ONE_TARGET = ("summary", "status", "title", "url")
_MARK = "&issueId="


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An issue to link to, as it is now: key, numeric id, and the base URL that addresses begin with."""

    key: str
    issue_id: int | None
    base: str

    @property
    def url(self) -> str:
        """Return the address that people open."""
        return f"{self.base.rstrip('/')}/browse/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A link that is there, with the key and id of the issue it points to; `where` names it."""

    record: Mapping[str, Any]
    key: str
    issue_id: int | None
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a link of one direction is written; `learned_from` names the sample."""

    app_id: str
    base: str
    common: Mapping[str, Any]
    learned_from: str

    def record(self, target: Target, label: str) -> dict[str, Any]:
        """Return the whole record of a link to `target`, shown as `label`.

        Raises:
            ValueError: the target's numeric id is not known, or its globalId would be too long.
        """
        if target.issue_id is None:
            raise ValueError("the target's numeric id is not known, and the globalId needs it")
        record = copy.deepcopy(dict(self.common))
        record["globalId"] = _checked(f"appId={self.app_id}{_MARK}{target.issue_id}")
        record["relationship"] = label
        own = dict(record.get("object") or {})
        url = replace(target, base=self.base).url
        record["object"] = {"url": url, "title": target.key, **own}
        return record


def weblink(target: Target, label: str) -> dict[str, Any]:
    """Return a web link with a globalId derived from the target: asked for, never a fallback.

    The numeric id outlives a renamed key, so it is used where it is known.
    """
    name = target.key if target.issue_id is None else str(target.issue_id)
    return {
        "globalId": _checked(f"system={target.base.rstrip('/')}&issueId={name}"),
        "relationship": label,
        "object": {"url": target.url, "title": target.key},
    }


def learned(samples: Iterable[Sample]) -> Shape | str:
    """Return the shape that samples of one direction share, or why none can be learned.

    A sample counts when its globalId is `appId=…&issueId=<id of its target>`, its address ends with
    `/browse/<key of its target>`, and its title is that key: then, and only then, each part is known
    to follow from the target.
    """
    shapes: list[Shape] = []
    problem = "no link is there to learn from"
    for sample in samples:
        shape = _shape_of(sample)
        if isinstance(shape, str):
            problem = f"{sample.where}: {shape}"
        else:
            shapes.append(shape)
    if not shapes:
        return problem
    # Two app links towards one site would be odd; the usual one is taken, whole.
    usual = Counter((shape.app_id, shape.base) for shape in shapes).most_common(1)[0][0]
    alike = [shape for shape in shapes if (shape.app_id, shape.base) == usual]
    return replace(alike[0], common=reduce(_shared, (shape.common for shape in alike)))


def _shape_of(sample: Sample) -> Shape | str:
    record = sample.record
    head, mark, number = str(record.get("globalId") or "").rpartition(_MARK)
    if not mark or not head.startswith("appId=") or not number.isdigit():
        return "its globalId is not `appId=…&issueId=…`"
    if sample.issue_id is None or int(number) != sample.issue_id:
        return f"its globalId does not carry the id of {sample.key}"
    target = record.get("object")
    if not isinstance(target, Mapping):
        return "it has no `object`"
    base, browse, key = str(target.get("url") or "").rpartition("/browse/")
    if not browse or key.upper() != sample.key.upper():
        return f"its address does not end with `/browse/{sample.key}`"
    if str(target.get("title") or "").strip().upper() != sample.key.upper():
        return f"its title is not `{sample.key}`"
    common = writable(content(record))
    for name in ("globalId", "relationship"):
        common.pop(name, None)
    kept = dict(common.get("object") or {}).items()
    common["object"] = {name: value for name, value in kept if name not in _OF_ONE_TARGET}
    app_id = head.removeprefix("appId=")
    return Shape(app_id=app_id, base=base, common=common, learned_from=sample.where)


def _shared(common: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return what two records have in common, at every depth."""
    result: dict[str, Any] = {}
    for name, value in common.items():
        if name not in other:
            continue
        if isinstance(value, Mapping) and isinstance(other[name], Mapping):
            result[name] = _shared(value, other[name])
        elif json_text(value) == json_text(other[name]):
            result[name] = value
    return result


def _checked(global_id: str) -> str:
    if len(global_id) > GLOBAL_ID_LIMIT:
        raise ValueError(
            f"the globalId would have {len(global_id)} characters, Jira takes {GLOBAL_ID_LIMIT}"
        )
    return global_id


SAMPLES_PER_JOB = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOrder(Order):
    """One missing link that is to be created; `row` tells its target apart."""

    row: MissingRow
    record: Mapping[str, Any]
    addresses: Addresses = field(repr=False, compare=False)

    def decide(self, links: Sequence[Record]) -> Intent | Skip:
        """Return that the link is to be created, unless one to the same target is there."""
        wanted = content_hash(self.record)
        target = self.row.target_site, self.row.target_keys, self.row.target_id
        for link in links:
            if content_hash(link) == wanted:
                reason = "an equal link is there"
            elif link.get("globalId") == self.global_id:
                reason = "a link of the same globalId is there; it is left as it is"
            elif self.addresses.pointer_of(link).hits(*target):
                reason = "a link to the same target is there; it is left as it is"
            else:
                continue
            return Skip(reason=reason, link_id=str(link.get("id")))
        write = create_write(self.issue, self.record)
        return Intent(write=write, global_id=self.global_id, before=None)

    def listed(self) -> dict[str, Any]:
        """Return the order as `links.listed` keeps it and `--dry-run` shows it."""
        return {
            "write": self.name,
            "action": "create",
            "job": self.row.job,
            "site": self.site,
            "issue": self.issue,
            "target": self.target,
            "link_id": None,
            "global_id": self.global_id,
            "record": dict(self.record),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairList(WriteList[CreateOrder]):
    """What `repair` is about to do; `shapes` says for each job where its shape comes from.

    `for_later` counts those of `left` that the next round of the run can still serve. `notes` are
    those of the comparison; `bad` are the first expected rows that were not taken, of `bad_count`.
    """

    shapes: Mapping[str, str]
    for_later: int
    notes: tuple[str, ...]
    bad: tuple[BadRow, ...]
    bad_count: int


def planned(
    comparison: Comparison,
    *,
    listing: str,
    shapes: Mapping[str, Shape | str],
    as_weblink: bool,
    also_unserved: bool,
    settled: int,
) -> RepairList:
    """Return the orders for what is missing; each target of an issue once.

    What the next round of the run can still serve is left to it, unless `also_unserved` is set.
    """
    orders: list[CreateOrder] = []
    left: list[Left] = []
    for_later = 0
    seen: set[tuple[str, str, str, str]] = set()
    for row in comparison.missing():
        target = Target(key=row.target_keys[0], issue_id=row.target_id, base=row.target_site)
        identity = (row.site, row.issue, row.target_site, target.key)
        made: dict[str, Any] | str
        if row.later and not also_unserved:
            made = row.detail
            for_later += 1
        elif identity in seen:
            made = "Jira holds one link per target: the first row's label is used"
        else:
            made = _record(shapes[row.job], target, row.label, as_weblink=as_weblink)
        if isinstance(made, str):
            link = Left(
                site=row.site, issue=row.issue, target=target.url, link_id=None, reason=made
            )
            left.append(link)
            continue
        seen.add(identity)
        orders.append(
            CreateOrder(
                name=f"{listing}.{len(orders) + 1}",
                site=row.site,
                issue=row.issue,
                target=str(made["object"]["url"]),
                global_id=str(made["globalId"]),
                row=row,
                record=made,
                addresses=comparison.addresses,
            )
        )
    store = comparison.store
    return RepairList(
        listing=listing,
        orders=tuple(orders),
        left=tuple(left),
        shapes={order.row.job: _source(shapes[order.row.job]) for order in orders},
        for_later=for_later,
        settled=settled,
        not_looked_at=comparison.count(Kind.NOT_LOOKED_AT),
        notes=tuple(store.notes),
        bad=tuple(store.bad),
        bad_count=store.bad_count,
    )


def _record(
    shape: Shape | str, target: Target, label: str, *, as_weblink: bool
) -> dict[str, Any] | str:
    """Return the record of the link to create, or why there is none."""
    if isinstance(shape, str) and not as_weblink:
        return f"its shape is not known: {shape}"
    try:
        return weblink(target, label) if isinstance(shape, str) else shape.record(target, label)
    except ValueError as problem:
        return str(problem)


def shapes_from_snapshot(comparison: Comparison) -> dict[str, Shape | str]:
    """Return the shape of every job's direction, learned from links that Atlassian's job made.

    Links that `repair` wrote are no evidence of how Atlassian writes.
    """
    result: dict[str, Shape | str] = {}
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
) -> dict[str, Shape | str]:
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


def _source(shape: Shape | str) -> str:
    return "as web links" if isinstance(shape, str) else f"like {shape.learned_from}"
