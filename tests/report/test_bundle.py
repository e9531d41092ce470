"""A bundle is the same bytes each time, and a changed byte anywhere in it is found and named."""

import hashlib
import io
import json
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable

import pytest

from runbook.clock import VirtualClock
from runbook.ledger.store import open_ledger
from runbook.report import bundle_open
from runbook.report.bundle import (
    LEDGER,
    SIGNATURE,
    SUMS,
    Choices,
    Evidence,
    archive_comment,
    chain_problems,
    files_of,
    ledger_line,
    row_of_line,
    sums_text,
    zip_bytes,
)
from runbook.report.bundle_open import open_bundle
from runbook.report.bundle_verify import Verdict, verify
from runbook.report.redact import redact_rows
from runbook.secrets import Mask
from tests.report.bundle_world import ACCOUNT_ID, LOG, RUN, SHOT, START, TITLE, make_ledger


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = make_ledger(tmp_path_factory.mktemp("world"))
    with open_ledger(path, clock=VirtualClock(START), mask=Mask(), read_only=True) as ledger:
        return tuple(ledger.rows())


def packed_files(rows, choices: Choices = Choices()) -> dict[str, bytes]:  # noqa: B008
    shot = hashlib.sha256(SHOT).hexdigest()
    evidence = [
        Evidence(path="evidence/shot.png", sha256=shot, data=None if choices.redacted else SHOT),
        Evidence(path="gone.png", sha256=None, data=None, why_left_out="it was not there"),
    ]
    files = files_of(rows, RUN, evidence, choices)
    return {**files, SUMS: sums_text(files).encode()}


@pytest.fixture(scope="module")
def files(rows):
    return packed_files(rows)


def pack(files: dict[str, bytes]) -> bytes:
    return zip_bytes(files, "2026-11-22T19:02:25Z")


def judged(data: bytes) -> Verdict:
    return verify(open_bundle(io.BytesIO(data)), data)


def repacked(files: dict[str, bytes]) -> bytes:
    """Return a zip as another program would make it: no comment, other order, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(files):
            archive.writestr(name, files[name])
    return buffer.getvalue()


def test_a_bundle_holds_everything_and_is_whole(files):
    assert judged(pack(files)).problems == []
    assert files["logs/000011-audit-a.atlassian.net-audit_log.csv"] == LOG
    assert files["evidence/001-shot.png"] == SHOT
    assert any(name.startswith("answers/000004-submit.answered-a-to-b") for name in files)
    answer = next(data for name, data in files.items() if "job.polled" in name)
    assert (
        answer.split(b"\n\n")[-1] == b'{"status": "Complete", "by": "' + ACCOUNT_ID.encode() + b'"}'
    )
    assert {"README.txt", "report.html", "plan.yaml", "bundle.json", LEDGER} <= set(files)


def test_the_same_ledger_gives_the_same_bytes(rows, files):
    assert pack(packed_files(rows)) == pack(files)


def test_no_entry_is_newer_than_the_last_event_or_compressed(files):
    with zipfile.ZipFile(io.BytesIO(pack(files))) as archive:
        assert {info.date_time for info in archive.infolist()} == {(2026, 11, 22, 19, 2, 24)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_every_changed_byte_of_every_file_is_found_and_named(files):
    for name, data in files.items():
        for position in {0, len(data) // 2, len(data) - 1}:
            for bit in (0x01, 0x20):
                changed = bytearray(data)
                changed[position] ^= bit
                verdict = judged(pack({**files, name: bytes(changed)}))
                named = {problem.file for problem in verdict.problems} | {
                    word for problem in verdict.problems for word in problem.problem.split("`")
                }
                assert name in named, (name, position)


def test_every_changed_byte_is_found_when_another_program_packs_it_anew(files):
    assert judged(repacked(files)).problems == []
    assert "packed anew" in judged(repacked(files)).notes[0]
    for name, data in files.items():
        changed = {**files, name: data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]}
        assert judged(repacked(changed)).problems, name


def test_a_signature_that_was_changed_removed_or_added_after_packing_is_named(files):
    """No checksum covers it: the archive's own comment does."""
    signed = {**files, SIGNATURE: b"one signature"}

    def with_comment_of(packed: dict[str, bytes], changed: dict[str, bytes]) -> Verdict:
        data = io.BytesIO(repacked(changed))
        with zipfile.ZipFile(data, "a") as archive:
            archive.comment = archive_comment(packed).encode()
        return judged(data.getvalue())

    assert with_comment_of(signed, signed).problems == []
    for packed, changed, words in (
        (signed, {**files, SIGNATURE: b"another's signature"}, "was changed"),
        (signed, files, "was removed"),
        (files, signed, "was added"),
    ):
        (problem,) = with_comment_of(packed, changed).problems
        assert (problem.file, words in problem.problem) == (SIGNATURE, True)


def resummed(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, SUMS: sums_text(files).encode()}


