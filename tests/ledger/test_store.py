"""The ledger file: append only, chained, durable, led by one process."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.clock import VirtualClock
from runbook.errors import LedgerError, UsageError
from runbook.ledger.codec import FIRST_HASH, chain_hash
from runbook.ledger.events import StopRequested
from runbook.ledger.store import (
    LeaseOwner,
    Ledger,
    create_ledger,
    lease_holds,
    open_ledger,
    process_lives,
)
from runbook.secrets import Account, Mask, Secret

CANARY = "canary-T0ken/with+odd=chars"


def stop(text: str) -> StopRequested:
    return StopRequested(reason=text, by="J. Doe")


def me(token: str = "mine", *, pid: int | None = None, machine: str = "here") -> LeaseOwner:
    return LeaseOwner(
        token=token, operator="J. Doe", pid=os.getpid() if pid is None else pid, machine=machine
    )


@pytest.fixture
def ledger(ledger_path: Path, clock: VirtualClock) -> Ledger:
    with create_ledger(ledger_path, clock=clock, mask=Mask()) as made:
        yield made


@pytest.fixture
def five_rows(ledger_path: Path, clock: VirtualClock) -> Path:
    with create_ledger(ledger_path, clock=clock, mask=Mask()) as made:
        for number in range(1, 6):
            clock.advance(1)
            made.append(stop(f"reason {number}"), run="run-1", job=f"job-{number}")
    return ledger_path


def tampered(path: Path, *statements: str, keep_triggers: bool = False) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)
        if not keep_triggers:
            for _, sql in triggers:
                db.execute(sql)
    db.close()
    return path


def opened(path: Path, clock: VirtualClock, *, read_only: bool = True) -> Ledger:
    return open_ledger(path, clock=clock, mask=Mask(), read_only=read_only)


def damaged_rows(path: Path, clock: VirtualClock) -> dict[int, str]:
    with opened(path, clock) as one:
        return {damage.seq: damage.problem for damage in one.damages()}


def test_what_is_appended_is_read_back_in_order(five_rows: Path, clock: VirtualClock) -> None:
    """Events come back as they were written, with their place."""
    with opened(five_rows, clock) as one:
        seen = list(one.events())
        head = one.head()
    assert [event.event for event in seen] == [stop(f"reason {n}") for n in range(1, 6)]
    assert [(event.seq, event.run, event.job) for event in seen][1] == (2, "run-1", "job-2")
    assert head == (5, seen[-1].hash)


def test_an_empty_ledger_is_whole(ledger: Ledger) -> None:
    """A ledger without rows has a head of zeros and no damage."""
    assert ledger.head() == (0, FIRST_HASH)
    assert list(ledger.events()) == []
    assert list(ledger.damages()) == []


def test_a_whole_ledger_has_no_damage(five_rows: Path, clock: VirtualClock) -> None:
    """Nothing is said about a ledger that nobody touched."""
    assert damaged_rows(five_rows, clock) == {}


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_only_the_owner_may_read_a_ledger(five_rows: Path) -> None:
    """The file has mode 0600."""
    assert five_rows.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("row", range(1, 6))
@pytest.mark.parametrize(
    "change",
    {
        "at": "at = '2020-01-01T00:00:00Z'",
        "kind": "kind = 'run.ended'",
        "run": "run = 'run-2'",
        "run removed": "run = NULL",
        "job": "job = 'other'",
        "job emptied": "job = ''",
        "payload": "payload = replace(payload, 'reason', 'raeson')",
        "payload by one byte": "payload = payload || ' '",
        "hash": "hash = substr(hash, 1, 63) || CASE substr(hash, 64) WHEN '0' THEN '1' ELSE '0' END",
        "payload as bytes": "payload = CAST(payload AS BLOB)",
        "payload no text": "payload = x'ff'",
        "at no text": "at = 7.5",
    }.items(),
    ids=lambda item: item[0],
)
def test_a_change_in_any_column_of_any_row_is_found_and_named(
    five_rows: Path, clock: VirtualClock, row: int, change: tuple[str, str]
) -> None:
    """The row itself is named; reading the events refuses."""
    tampered(five_rows, f"UPDATE event SET {change[1]} WHERE seq = {row}")
    assert row in damaged_rows(five_rows, clock)
    with opened(five_rows, clock) as one, pytest.raises(LedgerError):
        list(one.events())


def test_a_changed_row_is_named_alone(five_rows: Path, clock: VirtualClock) -> None:
    """Rows after a changed payload keep their own hash and are not accused."""
    tampered(five_rows, "UPDATE event SET payload = '{}' WHERE seq = 3")
    assert list(damaged_rows(five_rows, clock)) == [3]


TAMPERINGS = {
    "a removed row": (["DELETE FROM event WHERE seq = 3"], {4: "row 3 is missing, row 4 follows"}),
    "two removed rows": (
        ["DELETE FROM event WHERE seq IN (2, 3)"],
        {4: "rows 2 to 3 are missing, row 4 follows"},
    ),
    "the first row removed": (["DELETE FROM event WHERE seq = 1"], {2: "row 1 is missing"}),
    "the last rows removed": (
        ["DELETE FROM event WHERE seq >= 4"],
        {5: "its last rows are missing, row 5 was written"},
    ),
    "all rows removed": (["DELETE FROM event"], {5: "its last rows are missing"}),
    "two rows swapped": (
        [
            "UPDATE event SET seq = 99 WHERE seq = 2",
            "UPDATE event SET seq = 2 WHERE seq = 3",
            "UPDATE event SET seq = 3 WHERE seq = 99",
        ],
        {2: "row 2 ", 3: "row 3 "},
    ),
    "a row inserted in the middle": (
        [
            "UPDATE event SET seq = -seq WHERE seq > 2",
            "UPDATE event SET seq = 1 - seq WHERE seq < 0",
            "INSERT INTO event SELECT 3, at, kind, run, job, payload, hash FROM event WHERE seq = 2",
        ],
        {3: "row 3 ", 4: "row 4 ", 6: "row 6 was added by hand"},
    ),
    "a row before the first": (
        ["INSERT INTO event SELECT 0, at, kind, run, job, payload, hash FROM event WHERE seq = 2"],
        {0: "row 0 stands before the first one"},
    ),
    "another head": (
        ["UPDATE head SET hash = '" + "a" * 64 + "'"],
        {5: "row 5 is not the one that was written last"},
    ),
    "no head": (["DELETE FROM head"], {5: "row 5 was added by hand"}),
}


@pytest.mark.parametrize("case", TAMPERINGS.values(), ids=TAMPERINGS.keys())
def test_removed_inserted_and_reordered_rows_are_named(
    five_rows: Path, clock: VirtualClock, case: tuple[list[str], dict[int, str]]
) -> None:
    """`ledger verify` says which rows, and reading the events refuses."""
    statements, expected = case
    tampered(five_rows, *statements)
    found = damaged_rows(five_rows, clock)
    for seq, words in expected.items():
        assert words in found[seq]
    with opened(five_rows, clock) as one, pytest.raises(LedgerError, match="was altered"):
        list(one.events())


def test_a_row_appended_by_hand_with_a_right_hash_is_found(
    five_rows: Path, clock: VirtualClock
) -> None:
    """The head does not know a row that the store did not write."""
    with opened(five_rows, clock) as one:
        _, last = one.head()
    digest = chain_hash(
        last, seq=6, at="2026-11-22T19:00:09Z", kind="x.y", run=None, job=None, payload="{}"
    )
    tampered(
        five_rows,
        f"INSERT INTO event VALUES (6, '2026-11-22T19:00:09Z', 'x.y', NULL, NULL, '{{}}', '{digest}')",
    )
    assert damaged_rows(five_rows, clock) == {6: "row 6 was added by hand"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET payload = '{}' WHERE seq = 1",
        "DELETE FROM event WHERE seq = 5",
        "INSERT INTO event SELECT 9, at, kind, run, job, payload, hash FROM event WHERE seq = 5",
    ],
    ids=["no update", "no removal", "no gap"],
)
def test_triggers_keep_rows_final(five_rows: Path, statement: str) -> None:
    """Another program cannot change rows by plain SQL."""
    with (
        contextlib.closing(sqlite3.connect(five_rows)) as db,
        db,
        pytest.raises(sqlite3.IntegrityError, match="ledger"),
    ):
        db.execute(statement)
    db.close()


def test_removed_triggers_are_found(five_rows: Path, clock: VirtualClock) -> None:
    """Taking the triggers away is damage of its own."""
    tampered(five_rows, keep_triggers=True)
    with opened(five_rows, clock) as one:
        found = [damage.problem for damage in one.damages()]
    assert len(found) == 3
    assert all("was removed" in problem for problem in found)


def test_a_trigger_that_does_nothing_is_found(five_rows: Path, clock: VirtualClock) -> None:
    """A trigger of the same name with other words is damage too."""
    with contextlib.closing(sqlite3.connect(five_rows)) as db, db:
        db.execute("DROP TRIGGER event_stays")
        db.execute("CREATE TRIGGER event_stays BEFORE DELETE ON event BEGIN SELECT 1; END")
    db.close()
    assert "was changed" in damaged_rows(five_rows, clock)[0]


def test_reading_while_another_process_appends_is_no_damage(
    five_rows: Path, clock: VirtualClock
) -> None:
    """Rows that are appended between two reads belong to an honest ledger."""
    with opened(five_rows, clock) as reader, opened(five_rows, clock, read_only=False) as writer:
        events = reader.events()
        seen = [next(events) for _ in range(2)]
        # The reader's cursor is let go so that the writer gets its turn, as between two fetches.
        seen += list(events)
        writer.append(stop("late"), run="run-1")
        assert [event.seq for event in seen] == [1, 2, 3, 4, 5]
        assert list(reader.damages()) == []
        assert reader.head()[0] == 6


def test_an_append_between_head_and_rows_is_no_damage(
    five_rows: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is read first; what comes after it is not called added by hand."""
    with opened(five_rows, clock) as reader, opened(five_rows, clock, read_only=False) as writer:
        rows, raw_rows = reader.rows, reader._raw_rows

        def late_rows() -> object:
            writer.append(stop("between"), run="run-1")
            return rows()

        def late_raw_rows() -> object:
            writer.append(stop("between"), run="run-1")
            return raw_rows()

        monkeypatch.setattr(Ledger, "rows", lambda _self: late_rows())
        monkeypatch.setattr(Ledger, "_raw_rows", lambda _self: late_raw_rows())
        assert len(list(reader.events())) == 6
        assert list(reader.damages()) == []


