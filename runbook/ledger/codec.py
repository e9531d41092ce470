"""Events to rows and back, and the hash that chains them.

The hash of a row covers the previous row's hash and the stored bytes of every field of this one,
each with its length, so that no two rows can be read as one another.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Protocol

from runbook.clock import parse_utc
from runbook.errors import LedgerError
from runbook.json_text import canonical_text
from runbook.ledger.events import RUN_EVENTS
from runbook.ledger.events.handover import HANDOVER_EVENTS
from runbook.ledger.events.links import LINK_EVENTS
from runbook.secrets import Mask
from runbook.text import encodable

FIRST_HASH = "0" * 64


class Event(Protocol):
    """A frozen dataclass whose fields are JSON values."""

    KIND: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


KINDS: dict[str, type[Any]] = {
    cls.KIND: cls for cls in (*RUN_EVENTS, *LINK_EVENTS, *HANDOVER_EVENTS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored event, byte for byte."""

    seq: int
    at: str
    kind: str
    run: str | None
    job: str | None
    payload: str
    hash: str

    @property
    def moment(self) -> datetime:
        """Return when the row was written.

        Raises:
            LedgerError: it does not say so in the form that `runbook` writes.
        """
        try:
            return parse_utc(self.at)
        except ValueError as problem:
            raise LedgerError(
                f"row {self.seq} of the ledger has no moment that can be read",
                hint="`runbook ledger verify` names the rows that were changed",
            ) from problem

    def as_json(self) -> dict[str, Any]:
        """Return the row as `ledger export` and `run --format json` print it."""
        return {
            "format": 1,
            "seq": self.seq,
            "at": self.at,
            "kind": self.kind,
            "run": self.run,
            "job": self.job,
            "payload": json.loads(self.payload),
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event with when it happened and what it belongs to; `event` is None for unknown kinds."""

    seq: int
    at: datetime
    kind: str
    run: str | None
    job: str | None
    event: Any
    hash: str


def encode(event: Event, mask: Mask | None = None) -> str:
    """Return an event's payload: JSON with sorted keys, always valid UTF-8, its texts masked.

    Half a surrogate pair, which a server's JSON may hold, becomes the replacement character.
    """
    fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    if mask is not None:
        fields = {name: mask.value(value) for name, value in fields.items()}
    return encodable(canonical_text(fields))


def decode(kind: str, payload: str) -> Any:
    """Return the event of a payload, None for a kind that this version does not know.

    Fields that this version does not know are dropped; fields that are missing need a default.

    Raises:
        LedgerError: the payload is not an event of that kind.
    """
    cls = KINDS.get(kind)
    if cls is None:
        return None
    known = {field.name for field in dataclasses.fields(cls)}
    try:
        values: Mapping[str, Any] = json.loads(payload)
        return cls(**{name: value for name, value in values.items() if name in known})
    except (ValueError, TypeError, AttributeError) as problem:
        raise LedgerError(
            f"the ledger holds a `{kind}` event that cannot be read: {problem}",
            hint="`runbook ledger verify` names the rows that were changed",
        ) from problem


def chain_hash(
    previous: str, *, seq: int, at: str, kind: str, run: str | None, job: str | None, payload: str
) -> str:
    """Return the hash of a row, in hex."""
    digest = hashlib.sha256()
    for field in (previous, str(seq), at, kind, run, job, payload):
        raw = b"" if field is None else field.encode()
        digest.update(f"{'-' if field is None else len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()


def recorded(row: Row) -> Recorded:
    """Return a row with its moment and its event read.

    Raises:
        LedgerError: the row has no moment, or its payload is not an event of its kind.
    """
    return Recorded(
        seq=row.seq,
        at=row.moment,
        kind=row.kind,
        run=row.run,
        job=row.job,
        event=decode(row.kind, row.payload),
        hash=row.hash,
    )