def test_a_file_that_is_changed_together_with_its_checksum_contradicts_the_ledger(files):
    for name, data in files.items():
        if name in (SUMS, "bundle.json", LEDGER):
            continue
        verdict = judged(pack(resummed({**files, name: data + b"x"})))
        assert name in {problem.file for problem in verdict.problems}, name
    added = judged(pack(resummed({**files, "answers/extra.http": b"made up"})))
    assert [problem.file for problem in added.problems] == ["answers/extra.http"]


def ledger_lines(files: dict[str, bytes]) -> list[bytes]:
    return files[LEDGER].splitlines(keepends=True)


def with_ledger(files: dict[str, bytes], lines: list[bytes]) -> bytes:
    return pack(resummed({**files, LEDGER: b"".join(lines)}))


def test_every_changed_row_of_the_ledger_is_named(files):
    for number, line in enumerate(ledger_lines(files), start=1):
        for field, value in (
            ("at", "2026-11-22T19:00:59Z"),
            ("kind", "other"),
            ("job", "x"),
            ("payload", {}),
        ):
            row = {**json.loads(line), field: value}
            lines = ledger_lines(files)
            lines[number - 1] = json.dumps(row).encode() + b"\n"
            said = [problem.problem for problem in judged(with_ledger(files, lines)).problems]
            assert any(f"row {number} " in text for text in said), (number, field)


def test_removed_inserted_and_moved_rows_are_named(files):
    lines = ledger_lines(files)
    said = {
        "row 3 is missing": [*lines[:2], *lines[3:]],
        "row 5 is missing, row 4 follows": [*lines[:4], lines[3], *lines[4:]],
        "row 4 is missing, row 5 follows": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "it ends with row 10": lines[:-1],
        "line 2 cannot be read": [lines[0], b"no json\n", *lines[1:]],
        "line 1 cannot be read": [b"[1]\n", *lines[1:]],
    }
    for words, changed in said.items():
        problems = judged(with_ledger(files, changed)).problems
        assert any(words in problem.problem for problem in problems), words


def test_a_row_cannot_be_excused_as_redacted_in_a_bundle_that_is_not(files):
    lines = ledger_lines(files)
    row = {**json.loads(lines[2]), "job": "other", "redacted": True}
    lines[2] = json.dumps(row).encode() + b"\n"
    said = [problem.problem for problem in judged(with_ledger(files, lines)).problems]
    assert any("say that they are redacted" in text for text in said)


def test_evidence_that_is_not_the_recorded_file_is_named(files):
    verdict = judged(pack(resummed({**files, "evidence/001-shot.png": b"another"})))
    assert [problem.file for problem in verdict.problems] == ["evidence/001-shot.png"]


# Archives that mean harm


def archive(
    *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED
) -> bytes:
    buffer = io.BytesIO()
    with (
        pytest.warns(UserWarning, match="Duplicate name") if _repeats(entries) else _quiet(),
        zipfile.ZipFile(buffer, "w", method) as made,
    ):
        for name, data in entries:
            made.writestr(name, data)
    return buffer.getvalue()


def _repeats(entries) -> bool:
    names = [entry if isinstance(entry, str) else entry.filename for entry, _ in entries]
    return len(set(names)) < len(names)


def _quiet():
    import contextlib

    return contextlib.nullcontext()


def symlink() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("report.html")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def device() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("report.html")
    info.create_system = 3
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    return info


def overlapping() -> bytes:
    """Two directory entries that share the bytes of one file."""
    data = bytearray(archive(("a.txt", b"x" * 100), ("b.txt", b"y" * 100)))
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = (0).to_bytes(4, "little")
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(archive(("a.txt", b"x")))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path that leaves the folder": (
        lambda: archive(("../../etc/cron.d/x", b"")),
        "path traversal",
    ),
    "a path with a dot in between": (lambda: archive(("a/../../x", b"")), "path traversal"),
    "an absolute path": (lambda: archive(("/etc/passwd", b"")), "absolute path"),
    "a drive letter": (lambda: archive(("C:/Windows/x", b"")), "absolute path"),
    "backslashes": (lambda: archive(("..\\..\\x", b"")), "backslash"),
    "a control character": (lambda: archive(("a\x1b[31m", b"")), "control characters"),
    "a hidden direction change": (lambda: archive(("a\u202etxt.exe", b"")), "control characters"),
    "the same name twice": (lambda: archive(("a", b"1"), ("a", b"2")), "appears twice"),
    "names that differ in case": (
        lambda: archive(("Report.html", b""), ("report.html", b"")),
        "upper and lower case",
    ),
    "names that differ in composition": (
        lambda: archive(("\u00e9", b""), ("e\u0301", b"")),
        "upper and lower case",
    ),
    "a symbolic link": (lambda: archive((symlink(), b"/etc/passwd")), "symbolic link"),
    "a device": (lambda: archive((device(), b"")), "neither a file nor a folder"),
    "a zip bomb": (
        lambda: archive(("report.html", b"\0" * 30_000_000), method=zipfile.ZIP_DEFLATED),
        "zip bomb",
    ),
    "entries that share their bytes": (overlapping, "zip bomb"),
    "an encrypted entry": (encrypted, "encrypted"),
    "an unusual method": (lambda: archive(("a", b"x"), method=zipfile.ZIP_LZMA), "method 14"),
    "a zip of something else": (lambda: archive(("holiday.jpg", b"")), "no bundle of runbook"),
    "a zip that is cut off": (lambda: archive(("a", b"x" * 1000))[:-30], "cut off"),
    "no zip": (lambda: b"format: 1\n", "not a zip"),
    "an empty file": (lambda: b"", "empty"),
    "an empty zip": (archive, "missing"),
}