def test_a_reader_writes_nothing(five_rows: Path, clock: VirtualClock) -> None:
    """A ledger opened for reading refuses to append, and its bytes stay."""
    before = five_rows.read_bytes()
    with opened(five_rows, clock) as one:
        list(one.events())
        list(one.damages())
        with pytest.raises(LedgerError):
            one.append(stop("no"))
    assert five_rows.read_bytes() == before


def test_secrets_are_masked_before_they_are_stored(ledger_path: Path, clock: VirtualClock) -> None:
    """A credential that a server echoes is not kept."""
    mask = Mask((Account("default", "j@x.example", Secret(CANARY)),))
    with create_ledger(ledger_path, clock=clock, mask=mask) as made:
        made.append(stop(f"the server said {CANARY}"))
    assert CANARY.encode() not in ledger_path.read_bytes()


@pytest.mark.parametrize("token", ["x", "reason", "accepted", "requested_by", "no-go tonight"])
def test_a_token_to_practise_with_breaks_no_row(
    ledger_path: Path, clock: VirtualClock, token: str
) -> None:
    """Names of fields stay whatever the token is, and so does every word of ours."""
    mask = Mask((Account("default", "j@x.example", Secret(token)),))
    with create_ledger(ledger_path, clock=clock, mask=mask) as made:
        made.append(stop("no-go tonight"))
        made.append(stop("accepted"))
        first, second = (seen.event.reason for seen in made.events())
    assert first == ("***" if token == "no-go tonight" else "no-go tonight")
    assert second == "accepted"


