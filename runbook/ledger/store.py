"""The ledger file: SQLite, append only by trigger, each row chained to the one before.

A rollback journal with `synchronous=EXTRA` makes every append durable when it returns and lets a
copied file be whole. One process leads the ledger at a time by a lease in a table of its own; the
lease is checked in the transaction of each append that needs it.
"""

import contextlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from runbook.clock import Clock, isoformat_utc, parse_utc, to_the_second
from runbook.errors import LedgerError, UsageError
from runbook.ledger.codec import FIRST_HASH, Event, Recorded, Row, chain_hash, encode, recorded
from runbook.ledger.errors import translated
from runbook.ledger.lease import LEASE_LIFE, Lease, LeaseOwner, lease_holds, process_lives
from runbook.ledger.schema import APPLICATION_ID, CREATION, FORMAT, TRIGGERS
from runbook.secrets import Mask

__all__ = [
    "LEASE_LIFE",
    "Damage",
    "Lease",
    "LeaseOwner",
    "Ledger",
    "create_ledger",
    "export_line",
    "lease_holds",
    "open_ledger",
    "process_lives",
]


@dataclass(frozen=True, slots=True)
class Damage:
    """A row that is not as it was written."""

    seq: int
    problem: str


BATCH_ROWS = 500
_log = logging.getLogger(__name__)
_BEFORE_ALL = -(2**63)


