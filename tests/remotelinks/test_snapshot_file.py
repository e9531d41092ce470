"""The snapshot file holds whole chunks only, and says what it is."""

import contextlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runbook.errors import UsageError
from runbook.remotelinks.snapshot_file import (
    IssueState,
    ReadIssue,
    SnapshotFile,
    create_snapshot,
    link_row,
    open_snapshot,
)

AT = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
ENG = "https://contoso-eng.atlassian.net"
SCOPE = {"kind": "projects", "sites": [ENG], "jql": {}, "expected": None}
LINK = link_row(
    ENG, "A-1", {"id": 7, "globalId": "g", "object": {"url": "u", "title": "t"}, "odd": 1}
)


def begun(path: Path, **changes: Any) -> SnapshotFile:
    values = {"plan": "p", "digest": "d", "scope": SCOPE, "at": AT} | changes
    return create_snapshot(path, **values)


def read(asked: str, state: IssueState = IssueState.READ, **more: Any) -> ReadIssue:
    return ReadIssue(asked=asked, key=asked, id=1, state=state, **more)


def test_a_chunk_is_recorded_whole_and_twice_makes_no_difference(tmp_path: Path) -> None:
    with begun(tmp_path / "s") as file:
        file.add_site(ENG, account="default", at=AT)
        file.plan_chunks(ENG, [["A-1", "A-2"], ["A-3"]])
        first = file.open_chunks(ENG)[0]
        for _ in range(2):
            file.record_chunk(first, [read("A-1", links=(LINK,)), read("A-2")], AT)
        assert [chunk.keys for chunk in file.open_chunks(ENG)] == [("A-3",)]
        assert file.chunk_sizes(ENG) == (3, 2)
        assert file.link_count() == 1
        assert file.states() == {"read": 2}
        (link,) = file.links(ENG)
        assert (link.issue, link.link_id, link.hash) == ("A-1", 7, LINK.hash)
        assert '"odd":1' in link.record


def test_a_chunk_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    with begun(tmp_path / "s") as file:
        file.plan_chunks(ENG, [["A-1"]])
        broken = read("A-1", links=(LINK, link_row(ENG, "A-1", {"id": 2**70, "object": {}})))
        with pytest.raises(OverflowError):
            file.record_chunk(file.open_chunks(ENG)[0], [broken], AT)
        assert file.link_count() == 0
        assert file.states() == {}
        assert file.open_chunks(ENG)


def test_a_failed_issue_opens_its_chunk_again(tmp_path: Path) -> None:
    with begun(tmp_path / "s") as file:
        file.plan_chunks(ENG, [["A-1"], ["A-2"]])
        for chunk, state in zip(
            file.open_chunks(ENG), (IssueState.FAILED, IssueState.ABSENT), strict=True
        ):
            file.record_chunk(chunk, [read(chunk.keys[0], state)], AT)
        file.finish(AT)
        file.reopen_failed()
        assert [chunk.keys for chunk in file.open_chunks(ENG)] == [("A-1",)]
        assert file.meta().finished_at is None


def test_the_same_scope_goes_on_and_another_is_refused(tmp_path: Path) -> None:
    begun(tmp_path / "s").close()
    begun(tmp_path / "s", digest="changed since").close()
    with pytest.raises(UsageError, match="another scope"):
        begun(tmp_path / "s", plan="other")
    with pytest.raises(UsageError, match="another scope"):
        begun(tmp_path / "s", scope=SCOPE | {"kind": "jql"})


def test_what_is_no_snapshot_is_said_to_be_none(tmp_path: Path) -> None:
    text, other, later = tmp_path / "text", tmp_path / "other", tmp_path / "later"
    text.write_text("hello, I am a letter " * 50)
    with contextlib.closing(sqlite3.connect(other)) as db, db:
        db.execute("CREATE TABLE t(x)")
    begun(later).close()
    with contextlib.closing(sqlite3.connect(later)) as db, db:
        db.execute("PRAGMA user_version = 9")
    for path, words in (
        (text, "not a database"),
        (other, "no snapshot of runbook"),
        (later, "format 9"),
        (tmp_path / "absent", "no snapshot at"),
    ):
        with pytest.raises(UsageError, match=words) as caught:
            open_snapshot(path)
        assert caught.value.hint
    with pytest.raises(UsageError, match="folder"):
        begun(tmp_path / "nowhere" / "s")


def test_reading_never_writes(tmp_path: Path) -> None:
    begun(tmp_path / "s").close()
    with open_snapshot(tmp_path / "s") as file, pytest.raises(UsageError, match="readonly"):
        file.finish(AT)