def test_half_a_surrogate_pair_is_stored_as_a_replacement(ledger: Ledger) -> None:
    """A server's JSON may hold what UTF-8 cannot; that must not end a run."""
    ledger.append(stop("broken \ud800, whole \ud83d\ude00, nul \x00"))
    (seen,) = ledger.events()
    assert seen.event.reason == "broken \ufffd, whole \U0001f600, nul \x00"


# The lease


def test_two_processes_do_not_lead_at_once(five_rows: Path, clock: VirtualClock) -> None:
    """The second is told who leads, since when and where."""
    with (
        opened(five_rows, clock, read_only=False) as first,
        opened(five_rows, clock, read_only=False) as second,
    ):
        first.acquire_lease(me("first", machine="jump-host-7"))
        with pytest.raises(
            LedgerError, match=r"in use by J\. Doe .*jump-host-7.* since 2026-11-22"
        ):
            second.acquire_lease(me("second"))
        first.release()
        second.acquire_lease(me("second"))


def test_a_process_that_lost_the_lease_appends_nothing(
    five_rows: Path, clock: VirtualClock
) -> None:
    """The lease is checked in the transaction of the append."""
    with (
        opened(five_rows, clock, read_only=False) as first,
        opened(five_rows, clock, read_only=False) as second,
    ):
        first.acquire_lease(me("first", machine="elsewhere"))
        clock.advance(61)
        second.acquire_lease(me("second"))
        with pytest.raises(LedgerError, match="no longer leads"):
            first.append(stop("mine"))
        with pytest.raises(LedgerError, match="no longer leads"):
            first.heartbeat()
        assert second.head()[0] == 5


