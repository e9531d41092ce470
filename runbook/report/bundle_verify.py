"""Verify a bundle: archive, checksums, chain, and that its files say what its ledger says.

In: the contents of a bundle. Out: what is wrong, by file, and what could not be checked. Pure; the
signature is checked by the caller, who has a key.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runbook import __version__
from runbook.clock import parse_utc
from runbook.errors import RunbookError
from runbook.ledger.codec import Row
from runbook.report.bundle import (
    LEDGER,
    MANIFEST,
    OF_THIS_VERSION,
    SIGNATURE,
    SUMS,
    Choices,
    archive_comment,
    chain_problems,
    derived_files,
    manifest_of,
    named_evidence,
    readme,
    row_of_line,
    view_of,
    zip_bytes,
)
from runbook.report.bundle_open import Opened, Problem
from runbook.report.redact import holds_stand_in

_SUM_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\Z")


@dataclass(slots=True)
class Verdict:
    """What a verification found; `manifest` is empty where it cannot be read.

    `unproven` are the numbers and kinds of redacted rows: nothing in the bundle shows what they said.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    files: int = 0
    rows: int = 0
    head: str = ""
    unproven: list[tuple[int, str]] = field(default_factory=list)

    def blame(self, file: str, problem: str) -> None:
        """Keep one thing that is wrong with a file, or with the archive where there is no name."""
        self.problems.append(Problem(file, problem))


def verify(opened: Opened, packed: bytes) -> Verdict:
    """Return what is wrong with an opened bundle; `packed` are the bytes of the zip."""
    verdict = Verdict(problems=list(opened.problems), files=len(opened.files))
    if opened.fatal:
        return verdict
    files = opened.files
    verdict.problems += _sums_problems(opened)
    if LEDGER not in files and MANIFEST not in files:
        verdict.blame("", "it is a zip, but no bundle of runbook")
        return verdict
    verdict.manifest = _manifest(files, verdict)
    rows = _rows(files, verdict)
    if rows and verdict.manifest:
        _compare_with_rows(files, rows, verdict)
    if not verdict.problems and rows and packed != zip_bytes(files, rows[-1][0].at):
        verdict.notes.append(
            "the archive was packed anew by another program; its files are as they were"
        )
    return verdict


# Checksums


def _sums_problems(opened: Opened) -> Iterator[Problem]:
    files = opened.files
    damaged = {problem.file for problem in opened.problems}
    if SUMS not in files:
        if SUMS not in damaged:
            yield Problem(SUMS, "it is missing, so nothing says what the files should be")
        return
    yield from _pin_problems(opened)
    try:
        text = files[SUMS].decode("ascii", "surrogateescape")
    except UnicodeDecodeError:
        text = ""
    stated: dict[str, str] = {}
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        found = _SUM_LINE.match(line)
        if not found:
            yield Problem(SUMS, f"line {number} is no checksum and name")
        elif found[2] in stated:
            yield Problem(SUMS, f"line {number} names `{found[2]}` a second time")
        else:
            stated[found[2]] = found[1]
    if text and not text.endswith("\n"):
        yield Problem(SUMS, "its last line does not end")
    if list(stated) != sorted(stated):
        yield Problem(SUMS, "its lines are not in order")
    for name, wanted in stated.items():
        if name in files:
            if hashlib.sha256(files[name]).hexdigest() != wanted:
                yield Problem(name, f"it was changed: it is not what `{SUMS}` says")
        elif name not in damaged:
            yield Problem(name, f"it is missing, although `{SUMS}` lists it")
    for name in files:
        if name not in stated and name not in (SUMS, SIGNATURE):
            yield Problem(name, f"it was added: `{SUMS}` does not list it")


def _pin_problems(opened: Opened) -> Iterator[Problem]:
    """The archive's comment pins the files that the checksums cannot cover, where it is still there."""
    comment = opened.comment.decode("ascii", "replace")
    if not comment.startswith("runbook bundle 1\n") or comment == archive_comment(opened.files):
        return
    pinned = {
        found[2]: found[1] for line in comment.split("\n")[1:] if (found := _SUM_LINE.match(line))
    }
    for name in (SUMS, SIGNATURE):
        data = opened.files.get(name)
        if name in pinned and data is None:
            yield Problem(name, "it was removed")
        elif data is not None and name not in pinned:
            yield Problem(name, "it was added later")
        elif data is not None and hashlib.sha256(data).hexdigest() != pinned[name]:
            yield Problem(name, "it was changed after the bundle was packed")


# Manifest and chain


def _manifest(files: Mapping[str, bytes], verdict: Verdict) -> dict[str, Any]:
    data = files.get(MANIFEST)
    if data is None:
        return {}
    try:
        value = json.loads(data)
        if value["format"] != 1:
            verdict.blame(MANIFEST, f"it has format {value['format']!r}; this version reads 1")
            return {}
        ledger = value["ledger"]
        wanted = (
            isinstance(value["run"], str)
            and isinstance(value["lang"], str)
            and isinstance(value["tool_version"], str)
            and isinstance(value["redacted"], bool)
            and isinstance(value["evidence"], list)
            and all(_is_placed_evidence(file) for file in value["evidence"])
            and isinstance(ledger["rows"], int)
            and isinstance(ledger["head"], str)
        )
        # Half a character cannot be printed, and no manifest of ours holds one.
        json.dumps(value, ensure_ascii=False).encode()
        if wanted:
            return dict(value)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    verdict.blame(MANIFEST, "it cannot be read")
    return {}


