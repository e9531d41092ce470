"""What makes two records of a remote issue link equal, and what the ledger keeps of a link.

In: Atlassian's record as received (`GET …/remotelink`, jira-rest.md B1). Out: what a client can write
of it, a hash of that, and the fields in which two records differ. Pure.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from runbook.json_text import json_text

HASH_DIGITS = 32  # of a content hash, as the ledger names links
# Set by Jira, never by a client: a link that was removed and made again has others.
_OF_JIRA = ("id", "self")


def writable(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client may send of a record: all of it but `id` and `self`.

    Every write carries the whole of it, since a field left out becomes null (jira-rest.md B1).
    """
    return {name: value for name, value in record.items() if name not in _OF_JIRA}


def content_hash(record: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a record without `id` and `self`.

    A field that is null or an empty object counts as absent: Jira answers `"icon": {}` where
    nothing was sent.
    """
    return hashlib.sha256(json_text(content(record)).encode()).hexdigest()


def content(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the writable part of a record without fields that say nothing."""
    return {
        name: kept
        for name, value in writable(record).items()
        if (kept := _without_nothing(value)) is not None
    }


def _without_nothing(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    kept = {
        name: inner
        for name, outer in value.items()
        if (inner := _without_nothing(outer)) is not None
    }
    return kept or None


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs between two records; None stands for absent or null."""

    path: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the fields in which the writable parts of two records differ, by path."""
    old = dict(_leaves(content(before), "")) if before is not None else {}
    new = dict(_leaves(content(after), ""))
    return tuple(
        Change(path, old.get(path), new.get(path))
        for path in sorted(old.keys() | new.keys())
        if path not in old or path not in new or json_text(old[path]) != json_text(new[path])
    )


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, f"{path}.{name}" if path else str(name))


class RecordedLink(NamedTuple):
    """One line of the event `links.arrived`: a link that a verification saw arrive.

    `hash` is the first digits of the record's content hash; `before` is `absent`, `unknown` or the hash
    that the link had before the run.
    """

    issue: str
    link_id: int
    hash: str
    expected: bool
    before: str

    def line(self) -> str:
        """Return the line."""
        digest, before = self.hash[:HASH_DIGITS], self.before[:HASH_DIGITS]
        return f"{self.issue} {self.link_id} {digest} {int(self.expected)} {before}"

    @classmethod
    def in_lines(cls, lines: str) -> Iterator[Self]:
        """Yield the links of the event's lines; what is no such line is skipped."""
        for line in lines.splitlines():
            parts = line.split(" ")
            if len(parts) == 5:
                issue, link_id, digest, expected, before = parts
                yield cls(issue, int(link_id), digest, expected == "1", before)