def test_a_heartbeat_keeps_the_lease(five_rows: Path, clock: VirtualClock) -> None:
    """Sixty seconds count from the last heartbeat."""
    with (
        opened(five_rows, clock, read_only=False) as first,
        opened(five_rows, clock, read_only=False) as second,
    ):
        first.acquire_lease(me("first", machine="elsewhere"))
        for _ in range(5):
            clock.advance(50)
            first.heartbeat()
        with pytest.raises(LedgerError, match="in use by"):
            second.acquire_lease(me("second"))


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


LEASES = {
    "a living process of this machine holds it": (me("a"), 59, True),
    "after a minute without a heartbeat it is free": (me("a"), 60, False),
    "a process elsewhere holds it for a minute": (me("a", machine="there", pid=1), 59, True),
    "a process elsewhere loses it after a minute": (me("a", machine="there", pid=1), 60, False),
}


@pytest.mark.parametrize("case", LEASES.values(), ids=LEASES.keys())
def test_when_a_lease_holds(
    five_rows: Path, clock: VirtualClock, case: tuple[LeaseOwner, float, bool]
) -> None:
    """A lease holds for 60 s after its last heartbeat."""
    holder, silent_s, expected = case
    with opened(five_rows, clock, read_only=False) as one:
        one.acquire_lease(holder)
        clock.advance(silent_s)
        held = one.lease()
        assert held is not None
        assert lease_holds(held, me("b"), clock.now()) is expected


def test_the_lease_of_a_dead_process_of_this_machine_is_free_at_once(
    five_rows: Path, clock: VirtualClock
) -> None:
    """Nobody waits a minute for a process that was killed here."""
    with opened(five_rows, clock, read_only=False) as first:
        first.acquire_lease(me("first", pid=dead_pid()))
        with opened(five_rows, clock, read_only=False) as second:
            second.acquire_lease(me("second"))


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are seen in /proc")
def test_a_killed_process_that_nobody_has_waited_for_is_dead() -> None:
    """A zombie holds no lease."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        assert process_lives(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not process_lives(child.pid)


def test_closing_gives_the_lease_back(five_rows: Path, clock: VirtualClock) -> None:
    """A process that ends in order leaves no lease behind."""
    with opened(five_rows, clock, read_only=False) as first:
        first.acquire_lease(me("first"))
    with opened(five_rows, clock) as second:
        assert second.lease() is None


# What is on disk is on disk


def durability(one: Ledger) -> tuple[int, str]:
    """Return `synchronous` (3 is EXTRA) and the journal mode of a ledger's connection."""
    (synchronous,) = one._db.execute("PRAGMA synchronous").fetchone()
    (journal,) = one._db.execute("PRAGMA journal_mode").fetchone()
    return synchronous, journal


OPENINGS: dict[str, Callable[[Path, VirtualClock], Ledger]] = {
    "a new ledger": lambda path, clock: create_ledger(
        path.with_name("new.ledger"), clock=clock, mask=Mask()
    ),
    "one that is there, by the command that would make it": lambda path, clock: create_ledger(
        path, clock=clock, mask=Mask()
    ),
    "one that is there, to write": lambda path, clock: opened(path, clock, read_only=False),
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS.keys())
def test_every_row_waits_for_the_disk_and_so_does_the_end_of_its_journal(
    opening: Callable[[Path, VirtualClock], Ledger], five_rows: Path, clock: VirtualClock
) -> None:
    """Neither a crash of the machine nor a loss of power takes back a row that was written."""
    with opening(five_rows, clock) as one:
        assert durability(one) == (3, "delete")
        one.append(stop("six"))
        assert durability(one) == (3, "delete")


ROW = {"seq": 2, "at": "2026-11-22T19:00:02Z", "kind": "k", "run": "r", "job": "j", "payload": "{}"}
OTHERS = {
    "seq": 3,
    "at": "2026-11-22T19:00:03Z",
    "kind": "other",
    "run": None,
    "job": None,
    "payload": "[]",
}