class Ledger:
    """An open ledger.

    Use `open_ledger` or `create_ledger`. Text passes through the mask before it is stored.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, clock: Clock, mask: Mask
    ) -> None:
        self.path = path
        self._db = connection
        self._clock = clock
        self._mask = mask
        self._lease: LeaseOwner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lease, if held, and the file."""
        with contextlib.suppress(LedgerError):
            self.release()
        self._db.close()

    def append(self, event: Event, *, run: str | None = None, job: str | None = None) -> Row:
        """Write one event durably and return its row.

        While this process holds the lease it is checked in the same transaction.

        Raises:
            LedgerError: the disk refused, or another process took the lease.
        """
        payload = encode(event, self._mask)
        with self._writing():
            if self._lease is not None:
                self._check_lease(self._lease)
            last, previous = self._head()
            seq, at = last + 1, isoformat_utc(self._clock.now())
            digest = chain_hash(
                previous, seq=seq, at=at, kind=event.KIND, run=run, job=job, payload=payload
            )
            row = Row(
                seq=seq, at=at, kind=event.KIND, run=run, job=job, payload=payload, hash=digest
            )
            self._db.execute(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
                (seq, at, event.KIND, run, job, payload, digest),
            )
            self._db.execute("UPDATE head SET seq = ?, hash = ?", (seq, digest))
        return row

    def rows(self, *, after: int = 0, kinds: tuple[str, ...] = ()) -> Iterator[Row]:
        """Yield the rows after a sequence number, in order; only of `kinds` where given."""
        # Without `after` even a row numbered 0 or less is read: nobody but a stranger wrote it.
        last = after or _BEFORE_ALL
        where = f" AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = (
            "SELECT seq, at, kind, run, job, payload, hash FROM event"  # noqa: S608 - marks only
            f" WHERE seq > ?{where} ORDER BY seq LIMIT {BATCH_ROWS}"
        )
        while True:
            # In batches: a reader that takes its time (a pager) must not keep others from writing.
            with translated(self.path):
                batch = self._db.execute(query, (last, *kinds)).fetchall()
            for seq, at, kind, run, job, payload, digest in batch:
                if not all(isinstance(text, str) for text in (at, kind, payload, digest)):
                    raise LedgerError(
                        f"row {seq} of `{self.path}` does not hold text",
                        hint="`runbook ledger verify` names every row that was changed",
                    )
                yield Row(seq=seq, at=at, kind=kind, run=run, job=job, payload=payload, hash=digest)
            if len(batch) < BATCH_ROWS:
                return
            last = batch[-1][0]

    def events(self, *, after: int = 0, kinds: tuple[str, ...] = ()) -> Iterator[Recorded]:
        """Yield the events after a sequence number, in order, with the chain checked on the way.

        The chain can only be checked over all rows, so a filter by kind reads without checking.

        Raises:
            LedgerError: a row was changed, removed, inserted or reordered.
        """
        if after or kinds:
            yield from (recorded(row) for row in self.rows(after=after, kinds=kinds))
            return
        # The head is read before the rows: another process may append while they are read.
        last, head = self.head()
        previous, expected = FIRST_HASH, 1
        for row in self.rows():
            problem = _problem(row, previous, expected)
            if not problem and row.seq == last and row.hash != head:
                problem = f"row {last} is not the one that was written last"
            if problem:
                raise self._altered(problem)
            previous, expected = row.hash, expected + 1
            yield recorded(row)
        problem = self._problem_of_end(last, expected - 1)
        if problem:
            raise self._altered(problem)

    def _altered(self, problem: str) -> LedgerError:
        return LedgerError(
            f"the ledger `{self.path}` was altered: {problem}",
            hint="`runbook ledger verify` names every row; keep the file and take the last good copy",
        )

    def _problem_of_end(self, head_before: int, last_row: int) -> str:
        """Say what is wrong with the end of the chain; the head was read before the rows."""
        if last_row < head_before:
            return f"its last rows are missing, row {head_before} was written"
        if last_row > self.head()[0]:
            return f"row {last_row} was added by hand"
        return ""

    def damages(self) -> Iterator[Damage]:
        """Yield every row that is not as it was written; after one, the chain goes on from its hash."""
        last, head = self.head()
        previous, expected = FIRST_HASH, 1
        for seq, row in self._raw_rows():
            problem = _gap(expected, seq)
            if not problem:
                problem = (
                    f"row {seq} does not hold text" if row is None else _problem(row, previous, seq)
                )
            if not problem and row is not None and seq == last and row.hash != head:
                problem = f"row {seq} is not the one that was written last"
            if problem:
                yield Damage(seq, problem)
            if seq < expected:
                continue
            previous, expected = "" if row is None else row.hash, seq + 1
        problem = self._problem_of_end(last, expected - 1)
        if problem:
            yield Damage(max(last, expected - 1), problem)
        with translated(self.path):
            kept = dict(
                self._db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            )
        for name, sql in TRIGGERS.items():
            if kept.get(name) != sql:
                what = "changed" if name in kept else "removed"
                yield Damage(0, f"the trigger `{name}` that keeps rows final was {what}")

    def _raw_rows(self) -> Iterator[tuple[int, Row | None]]:
        """Yield every row with its number, None where a column holds no text."""
        with translated(self.path):
            for seq, *cells in self._db.execute(
                "SELECT seq, CAST(at AS BLOB), CAST(kind AS BLOB), CAST(run AS BLOB),"
                " CAST(job AS BLOB), CAST(payload AS BLOB), CAST(hash AS BLOB),"
                " typeof(at) || typeof(kind) || typeof(run) || typeof(job) || typeof(payload)"
                " || typeof(hash) FROM event ORDER BY seq"
            ):
                *raw, kinds = cells
                try:
                    at, kind, run, job, payload, digest = (
                        None if cell is None else cell.decode("utf-8") for cell in raw
                    )
                except UnicodeDecodeError:
                    yield seq, None
                    continue
                if kinds.replace("text", "").replace("null", "") or not (at and kind and digest):
                    yield seq, None
                    continue
                yield (
                    seq,
                    Row(
                        seq=seq,
                        at=at,
                        kind=kind,
                        run=run,
                        job=job,
                        payload=payload or "",
                        hash=digest,
                    ),
                )

    def head(self) -> tuple[int, str]:
        """Return the number and hash of the last row, (0, 64 zeros) for an empty ledger."""
        with translated(self.path):
            return self._head()

    # The lease

    def lease(self) -> Lease | None:
        """Return who leads the ledger, None where nobody does."""
        with translated(self.path):
            row = self._db.execute(
                "SELECT token, operator, pid, machine, since, heartbeat, after_seq FROM lease"
            ).fetchone()
        if row is None:
            return None
        return Lease(
            token=row[0],
            operator=row[1],
            pid=row[2],
            machine=row[3],
            since=parse_utc(row[4]),
            heartbeat=parse_utc(row[5]),
            after_seq=row[6],
        )

    def acquire_lease(self, owner: LeaseOwner) -> None:
        """Take the lease, or say who holds it.

        A lease of a process that is dead on this machine is taken over at once, any other after
        60 s without a heartbeat.

        Raises:
            LedgerError: another process leads.
        """
        with self._writing():
            held = self.lease()
            if (
                held is not None
                and held.token != owner.token
                and lease_holds(held, owner, self._clock.now())
            ):
                raise LedgerError(
                    f"`{self.path}` is in use by {held.operator} (process {held.pid} on `{held.machine}`) since {to_the_second(held.since)}, last heard of at {to_the_second(held.heartbeat)}",
                    hint="let that process end, or press Ctrl-C there; `runbook stop` works from here",
                )
            now = isoformat_utc(self._clock.now())
            self._db.execute("DELETE FROM lease")
            self._db.execute(
                "INSERT INTO lease VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
                (owner.token, owner.operator, owner.pid, owner.machine, now, now, self._head()[0]),
            )
        self._lease = owner
        _log.info("lease of %s taken by %s (process %d)", self.path, owner.operator, owner.pid)

    def heartbeat(self) -> None:
        """Say that this process still leads.

        Raises:
            LedgerError: another process took the lease.
        """
        if self._lease is None:
            return
        with self._writing():
            self._check_lease(self._lease)
            self._db.execute("UPDATE lease SET heartbeat = ?", (isoformat_utc(self._clock.now()),))

    def release(self) -> None:
        """Give the lease back where this process holds it."""
        if self._lease is None:
            return
        token, self._lease = self._lease.token, None
        with self._writing():
            self._db.execute("DELETE FROM lease WHERE token = ?", (token,))
        _log.info("lease of %s given back", self.path)

    def _check_lease(self, owner: LeaseOwner) -> None:
        held = self.lease()
        if held is None or held.token != owner.token:
            by = "nobody" if held is None else f"{held.operator} on `{held.machine}`"
            raise LedgerError(
                f"this process no longer leads `{self.path}`: {by} took over",
                hint="nothing more is sent from here; `runbook status` shows where the run stands",
            )

    def _head(self) -> tuple[int, str]:
        row = self._db.execute("SELECT seq, hash FROM head").fetchone()
        return (0, FIRST_HASH) if row is None else (row[0], row[1])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def open_ledger(path: Path, *, clock: Clock, mask: Mask, read_only: bool = False) -> Ledger:
    """Open a ledger that is there.

    Raises:
        LedgerError: there is none, or it is no ledger, damaged, locked or of another version.
        UsageError: its folder is not there.
    """
    if not path.parent.is_dir():
        raise UsageError(
            f"the folder of the ledger `{path}` is not there",
            hint="create it, or name another `--ledger`",
        )
    if path.is_dir():
        raise LedgerError(
            f"`{path}` is a folder, not a ledger",
            hint="name the ledger's file with `--ledger FILE`",
        )
    if not path.is_file():
        raise LedgerError(
            f"no ledger at `{path}`",
            hint="name it with `--ledger FILE`; a ledger begins with the first `runbook run`",
        )
    return _opened(path, clock, mask, read_only=read_only, fresh=False)