@pytest.mark.parametrize(("make", "words"), HOSTILE.values(), ids=HOSTILE)
def test_each_kind_of_harm_has_its_own_message(make, words):
    said = " / ".join(problem.problem for problem in judged(make()).problems)
    assert words in said


def test_a_lie_about_the_size_is_found_without_unpacking_more(monkeypatch):
    data = bytearray(archive(("a", b"\0" * 5_000_000), method=zipfile.ZIP_DEFLATED))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(mark) + offset
        data[place : place + 4] = (10).to_bytes(4, "little")
    assert judged(bytes(data)).problems[0].file == "a"


def test_limits_on_number_and_size_hold(monkeypatch):
    monkeypatch.setattr(bundle_open, "MOST_ENTRIES", 2)
    assert (
        "zip bomb: 3 entries"
        in judged(archive(*((str(n), b"") for n in range(3)))).problems[0].problem
    )
    monkeypatch.setattr(bundle_open, "MOST_BYTES", 10)
    assert "at most 10 are read" in judged(archive(("a", b"x" * 11))).problems[0].problem


def test_a_cut_anywhere_never_crashes_and_is_always_found(files):
    data = pack(files)
    for end in range(0, len(data), max(1, len(data) // 60)):
        assert judged(data[:end]).problems


def test_a_flipped_byte_anywhere_in_the_zip_never_crashes_and_never_hides_a_change(files):
    data = pack(files)
    for position in range(0, len(data), max(1, len(data) // 150)):
        changed = data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]
        verdict = judged(changed)
        assert verdict.problems or verdict.notes, position


def test_missing_and_added_files_are_named(files):
    for name in files:
        without = {key: data for key, data in files.items() if key != name}
        assert name in {problem.file for problem in judged(pack(without)).problems}, name
    more = judged(pack({**files, "notes.txt": b"x"})).problems
    assert ("notes.txt", True) in {
        (problem.file, "was added" in problem.problem) for problem in more
    }


BAD_MANIFESTS = [
    b"",
    b"[]",
    b'{"format": 2}',
    b'{"format": 1}',
    b"\xff",
    b'{"format": 1, "run": 1}',
]


@pytest.mark.parametrize("manifest", BAD_MANIFESTS)
def test_a_manifest_that_cannot_be_read_is_named(manifest, files):
    verdict = judged(pack(resummed({**files, "bundle.json": manifest})))
    assert "bundle.json" in {problem.file for problem in verdict.problems}


# Redaction


def test_a_redacted_bundle_names_nobody_and_is_still_checked(rows):
    changed_rows, changed = redact_rows(rows)
    choices = Choices(redacted=True, redacted_rows=changed)
    files = packed_files(changed_rows, choices)
    everything = b"".join(files.values())
    for canary in ("admin@contoso.example", TITLE, ACCOUNT_ID, "admin%40contoso"):
        assert canary.encode() not in everything, canary
    verdict = judged(pack(files))
    assert verdict.problems == []
    assert f"{len(changed)} of {len(rows)} rows are redacted" in verdict.notes[0]
    assert not any(name.startswith(("logs/", "evidence/")) for name in files)
    lines = files[LEDGER].splitlines(keepends=True)
    intact = next(n for n, row in enumerate(rows) if row.seq not in changed)
    lines[intact] = json.dumps({**json.loads(lines[intact]), "job": "x"}).encode() + b"\n"
    assert judged(with_ledger(files, lines)).problems


# Without this tool


def test_the_script_checks_the_chain_with_python_alone(files, tmp_path):
    for name in ("check_chain.py", LEDGER):
        (tmp_path / name).write_bytes(files[name])
    call = [sys.executable, "-I", "check_chain.py"]
    good = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (good.returncode, "0 wrong" in good.stdout) == (0, True)
    text = (tmp_path / LEDGER).read_text(encoding="utf-8")
    (tmp_path / LEDGER).write_text(text.replace("Jane Roe", "John Doe"), encoding="utf-8")
    bad = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bad.returncode, "row 1 is not as it was written" in bad.stdout) == (1, True)


def test_the_readme_names_every_way_to_check(files):
    text = files["README.txt"].decode()
    for words in (
        "sha256sum -c",
        "shasum -a 256 -c",
        "Get-FileHash",
        "ssh-keygen -Y verify",
        "DOES NOT PROVE",
    ):
        assert words in text


def test_a_row_whose_text_is_not_canonical_is_kept_as_it_was(rows):
    import dataclasses

    odd = dataclasses.replace(rows[0], payload='{"b": 1,  "a": 2}')
    line = ledger_line(odd, redacted=False)
    assert row_of_line(line) == (odd, False)
    assert list(chain_problems([(rows[0], False)])) == []