@pytest.mark.parametrize("column", OTHERS)
def test_a_rows_hash_depends_on_each_of_its_columns(column: str) -> None:
    assert chain_hash(FIRST_HASH, **ROW) != chain_hash(
        FIRST_HASH, **{**ROW, column: OTHERS[column]}
    )


def test_a_rows_hash_depends_on_the_row_before(five_rows: Path, clock: VirtualClock) -> None:
    """So that a row taken from another ledger, or put behind another row, is found."""
    assert chain_hash(FIRST_HASH, **ROW) != chain_hash("a" * 64, **ROW)
    with opened(five_rows, clock) as one:
        rows = tuple(one.rows())
    previous = FIRST_HASH
    for row in rows:
        kept = {name: getattr(row, name) for name in ROW}
        assert row.hash == chain_hash(previous, **kept)
        previous = row.hash


# What can be wrong with the file


def test_no_ledger(ledger_path: Path, clock: VirtualClock) -> None:
    """A ledger that is not there is said to be missing, and none is made by reading."""
    with pytest.raises(LedgerError, match="no ledger at"):
        opened(ledger_path, clock)
    assert not ledger_path.exists()


def test_no_folder(tmp_path: Path, clock: VirtualClock) -> None:
    """A folder that is not there is a mistake in the command."""
    for make in (open_ledger, create_ledger):
        with pytest.raises(UsageError, match="folder of the ledger"):
            make(tmp_path / "absent" / "x.ledger", clock=clock, mask=Mask())


NO_LEDGERS = {
    "text": b"this is no database at all, only text that is long enough to be read as a page",
    "binary": bytes(range(256)) * 40,
    "a torn header": b"SQLite format 3\x00" + b"\x00" * 30,
}


@pytest.mark.parametrize("data", NO_LEDGERS.values(), ids=NO_LEDGERS.keys())
def test_a_file_that_is_no_ledger(ledger_path: Path, clock: VirtualClock, data: bytes) -> None:
    """It is named, kept as it is, and the error is one of the ledger."""
    ledger_path.write_bytes(data)
    for read_only in (True, False):
        with pytest.raises(LedgerError):
            opened(ledger_path, clock, read_only=read_only)
    with pytest.raises(LedgerError):
        create_ledger(ledger_path, clock=clock, mask=Mask())
    assert ledger_path.read_bytes() == data


STRANGERS = {
    "a plan": (b"format: 1\nname: contoso-split\n" * 20, False),
    "a snapshot of the evening as a zip": (b"PK\x03\x04\x14\x00" * 200, True),
}


@pytest.mark.parametrize(("data", "copy"), STRANGERS.values(), ids=STRANGERS.keys())
def test_a_file_that_never_was_a_ledger(
    ledger_path: Path, clock: VirtualClock, data: bytes, copy: bool
) -> None:
    """It is not called damaged; only of one that is no text a copy is spoken of."""
    ledger_path.write_bytes(data)
    with pytest.raises(LedgerError, match="is no ledger of runbook") as caught:
        opened(ledger_path, clock)
    assert "damaged" not in str(caught.value)
    assert "`--ledger FILE`" in caught.value.hint
    assert "`runbook.ledger` beside the plan" in caught.value.hint
    assert ("last good copy" in caught.value.hint) == copy


def test_a_ledger_with_a_torn_header_is_damaged(ledger_path: Path, clock: VirtualClock) -> None:
    """What begins as a ledger does was one."""
    ledger_path.write_bytes(NO_LEDGERS["a torn header"])
    with pytest.raises(LedgerError, match="damaged") as caught:
        opened(ledger_path, clock)
    assert "last good copy" in caught.value.hint


def test_a_database_of_another_program(ledger_path: Path, clock: VirtualClock) -> None:
    """Another program's SQLite file is not touched."""
    with contextlib.closing(sqlite3.connect(ledger_path)) as db, db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    with pytest.raises(LedgerError, match="no ledger of runbook"):
        opened(ledger_path, clock, read_only=False)


def test_a_ledger_of_another_version(five_rows: Path, clock: VirtualClock) -> None:
    """A later format is not guessed at."""
    with contextlib.closing(sqlite3.connect(five_rows)) as db, db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(LedgerError, match="has ledger format 2; this version reads format 1"):
        opened(five_rows, clock)


def test_an_empty_file_becomes_a_ledger(ledger_path: Path, clock: VirtualClock) -> None:
    """Creation that broke off before its first byte is taken up again; reading says it is empty."""
    ledger_path.touch()
    with pytest.raises(LedgerError, match="empty"):
        opened(ledger_path, clock)
    with create_ledger(ledger_path, clock=clock, mask=Mask()) as made:
        made.append(stop("first"))
    assert damaged_rows(ledger_path, clock) == {}


