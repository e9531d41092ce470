"""A bundle that somebody built to mislead or to crash the check ends in a problem, never in a traceback."""

import dataclasses
import hashlib
import io
import json
from typing import Any

import pytest

from runbook.json_text import canonical_json
from runbook.report.bundle import LEDGER, MANIFEST, SUMS, Choices, readme, sums_text
from runbook.report.bundle_open import open_bundle
from runbook.report.bundle_verify import Verdict, verify
from runbook.report.redact import redact_rows
from tests.report.test_bundle import files, packed_files, repacked, rows

__all__ = ["files", "packed_files", "rows"]

HOSTILE_FIELDS: dict[str, dict[str, Any]] = {
    "a payload text that nests too deep to be read": {"payload_text": "[" * 100_000},
    "a payload text with an object around a deep nesting": {
        "payload_text": '{"a":' + "[" * 3000 + "]" * 3000 + "}"
    },
    "half a character as kind": {"kind": "\ud800"},
    "half a character as run": {"run": "\ud800"},
    "half a character as job": {"job": "\ud800"},
    "half a character as hash": {"hash": "\ud800"},
    "half a character as time": {"at": "\ud800"},
    "half a character in the payload": {"payload": {"a": "\ud800"}},
    "a hash that is no SHA-256": {"hash": "A" * 64},
    "a time that is none": {"at": "9999-99-99"},
    "a number with 400 digits": {"seq": 10**400},
    "a number below zero": {"seq": -1},
    "yes instead of a number": {"seq": True},
    "a payload that is no number": {"payload": {"x": float("nan")}},
    "a payload text that is no JSON": {"payload_text": "nan"},
    "a payload that is a list": {"payload": []},
    "a payload that is nothing": {"payload_text": "null"},
}
HOSTILE_MANIFESTS: dict[str, dict[str, Any]] = {
    "evidence whose path is a list": {
        "evidence": [{"file": "\ud800", "path": [], "sha256": {}, "why_left_out": None}]
    },
    "evidence without members": {"evidence": [{}]},
    "half a character as run": {"run": "\ud800"},
    "half a character as plan": {"plan": "\ud800"},
    "an unknown language": {"lang": "xx"},
    "a path as language": {"lang": "../../etc/passwd"},
    "a version that is a list": {"tool_version": []},
    "a word instead of the number of redacted rows": {"redacted_rows": "x"},
}


def judged(files: dict[str, bytes]) -> Verdict:
    """Return the verdict on files whose checksums are put right, as a forger would."""
    kept = {name: data for name, data in files.items() if name != SUMS}
    data = repacked({**kept, SUMS: sums_text(kept).encode()})
    return verify(open_bundle(io.BytesIO(data)), data)


def with_line(files: dict[str, bytes], index: int, **changed: Any) -> dict[str, bytes]:
    lines = files[LEDGER].decode().splitlines()
    lines[index] = json.dumps({**json.loads(lines[index]), **changed})
    return {**files, LEDGER: ("\n".join(lines) + "\n").encode()}


def with_manifest(files: dict[str, bytes], **changed: Any) -> dict[str, bytes]:
    value = {**json.loads(files[MANIFEST]), **changed}
    return {**files, MANIFEST: (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()}


@pytest.mark.parametrize("index", [0, 1, 2, 5])
@pytest.mark.parametrize("changed", HOSTILE_FIELDS.values(), ids=HOSTILE_FIELDS)
def test_a_hostile_row_is_a_problem(files, changed, index):
    assert judged(with_line(files, index, **changed)).problems


@pytest.mark.parametrize("changed", HOSTILE_MANIFESTS.values(), ids=HOSTILE_MANIFESTS)
def test_a_hostile_manifest_is_a_problem(files, changed):
    assert judged(with_manifest(files, **changed)).problems


def test_a_manifest_that_nests_too_deep_is_a_problem(files):
    assert judged({**files, MANIFEST: b"[" * 100_000}).problems
    assert judged({**files, LEDGER: b"[" * 100_000}).problems


def said(verdict: Verdict) -> str:
    return "\n".join(problem.problem for problem in verdict.problems)


def readme_too(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "README.txt": readme(json.loads(files[MANIFEST])).encode()}


def test_evidence_that_is_not_in_the_ledger_is_a_problem(files):
    evil = b"MZ..."
    held = json.loads(files[MANIFEST])["evidence"]
    entry = {
        "path": "evil.exe",
        "sha256": hashlib.sha256(evil).hexdigest(),
        "file": "evidence/999-evil.exe",
        "why_left_out": None,
    }
    smuggled = with_manifest({**files, "evidence/999-evil.exe": evil}, evidence=[*held, entry])
    assert "not in the ledger" in said(judged(readme_too(smuggled)))


def test_recorded_evidence_whose_file_was_taken_out_is_a_problem(files):
    held = json.loads(files[MANIFEST])["evidence"]
    rest = {name: data for name, data in files.items() if not name.startswith("evidence/")}
    dropped = [{**file, "file": None, "why_left_out": "it was not there"} for file in held]
    verdict = judged(readme_too(with_manifest(rest, evidence=dropped)))
    assert "was recorded, its file is not here" in said(verdict)


def test_recorded_evidence_that_is_not_listed_is_a_problem(files):
    rest = {name: data for name, data in files.items() if not name.startswith("evidence/")}
    assert "not accounted for" in said(judged(readme_too(with_manifest(rest, evidence=[]))))


def test_a_forged_row_cannot_hide_under_the_word_redacted(rows):
    index = next(number for number, row in enumerate(rows) if row.kind == "run.ended")
    payload = json.loads(rows[index].payload) | {"detail": "forged"}
    forged = list(rows)
    forged[index] = dataclasses.replace(rows[index], payload=canonical_json(payload).decode())
    choices = Choices(redacted=True, redacted_rows=frozenset({rows[index].seq}))
    verdict = judged(packed_files(tuple(forged), choices))
    assert f"row {rows[index].seq} (run.ended) says that it is redacted" in said(verdict)


def test_redacted_rows_are_named_as_not_proven(rows):
    changed_rows, changed = redact_rows(rows)
    verdict = judged(packed_files(changed_rows, Choices(redacted=True, redacted_rows=changed)))
    assert verdict.problems == []
    assert {seq for seq, _ in verdict.unproven} == changed