def _is_placed_evidence(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() >= {"path", "sha256", "file", "why_left_out"}
        and isinstance(value["path"], str)
        and all(isinstance(value[name], str | None) for name in ("sha256", "file", "why_left_out"))
    )


def _rows(files: Mapping[str, bytes], verdict: Verdict) -> list[tuple[Row, bool]]:
    data = files.get(LEDGER)
    if data is None:
        return []
    rows: list[tuple[Row, bool]] = []
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            marked = row_of_line(line)
            parse_utc(marked[0].at)
        except (ValueError, RecursionError) as problem:
            verdict.blame(LEDGER, f"line {number} cannot be read as a row: {problem}")
            return []
        rows.append(marked)
    broken = [Problem(LEDGER, text) for _, text in chain_problems(rows)]
    verdict.problems += broken[:20]
    if len(broken) > 20:
        verdict.blame(LEDGER, f"{len(broken) - 20} more rows are damaged")
    verdict.rows, verdict.head = len(rows), rows[-1][0].hash
    stated = verdict.manifest.get("ledger")
    if stated and (stated["rows"], stated["head"]) != (verdict.rows, verdict.head):
        verdict.blame(
            LEDGER,
            f"it ends with row {verdict.rows}, {verdict.head[:16]}…; `{MANIFEST}` says row {stated['rows']}, {stated['head'][:16]}…",
        )
    for row, changed in rows:
        if not changed:
            continue
        verdict.unproven.append((row.seq, row.kind))
        if not holds_stand_in(row.payload):
            what = f"row {row.seq} ({row.kind}) says that it is redacted, but nothing in it is"
            verdict.blame(LEDGER, what)
    redacted = len(verdict.unproven)
    if redacted and not verdict.manifest.get("redacted", True):
        verdict.blame(LEDGER, f"{redacted} rows say that they are redacted; the bundle is not")
    elif redacted:
        verdict.notes.append(
            f"{redacted} of {len(rows)} rows are redacted: their hashes cannot be recomputed"
        )
    return rows


# The other files against the rows


def _compare_with_rows(
    files: Mapping[str, bytes], marked: list[tuple[Row, bool]], verdict: Verdict
) -> None:
    manifest = verdict.manifest
    rows = tuple(row for row, _ in marked)
    choices = Choices(
        lang=manifest["lang"],
        redacted=manifest["redacted"],
        redacted_rows=frozenset(row.seq for row, redacted in marked if redacted),
    )
    try:
        view = view_of(rows, manifest["run"])
        derived = derived_files(rows, view, choices)
    except (
        RunbookError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        RecursionError,
    ) as problem:
        verdict.blame(LEDGER, f"its events cannot be read: {problem}")
        return
    same_version = manifest.get("tool_version") == __version__
    if same_version:
        wanted = manifest_of(rows, view, manifest["evidence"], choices)
        for name in sorted(wanted.keys() | manifest.keys()):
            if name not in manifest or name not in wanted or manifest[name] != wanted[name]:
                verdict.blame(MANIFEST, f"its `{name}` is not what the ledger says")
        derived["README.txt"] = readme(wanted).encode()
    else:
        verdict.notes.append(
            f"made by runbook {manifest.get('tool_version')}, this is {__version__}: the report is not compared with the ledger"
        )
    known = {problem.file for problem in verdict.problems}
    for name, data in derived.items():
        if name in OF_THIS_VERSION and not same_version:
            continue
        if name not in known and files.get(name) != data:
            what = "it is missing" if name not in files else "it does not say what the ledger says"
            verdict.blame(name, what)
    expected = {*derived, MANIFEST, SUMS, SIGNATURE, *_evidence_files(manifest)}
    for name in files:
        if name not in expected and name not in known and name not in OF_THIS_VERSION:
            verdict.blame(name, "it belongs to nothing in the ledger")
    verdict.problems += _evidence_problems(files, named_evidence(view), manifest)


def _evidence_files(manifest: Mapping[str, Any]) -> Iterable[str]:
    return (str(file["file"]) for file in manifest["evidence"] if file.get("file"))


def _evidence_problems(
    files: Mapping[str, bytes], recorded: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]
) -> Iterator[Problem]:
    placed = {(file.get("path"), file.get("sha256")): file for file in manifest["evidence"]}
    named = {(file.get("path"), file.get("sha256")) for file in recorded}
    for file in manifest["evidence"]:
        name = file.get("file")
        if (file["path"], file["sha256"]) not in named:
            yield Problem(
                str(name or MANIFEST), f"the evidence `{file['path']}` is not in the ledger"
            )
        elif file["sha256"] and not name and not manifest["redacted"]:
            yield Problem(
                MANIFEST, f"the evidence `{file['path']}` was recorded, its file is not here"
            )
        data = files.get(str(name)) if name else None
        if data is not None and hashlib.sha256(data).hexdigest() != file.get("sha256"):
            yield Problem(str(name), "it is not the file whose hash the ledger recorded")
    for evidence in recorded:
        if evidence.get("sha256") and (evidence.get("path"), evidence["sha256"]) not in placed:
            yield Problem(MANIFEST, f"the evidence `{evidence.get('path')}` is not accounted for")
