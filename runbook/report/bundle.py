"""The bundle: everything of a run in one zip that an auditor checks without this tool.

In: the rows of a ledger, a run, the evidence files. Out: the files by name, and the zip's bytes.
Pure. Same input, same bytes: names are sorted, every time is that of the ledger's last event, and
nothing is compressed, since compression differs between machines.

All files but the evidence follow from the rows. `bundle_verify` derives them again.
"""

import base64
import dataclasses
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runbook import __version__
from runbook.clock import parse_utc
from runbook.errors import LedgerError
from runbook.json_text import canonical_json
from runbook.ledger.codec import FIRST_HASH, Row, chain_hash, recorded
from runbook.report import templates
from runbook.report.build import build
from runbook.report.render import render
from runbook.view import RunView, run_of

SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
MANIFEST = "bundle.json"
LEDGER = "ledger.ndjson"
REPORT = "report.html"
# What another version of runbook may word differently from the same rows.
OF_THIS_VERSION = frozenset({REPORT, "README.txt", "check_chain.py"})

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_LATEST_YEAR = 2107
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MOST_ROWS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One evidence file that the plan or an approval names: `data` is None where it is left out."""

    path: str
    sha256: str | None
    data: bytes | None
    why_left_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How a bundle is made: the report's language, and which rows were changed by redaction."""

    lang: str = "en"
    redacted: bool = False
    redacted_rows: frozenset[int] = frozenset()


def view_of(rows: Iterable[Row], run: str) -> RunView:
    """Return a run of these rows.

    Raises:
        LedgerError: the rows hold no such run, or an event that cannot be read.
    """
    view = run_of((recorded(row) for row in rows), run)
    if view is None:
        raise LedgerError(f"the ledger holds no run `{run}`")
    return view


def named_evidence(view: RunView) -> list[dict[str, Any]]:
    """Return every evidence file that the plan of a run and its approvals name, each once."""
    approved = (approval.evidence for _, approval in view.approvals if approval.evidence)
    named = [*view.evidence, *approved]
    return list({(file["path"], file["sha256"]): file for file in named}.values())


def files_of(
    rows: tuple[Row, ...], run: str, evidence: Iterable[Evidence], choices: Choices
) -> dict[str, bytes]:
    """Return every file of the bundle but the checksums, by name.

    Raises:
        LedgerError: the rows hold no such run.
    """
    view = view_of(rows, run)
    placed, files = _placed_evidence(evidence)
    files |= derived_files(rows, view, choices)
    manifest = manifest_of(rows, view, placed, choices)
    files[MANIFEST] = (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode()
    files["README.txt"] = readme(manifest).encode()
    return dict(sorted(files.items()))


def derived_files(rows: tuple[Row, ...], view: RunView, choices: Choices) -> dict[str, bytes]:
    """Return the files that follow from the rows alone, but for manifest and README."""
    files = {
        LEDGER: b"".join(
            ledger_line(row, redacted=row.seq in choices.redacted_rows) for row in rows
        ),
        "plan.yaml": view.plan_text.encode(),
        REPORT: render(build(view, lang=choices.lang)).encode(),
        "check_chain.py": templates.source("bundle/check_chain.py.txt").encode(),
    }
    if view.plan_text != view.started.plan_text:
        files["plan-as-started.yaml"] = view.started.plan_text.encode()
    for row in rows:
        if row.run == view.id:
            files |= _answers(row)
            files |= _log(row)
    return files


def sums_text(files: Mapping[str, bytes]) -> str:
    """Return the checksums in the form of `sha256sum`, sorted by name."""
    return "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n"
        for name, data in sorted(files.items())
        if name not in (SUMS, SIGNATURE)
    )


