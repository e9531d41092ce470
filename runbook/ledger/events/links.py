"""The events of remote links: verification, writes, repair and rollback."""

from dataclasses import dataclass
from typing import ClassVar

from runbook.ledger.events.kinds import Json, VerifyResult, WriteAction, WritePurpose, WriteResult


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyStarted:
    """A verification begins; `after`, `before` and `expected` are `{file, sha256}` or null."""

    KIND: ClassVar[str] = "verify.started"
    verification: str
    after: Json | None
    before: Json | None
    expected: Json | None
    sample: int | None
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyFound:
    """A batch of single findings of one verification: `{job,kind,site,issue,target,link_id,detail}`."""

    KIND: ClassVar[str] = "verify.found"
    verification: str
    findings: list[Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksArrived:
    """Links of one job that a verification saw: what `rollback` may take back later.

    `links` holds one line for each, since there may be a million: issue key, link id, the first 32 hex
    digits of the record's content hash, 1 where it is an expected link else 0, and `absent`, `unknown`
    or the hash (32 digits) that it had before the run; separated by spaces.
    """

    KIND: ClassVar[str] = "links.arrived"
    verification: str
    site: str
    destination: str
    links: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyEnded:
    """A verification is done.

    `jobs` are `{id, expected, <count per kind>}`; `pairs` are `{from, to, expected, recreated, ...}`;
    `sample` states its size and confidence or is null.
    """

    KIND: ClassVar[str] = "verify.ended"
    verification: str
    result: VerifyResult
    jobs: list[Json]
    pairs: list[Json]
    sample: Json | None
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteIntended:
    """A remote link is about to be written; on disk before the request.

    `write` names it within the ledger; `before` is Atlassian's record that was read, null where none;
    `after` is the record that is sent, null for a removal.
    """

    KIND: ClassVar[str] = "write.intended"
    purpose: WritePurpose
    write: str
    action: WriteAction
    site: str
    issue: str
    link_id: str | None
    global_id: str | None
    before: Json | None
    after: Json | None
    request: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteEnded:
    """What became of a write, with the reason.

    `record` is what Jira holds after it, where it was read back; `replaced` says that a creation met
    a link of the same globalId, somebody's own, and wrote over it.
    """

    KIND: ClassVar[str] = "write.ended"
    purpose: WritePurpose
    write: str
    result: WriteResult
    link_id: str | None
    detail: str
    exchange: Json | None
    record: Json | None = None
    replaced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksListed:
    """What a repair or rollback is about to do, before it does it, and what it leaves alone.

    `planned` are `{write, action, site, issue, target, link_id, global_id, ...}`; `left` are
    `{site, issue, target, link_id, reason}`.
    """

    KIND: ClassVar[str] = "links.listed"
    purpose: WritePurpose
    listing: str
    planned: list[Json]
    left: list[Json]
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksEnded:
    """A repair or rollback is done; the counts add up to what was planned."""

    KIND: ClassVar[str] = "links.ended"
    purpose: WritePurpose
    listing: str
    counts: dict[str, int]


LINK_EVENTS = (
    VerifyStarted,
    VerifyFound,
    LinksArrived,
    VerifyEnded,
    WriteIntended,
    WriteEnded,
    LinksListed,
    LinksEnded,
)
