"""Files are written whole or not at all, with the rights that their content asks for."""

import os
from pathlib import Path

import pytest

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.errors import UsageError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows knows no modes")


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_new_file_has_the_usual_rights(tmp_path):
    write_atomically(tmp_path / "plan.yaml", "format: 1\n")
    assert mode(tmp_path / "plan.yaml") == 0o644


def test_what_holds_the_customers_words_is_the_owners_alone(tmp_path):
    write_atomically(tmp_path / "report.html", "<p>", mode=PRIVATE)
    assert mode(tmp_path / "report.html") == 0o600


def test_the_umask_still_applies(tmp_path):
    os.umask(0o277)
    write_atomically(tmp_path / "report.html", "<p>", mode=PRIVATE)
    assert mode(tmp_path / "report.html") == 0o400


def test_a_file_that_is_there_keeps_its_rights(tmp_path):
    path = tmp_path / "report.html"
    path.touch(mode=0o640)
    write_atomically(path, "<p>", mode=PRIVATE)
    assert mode(path) == 0o640
    assert path.read_text() == "<p>"


def test_a_folder_that_is_not_there_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageError, match="the folder of"):
        write_atomically(tmp_path / "absent" / "x", b"")
    with pytest.raises(UsageError, match="is a folder"):
        write_atomically(tmp_path, b"")


@pytest.mark.parametrize("old", [None, "old"], ids=["a new file", "one that is replaced"])
def test_what_is_written_is_on_the_disk_before_it_takes_the_files_place(
    old: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a loss of power the file is the old one or the new one, never an empty one."""
    path = tmp_path / "report.html"
    if old is not None:
        path.write_text(old)
    synced: dict[int, tuple[int, str | None]] = {}
    fsync = os.fsync

    def seen(handle: int) -> None:
        fsync(handle)
        there = path.read_text() if path.exists() else None
        synced[os.fstat(handle).st_ino] = (os.fstat(handle).st_size, there)

    monkeypatch.setattr(os, "fsync", seen)
    write_atomically(path, "<p>new")
    assert path.read_text() == "<p>new"
    assert synced[path.stat().st_ino] == (len("<p>new"), old)