def create_ledger(path: Path, *, clock: Clock, mask: Mask) -> Ledger:
    """Open a ledger, making an empty one (mode 0600) where there is none.

    Raises:
        LedgerError: the file is no ledger, damaged, locked, of another version or not writable.
        UsageError: its folder is not there.
    """
    if path.exists():
        return open_ledger(path, clock=clock, mask=mask)
    if not path.parent.is_dir():
        raise UsageError(
            f"the folder of the ledger `{path}` is not there",
            hint="create it, or name another `--ledger`",
        )
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return open_ledger(path, clock=clock, mask=mask)
    except OSError as problem:
        raise LedgerError(
            f"cannot create the ledger `{path}`: {problem.strerror}",
            hint="choose a folder that you may write to with `--ledger FILE`",
        ) from problem
    return _opened(path, clock, mask, read_only=False, fresh=True)


def _opened(path: Path, clock: Clock, mask: Mask, *, read_only: bool, fresh: bool) -> Ledger:
    with translated(path):
        # Reading may have to roll back what a killed process left half written, which needs the right to write.
        mode = "rw" if os.access(path, os.W_OK) else "ro"
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=10.0, isolation_level=None
        )
        try:
            if fresh or (path.stat().st_size == 0 and not read_only):
                # An empty file is a ledger whose creation broke off before its first byte.
                db.execute("PRAGMA journal_mode = DELETE")
                db.executescript(CREATION)
            db.execute("PRAGMA synchronous = EXTRA")
            if read_only:
                db.execute("PRAGMA query_only = ON")
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if path.stat().st_size == 0:
                raise LedgerError(
                    f"the ledger `{path}` is empty: nothing was ever written to it",
                    hint="a ledger begins with the first `runbook run`; name the right file with `--ledger FILE`",
                )
            if application != APPLICATION_ID:
                raise LedgerError(
                    f"`{path}` is a database, but no ledger of runbook",
                    hint="name the right file with `--ledger FILE`",
                )
            if version != FORMAT:
                raise LedgerError(
                    f"`{path}` has ledger format {version}; this version reads format {FORMAT}",
                    hint="use the version of runbook that wrote it",
                )
        except BaseException:
            db.close()
            raise
    _log.info("ledger %s %s%s", path, "created" if fresh else "opened", " to read" * read_only)
    return Ledger(path, db, clock, mask)


def _problem(row: Row, previous: str, expected: int) -> str:
    gap = _gap(expected, row.seq)
    if gap:
        return gap
    actual = chain_hash(
        previous,
        seq=row.seq,
        at=row.at,
        kind=row.kind,
        run=row.run,
        job=row.job,
        payload=row.payload,
    )
    if actual != row.hash:
        return f"row {row.seq} ({row.kind}) was changed, inserted or moved"
    return ""


def _gap(expected: int, seq: int) -> str:
    if seq == expected:
        return ""
    if seq < expected:
        return f"row {seq} stands before the first one"
    missing = f"row {expected} is" if seq == expected + 1 else f"rows {expected} to {seq - 1} are"
    return f"{missing} missing, row {seq} follows"


def export_line(row: Row) -> str:
    """Return a row as one line of NDJSON."""
    return json.dumps(row.as_json(), ensure_ascii=False, sort_keys=True)
