"""The shape of a link from one site to another: learned from links that are there, never guessed.

In: records of links that point from a site to a destination, each with the target's key and numeric
id. Out: a shape that makes the record for another target, or the reason why none can be learned.
What the samples do not share is left out; what belongs to one target only (summary, status) always
is. Pure.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from runbook.atlassian.jira_values import GLOBAL_ID_LIMIT
from runbook.json_text import json_text
from runbook.remotelinks.model import content, writable

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
        url = Target(key=target.key, issue_id=target.issue_id, base=self.base).url
        record["object"] = {"url": url, "title": target.key, **own}
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShape:
    """Why no shape can be learned."""

    reason: str


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


def learned(samples: Iterable[Sample]) -> Shape | NoShape:
    """Return the shape that samples of one direction share.

    A sample counts when its globalId is `appId=…&issueId=<id of its target>`, its address ends with
    `/browse/<key of its target>`, and its title is that key: then, and only then, each part is known
    to follow from the target.
    """
    shapes: list[Shape] = []
    problem = "no link is there to learn from"
    for sample in samples:
        shape = _shape_of(sample)
        if isinstance(shape, NoShape):
            problem = f"{sample.where}: {shape.reason}"
        else:
            shapes.append(shape)
    if not shapes:
        return NoShape(reason=problem)
    # Two app links towards one site would be odd; the usual one is taken, whole.
    usual = Counter((shape.app_id, shape.base) for shape in shapes).most_common(1)[0][0]
    alike = [shape for shape in shapes if (shape.app_id, shape.base) == usual]
    return replace(alike[0], common=reduce(_shared, (shape.common for shape in alike)))


def _shape_of(sample: Sample) -> Shape | NoShape:
    record = sample.record
    head, mark, number = str(record.get("globalId") or "").rpartition(_MARK)
    if not mark or not head.startswith("appId=") or not number.isdigit():
        return NoShape(reason="its globalId is not `appId=…&issueId=…`")
    if sample.issue_id is None or int(number) != sample.issue_id:
        return NoShape(reason=f"its globalId does not carry the id of {sample.key}")
    target = record.get("object")
    if not isinstance(target, Mapping):
        return NoShape(reason="it has no `object`")
    base, browse, key = str(target.get("url") or "").rpartition("/browse/")
    if not browse or key.upper() != sample.key.upper():
        return NoShape(reason=f"its address does not end with `/browse/{sample.key}`")
    if str(target.get("title") or "").strip().upper() != sample.key.upper():
        return NoShape(reason=f"its title is not `{sample.key}`")
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