def test_a_folder_in_place_of_the_ledger(tmp_path: Path, clock: VirtualClock) -> None:
    """A folder is no ledger."""
    with pytest.raises(LedgerError):
        opened(tmp_path, clock)
    with pytest.raises(LedgerError):
        create_ledger(tmp_path, clock=clock, mask=Mask())


def test_a_locked_ledger_is_said_to_be_locked(
    five_rows: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may hold the file."""
    holder = sqlite3.connect(five_rows, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.01}))
    try:
        with pytest.raises(LedgerError, match="is locked by another program"):
            opened(five_rows, clock)
    finally:
        holder.close()


def test_a_full_disk_loses_nothing_that_was_written(five_rows: Path, clock: VirtualClock) -> None:
    """The append fails with a hint; the rows before stay whole, and it goes on once there is room."""
    with opened(five_rows, clock, read_only=False) as one:
        pages = one._db.execute("PRAGMA page_count").fetchone()[0]
        one._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LedgerError, match="cannot be written") as caught:
            one.append(stop("x" * 100_000))
        assert "free disk space" in caught.value.hint
        assert list(one.damages()) == []
        one._db.execute("PRAGMA max_page_count = 1000000")
        one.append(stop("x" * 100_000))
    assert damaged_rows(five_rows, clock) == {}


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_FSIZE is POSIX's")
def test_a_disk_that_is_full_in_earnest(five_rows: Path, clock: VirtualClock) -> None:
    """A write that the system refuses half way leaves the chain whole."""
    limit = five_rows.stat().st_size + 20_000
    done = run_child(
        f"""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
        from runbook.errors import LedgerError
        ledger = open_ledger(Path({str(five_rows)!r}), clock=clock, mask=Mask())
        try:
            for _ in range(100):
                ledger.append(StopRequested(reason="x" * 5000, by="y"))
        except LedgerError as problem:
            print(problem, problem.hint)
        """
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert damaged_rows(five_rows, clock) == {}
    with opened(five_rows, clock) as one:
        assert one.head()[0] > 5


def run_child(code: str) -> "subprocess.CompletedProcess[str]":
    head = """
        import os
        from datetime import UTC, datetime
        from pathlib import Path
        from runbook.clock import VirtualClock
        from runbook.ledger.events import StopRequested
        from runbook.ledger.store import open_ledger
        from runbook.secrets import Mask
        clock = VirtualClock(datetime(2026, 11, 22, tzinfo=UTC))
    """
    source = textwrap.dedent(head) + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )


def test_a_process_killed_inside_a_transaction_leaves_the_rows_before(
    five_rows: Path, clock: VirtualClock
) -> None:
    """A hot journal is rolled back by whoever opens the ledger next, a reader included."""
    done = run_child(
        f"""
        ledger = open_ledger(Path({str(five_rows)!r}), clock=clock, mask=Mask())
        db = ledger._db
        db.execute("PRAGMA cache_size = 1")
        db.execute("PRAGMA cache_spill = 1")
        db.execute("BEGIN IMMEDIATE")
        for number in range(6, 60):
            db.execute("INSERT INTO event VALUES (?,?,?,?,?,?,?)",
                       (number, "a", "k", None, None, "x" * 4000, "h"))
        os._exit(9)
        """
    )
    assert done.returncode == 9, done.stderr
    assert five_rows.with_name(five_rows.name + "-journal").stat().st_size > 0
    assert damaged_rows(five_rows, clock) == {}
    with opened(five_rows, clock) as one:
        assert one.head()[0] == 5


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no files from anybody")
def test_a_folder_that_may_not_be_written(clock: VirtualClock) -> None:
    """The error names the way out."""
    with pytest.raises(LedgerError, match="cannot create the ledger") as caught:
        create_ledger(Path("/proc/x.ledger"), clock=clock, mask=Mask())
    assert "--ledger" in caught.value.hint


def test_a_copied_file_is_whole(five_rows: Path, clock: VirtualClock, tmp_path: Path) -> None:
    """One file holds everything: no write-ahead log has to be copied along."""
    with opened(five_rows, clock, read_only=False) as one:
        one.append(stop("sixth"))
        copy = tmp_path / "copy.ledger"
        copy.write_bytes(five_rows.read_bytes())
    assert damaged_rows(copy, clock) == {}
    with opened(copy, clock) as one:
        assert one.head()[0] == 6