def zip_bytes(files: Mapping[str, bytes], last_at: str) -> bytes:
    """Return the zip of files whose checksums are among them; `last_at` dates every entry."""
    at = parse_utc(last_at)
    date = _EARLIEST if at.year < _EARLIEST[0] else at.timetuple()[:6]
    date = (_LATEST_YEAR, *date[1:]) if date[0] > _LATEST_YEAR else date
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            # ZIP keeps two-second steps in no time zone: UTC here.
            info = zipfile.ZipInfo(name, date_time=(*date[:5], date[5] // 2 * 2))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
        archive.comment = archive_comment(files).encode()
    return buffer.getvalue()


def archive_comment(files: Mapping[str, bytes]) -> str:
    """Return the comment that pins the two files which the checksums cannot cover."""
    pinned = (name for name in (SUMS, SIGNATURE) if name in files)
    return "runbook bundle 1\n" + "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in pinned
    )


# The ledger as lines


def ledger_line(row: Row, *, redacted: bool) -> bytes:
    """Return a row as one line of the bundle's ledger, as `ledger export` prints it.

    Where the payload's own text cannot be had back from its JSON it stands beside it.
    """
    line = row.as_json()
    if _payload_text(line["payload"]) != row.payload:
        line["payload_text"] = row.payload
    if redacted:
        line["redacted"] = True
    return (json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n").encode()


def row_of_line(line: bytes) -> tuple[Row, bool]:
    """Return the row of a line, and whether it was redacted.

    Raises:
        ValueError: the line is no row, or holds half a character, which no ledger does.
        RecursionError: it nests too deep to be read.
    """
    value = json.loads(line)
    seq = value.get("seq") if isinstance(value, dict) else None
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 < seq < _MOST_ROWS:
        raise ValueError("it is no row of a ledger")
    for name in ("at", "kind", "hash"):
        if not isinstance(value.get(name), str):
            raise ValueError(f"`{name}` is missing")  # noqa: TRY004 - one error for all bad lines
    if not _SHA256.match(value["hash"]):
        raise ValueError("`hash` is no SHA-256")
    for name in ("run", "job"):
        if not isinstance(value.get(name), str | None):
            raise ValueError(f"`{name}` is no text")  # noqa: TRY004
    text = value.get("payload_text", _payload_text(value.get("payload")))
    if not isinstance(text, str):
        raise ValueError("`payload_text` is no text")  # noqa: TRY004
    json.loads(text)
    for part in (value["at"], value["kind"], value.get("run"), value.get("job"), text):
        (part or "").encode()
    row = Row(
        seq=value["seq"],
        at=value["at"],
        kind=value["kind"],
        run=value.get("run"),
        job=value.get("job"),
        payload=text,
        hash=value["hash"],
    )
    return row, value.get("redacted") is True


def _payload_text(payload: Any) -> str:
    return canonical_json(payload).decode()


# The files


def manifest_of(
    rows: tuple[Row, ...], view: RunView, evidence: list[dict[str, Any]], choices: Choices
) -> dict[str, Any]:
    """Return what `bundle.json` says: all but the evidence follows from the rows and the choices."""
    last = rows[-1]
    return {
        "format": 1,
        "tool": "runbook",
        "tool_version": __version__,
        "run": view.id,
        "plan": view.started.plan_name,
        "state": view.state.value,
        "verification": view.verification,
        "rehearsal": view.started.rehearsal,
        "digest": view.digest,
        "jobs_digest": view.jobs_digest,
        "lang": choices.lang,
        "ledger": {"rows": len(rows), "head": last.hash, "last_at": last.at},
        "redacted": choices.redacted,
        "redacted_rows": len(choices.redacted_rows),
        "evidence": evidence,
    }


def readme(manifest: Mapping[str, Any]) -> str:
    """Return the README of a bundle, from its manifest."""
    return templates.environment().get_template("bundle/README.txt.j2").render(manifest=manifest)


def _placed_evidence(evidence: Iterable[Evidence]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    placed: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for number, file in enumerate(evidence, start=1):
        name = None
        if file.data is not None:
            name = f"evidence/{number:03}-{safe_name(file.path.rsplit('/', 1)[-1])}"
            files[name] = file.data
        why = file.why_left_out or None
        placed.append({"path": file.path, "sha256": file.sha256, "file": name, "why_left_out": why})
    return placed, files


def _answers(row: Row) -> dict[str, bytes]:
    """Return every exchange of a row as a file: the request, then the answer as it came."""
    exchanges = list(_exchanges(json.loads(row.payload)))
    base = f"answers/{row.seq:06}-{safe_name(row.kind)}"
    if row.job:
        base += f"-{safe_name(row.job)}"
    return {
        f"{base}{'' if len(exchanges) == 1 else f'-{number}'}.http": _http(exchange)
        for number, exchange in enumerate(exchanges, start=1)
    }


def _exchanges(payload: Any) -> Iterator[dict[str, Any]]:
    if isinstance(payload, dict):
        for exchange in (payload.get("exchange"), *(payload.get("exchanges") or ())):
            if isinstance(exchange, dict) and isinstance(exchange.get("request"), dict):
                yield exchange


def _http(exchange: Mapping[str, Any]) -> bytes:
    request, answer = exchange["request"], exchange.get("answer")
    lines = [f"{request.get('method')} {request.get('url')}"]
    lines += [f"{name}: {value}" for name, value in (request.get("headers") or {}).items()]
    lines += ["", request.get("body") or "", ""]
    if not isinstance(answer, dict):
        lines += ["--- no answer ---", str(exchange.get("error") or "")]
        return "\n".join(lines).encode()
    lines.append(f"--- answer, received {answer.get('at')}; its body follows the empty line ---")
    lines.append(f"HTTP {answer.get('status')}")
    lines += [": ".join(map(str, pair)) for pair in answer.get("headers") or ()]
    return ("\n".join(lines) + "\n\n").encode() + _body(answer)


def _body(answer: Mapping[str, Any]) -> bytes:
    encoded = answer.get("body_base64")
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError:
            return encoded.encode()
    return str(answer.get("body") or "").encode()


def _log(row: Row) -> dict[str, bytes]:
    if row.kind != "log.kept":
        return {}
    payload = json.loads(row.payload)
    try:
        data = base64.b64decode(payload["raw_base64"], validate=True)
    except (ValueError, TypeError, KeyError):
        # Left out by redaction.
        return {}
    source = urlsplit(str(payload.get("source"))).path.replace("\\", "/").rsplit("/", 1)[-1]
    site = safe_name(urlsplit(str(payload.get("site"))).hostname or "site")
    return {f"logs/{row.seq:06}-{safe_name(str(payload['log']))}-{site}-{safe_name(source)}": data}


def safe_name(text: str) -> str:
    """Return a text as part of a file name that every system takes."""
    return _UNSAFE.sub("_", text).strip("._")[:80] or "unnamed"


# The chain


def chain_problems(lines: Iterable[tuple[Row, bool]]) -> Iterator[tuple[int, str]]:
    """Yield the number of every row that is not as it was written, and what is wrong with it.

    The hash of a redacted row cannot be recomputed; its original hash still links its neighbours.
    """
    previous, expected = FIRST_HASH, 1
    for row, redacted in lines:
        if row.seq != expected:
            yield expected, f"row {expected} is missing, row {row.seq} follows"
        fields = dataclasses.asdict(row)
        stated = fields.pop("hash")
        if not redacted and chain_hash(previous, **fields) != stated:
            yield row.seq, f"row {row.seq} ({row.kind}) was changed, inserted or moved"
        previous, expected = stated, row.seq + 1
