"""Read Atlassian's own logs, whose format is not documented, and say which job each row belongs to.

In: the bytes of a file as somebody downloaded it: CSV with any delimiter, JSON or JSON lines, in
UTF-8 or UTF-16, alone, in a zip or gzipped. Out: its rows, and which of its columns play which role.
Columns are known by their names, never by their position; unknown ones are kept. Pure, and bounded:
a zip bomb gets an error, not the memory.

Atlassian's logs are kept per product, not per job (links-api.md 1.5). A row belongs to a job if its
time lies within the job's, if its new address lies on the job's destination, or if it is new since
the last import and only one job ran between. Whatever fits several jobs or none stays unattributed,
so that the counts add up to the rows.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from runbook.errors import UsageError
from runbook.text_file import DELIMITERS, encoding_of, told_delimiter

MOST_BYTES = 256 * 1024 * 1024
MOST_MEMBERS = 200
MOST_ROWS = 2_000_000
_SNIFFED_LINES = 50

# Words that name a role, the surest first. A column plays at most one role, a role has one column.
_ROLE_WORDS: dict[str, tuple[str, ...]] = {
    "issue": ("issue key", "issue", "work item", "workitem", "key", "entity key", "page"),
    "old": ("old", "from", "before", "previous", "original", "former"),
    "new": ("new", "to", "after", "updated url", "current", "replacement", "target"),
    "status": ("status", "result", "outcome", "state"),
    "type": ("type", "kind", "entity type", "entity"),
    "at": ("timestamp", "date", "time", "when", "updated at", "created", "modified", "updated"),
}
ROLES = tuple(_ROLE_WORDS)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")

# Clocks of two machines, and the time a row takes to be written.
SLACK = timedelta(minutes=2)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_NUMBER = re.compile(r"\d{9,16}(?:\.\d+)?\Z")
_OTHER_FORMS = ("%d/%b/%y %I:%M %p", "%d/%b/%Y %H:%M", "%d %b %Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")

NO_JOB = "no job fits"
SEVERAL = "several jobs fit"
NOTHING_SAID = "neither time nor target tells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A parsed log: its columns, its rows by column, the column of each role, and notes for the reader."""

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    roles: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpan:
    """One job of the site and when it was at work; `ended` is None where it did not end."""

    id: str
    destination: str
    submitted: datetime
    ended: datetime | None


def read_log(data: bytes, mapping: Mapping[str, str] | None = None) -> Log:
    """Return the rows of a log file.

    `mapping` names the column of a role (`ROLES`) where the names do not tell.

    Raises:
        UsageError: it cannot be read, is too large when unpacked, or lacks a mapped column.
    """
    notes: list[str] = []
    columns: dict[str, None] = {}
    rows: list[Mapping[str, str]] = []
    headless = False
    for name, part in _unpacked(data):
        text = _decoded(part, notes)
        found, without_header = _json_rows(text), False
        if found is None:
            found, without_header = _csv_rows(text)
        headless = headless or without_header
        if name:
            notes.append(f"`{name}` of the archive holds {len(found)} rows")
        rows += found
        if len(rows) > MOST_ROWS:
            raise UsageError(f"the log has more than {MOST_ROWS} rows", hint="import it in parts")
        for row in found:
            columns.update(dict.fromkeys(row))
    if headless:
        notes.append("no header was recognised: columns are called column 1, column 2, …")
    names = tuple(columns)
    return Log(
        columns=names, rows=tuple(rows), roles=_roles(names, mapping or {}), notes=tuple(notes)
    )


# Bytes to text


def _unpacked(data: bytes) -> list[tuple[str, bytes]]:
    """Return the files inside a zip or gzip with their names, or the data itself without one."""
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _unzipped(data)
    if data[:2] == b"\x1f\x8b":
        return [("", _gunzipped(data))]
    return [("", _refuse_too_large(data))]


def _unzipped(data: bytes) -> list[tuple[str, bytes]]:
    parts: list[tuple[str, bytes]] = []
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                member
                for member in archive.infolist()
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            if len(members) > MOST_MEMBERS:
                raise UsageError(f"the zip holds {len(members)} files, at most {MOST_MEMBERS}")
            for member in members:
                with archive.open(member) as stream:
                    part = _refuse_too_large(stream.read(left + 1), left)
                left -= len(part)
                if part[:2] == b"\x1f\x8b":
                    part = _gunzipped(part)
                parts.append((member.filename, part))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as problem:
        raise UsageError(
            f"the zip cannot be read: {problem}", hint="download it again, or unpack it yourself"
        ) from problem
    if not parts:
        raise UsageError("the zip holds no file", hint="download it again")
    return parts


def _gunzipped(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            part = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as problem:
        raise UsageError(
            f"the gzip file cannot be read: {problem}", hint="download it again"
        ) from problem
    return _refuse_too_large(part)


def _refuse_too_large(part: bytes, most: int | None = None) -> bytes:
    """Return `part` again, as long as it has at most so many bytes."""
    if len(part) > (MOST_BYTES if most is None else most):
        raise UsageError(
            f"the log is larger than {MOST_BYTES // 1024**2} MiB when unpacked",
            hint="import it in parts",
        )
    return part


def _decoded(data: bytes, notes: list[str]) -> str:
    encoding = encoding_of([data])
    if encoding.bad_line:
        notes.append("it is not UTF-8; read as Windows-1252, so accents may be wrong")
        text = data.decode("cp1252", "replace")
    else:
        text = data.decode(encoding.codec or "utf-8-sig", "replace")
    if not text.strip():
        raise UsageError(
            "the log is empty", hint="a run that changed no link may have no log; nothing was kept"
        )
    if "\0" in text:
        raise UsageError(
            "the log is no text", hint="CSV, JSON, or one of them in a zip or gzip is read"
        )
    return text


# Text to rows


def _json_rows(text: str) -> list[dict[str, str]] | None:
    """Return the rows of JSON or JSON lines, None for text that is neither."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _json_lines(text)
    found = _objects(value, depth=4)
    if found is None and isinstance(value, dict) and {"issue", "old", "new"} & {*_roles(value, {})}:
        # One line of JSON lines; an error body names no issue and no link.
        found = [value]
    if found is None:
        raise UsageError(
            "the JSON holds no list of rows", hint="a list of objects is read, also a wrapped one"
        )
    return [_flat(row) for row in found]


def _json_lines(text: str) -> list[dict[str, str]] | None:
    try:
        values = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return None
    return list(map(_flat, values)) if all(isinstance(value, dict) for value in values) else None


def _objects(value: Any, *, depth: int) -> list[dict[str, Any]] | None:
    if isinstance(value, list):
        return [row for row in value if isinstance(row, dict)] or ([] if not value else None)
    if isinstance(value, dict) and depth:
        found = [_objects(member, depth=depth - 1) for member in value.values()]
        return max((rows for rows in found if rows is not None), key=len, default=None)
    return None


def _flat(value: Mapping[str, Any], prefix: str = "", depth: int = 6) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, cell in value.items():
        if isinstance(cell, dict) and depth:
            row |= _flat(cell, f"{prefix}{name}.", depth - 1)
        elif isinstance(cell, str):
            row[prefix + name] = cell
        else:
            row[prefix + name] = "" if cell is None else json.dumps(cell, ensure_ascii=False)
    return row


def _csv_rows(text: str) -> tuple[list[dict[str, str]], bool]:
    """Return the rows of CSV, and whether its columns had to be given names."""
    csv.field_size_limit(16 * 1024 * 1024)
    first, _, rest = text.partition("\n")
    told = told_delimiter(first)
    delimiter, body = (told, rest) if told else (_delimiter(text), text)
    try:
        lines = [
            line
            for line in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter)
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as problem:
        raise UsageError(f"the CSV cannot be read: {problem}", hint="export it again") from problem
    if not lines:
        return [], False
    width = max(map(len, lines))
    lines = [[*line, *[""] * (width - len(line))] for line in lines]
    header = [cell.strip() for cell in lines[0]]
    named = _is_header(header)
    names = _unique(header if named else [""] * width)
    data = lines[1:] if named else lines
    return [dict(zip(names, line, strict=True)) for line in data], not named


def _delimiter(text: str) -> str:
    sample = "\n".join(text.splitlines()[:_SNIFFED_LINES])

    def columns(delimiter: str) -> tuple[int, int]:
        try:
            lines = [line for line in csv.reader(io.StringIO(sample), delimiter=delimiter) if line]
        except csv.Error:
            return 0, 0
        widths = [len(line) for line in lines]
        usual = max(set(widths), key=widths.count, default=0)
        return (widths.count(usual) if usual > 1 else 0), usual

    return max(DELIMITERS, key=columns)


def _is_header(cells: list[str]) -> bool:
    looks_like_data = any(
        "://" in cell or re.fullmatch(r"[A-Z][A-Z0-9_]+-\d+", cell) for cell in cells
    )
    return not looks_like_data and any(_role_rank(role, cell) for role in ROLES for cell in cells)


def _unique(names: list[str]) -> list[str]:
    seen = Counter[str]()
    result = []
    for position, name in enumerate(names, start=1):
        plain = name or f"column {position}"
        seen[plain] += 1
        result.append(plain if seen[plain] == 1 else f"{plain} ({seen[plain]})")
    return result


# Columns to roles


def _roles(columns: Iterable[str], mapping: Mapping[str, str]) -> dict[str, str]:
    columns = tuple(columns)
    for role, column in mapping.items():
        if role not in ROLES:
            raise UsageError(
                f"`{role}` is no role of a column", hint=f"the roles are {', '.join(ROLES)}"
            )
        if column not in columns:
            raise UsageError(
                f"the log has no column `{column}`",
                hint=f"its columns are {', '.join(f'`{name}`' for name in columns[:20])}",
            )
    roles = dict(mapping)
    ranked = sorted(
        (rank, position, role, column)
        for position, column in enumerate(columns)
        for role in ROLES
        if (rank := _role_rank(role, column))
    )
    for _, _, role, column in ranked:
        if role not in roles and column not in roles.values():
            roles[role] = column
    return {role: roles[role] for role in ROLES if role in roles}


def _role_rank(role: str, column: str) -> int:
    """Return how well a column's name fits a role: 1 is best, 0 is not at all."""
    words = [word.lower() for word in _WORD.findall(column)]
    text = " ".join(words)
    ranks = [
        1 + position if text == wanted else 20 + 2 * position + len(words)
        for position, wanted in enumerate(_ROLE_WORDS[role])
        if f" {wanted} " in f" {text} "
    ]
    return min(ranks, default=0)


# Rows to jobs


def attribute(
    log: Log,
    jobs: Iterable[JobSpan],
    *,
    imported_at: datetime | None = None,
    known: Container[str] = (),
) -> dict[str, Any]:
    """Return how many rows of a log belong to each job, and why the rest belongs to none.

    `imported_at` is when a log of this kind of this site was last imported, `known` holds the
    fingerprints of the rows that such logs had. The counts are as the ledger keeps them: those of
    `jobs`, `seen_before` and `unattributed` add up to the rows.
    """
    jobs = tuple(jobs)
    counts = {job.id: 0 for job in jobs}
    because: dict[str, int] = {}
    status: dict[str, int] = {}
    seen_before = 0
    since_import = [job for job in jobs if imported_at is not None and job.submitted > imported_at]
    for row in log.rows:
        if fingerprint(row) in known:
            seen_before += 1
            continue
        _count(status, row.get(log.roles.get("status", ""), ""))
        found = _job_of(log, row, jobs, since_import)
        if isinstance(found, JobSpan):
            counts[found.id] += 1
        else:
            _count(because, found)
    return {
        "jobs": counts,
        "seen_before": seen_before,
        "unattributed": sum(because.values()),
        "because": because,
        "status": status,
    }


def fingerprint(row: Mapping[str, str]) -> str:
    """Return what makes two rows of two downloads the same row."""
    joined = "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(row.items()) if value)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()


def moment_of(text: str) -> datetime | None:
    """Return the moment that a cell of a log says, None where it cannot be told.

    Without an offset UTC is taken, as in Atlassian's other logs. A form that could mean two days,
    such as 11/12/2026, is not guessed at.
    """
    text = text.strip()
    try:
        if _ISO.match(text):
            return _aware(datetime.fromisoformat(text))
        if _NUMBER.match(text):
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    for form in _OTHER_FORMS:
        try:
            return _aware(datetime.strptime(text, form))  # noqa: DTZ007 - made aware here
        except ValueError:
            continue
    try:
        return _aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError):
        return None


def _aware(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _job_of(
    log: Log, row: Mapping[str, str], jobs: tuple[JobSpan, ...], since_import: list[JobSpan]
) -> JobSpan | str:
    at = moment_of(row.get(log.roles.get("at", ""), ""))
    target = row.get(log.roles.get("new", ""), "").strip().lower()
    fitting = list(jobs)
    if at is not None:
        fitting = [job for job in fitting if _worked_at(job, at)]
    if "://" in target:
        fitting = [job for job in fitting if _points_to(target, job.destination)]
    elif at is None:
        if len(since_import) == 1:
            return since_import[0]
        return NOTHING_SAID if jobs else NO_JOB
    if len(fitting) == 1:
        return fitting[0]
    return SEVERAL if fitting else NO_JOB


def _worked_at(job: JobSpan, at: datetime) -> bool:
    return job.submitted - SLACK <= at and (job.ended is None or at <= job.ended + SLACK)


def _points_to(target: str, destination: str) -> bool:
    base = destination.lower().rstrip("/")
    return target == base or target.startswith((f"{base}/", f"{base}?", f"{base}#"))


def _count(counts: dict[str, int], word: str) -> None:
    word = word.strip()[:60]
    if word and (word in counts or len(counts) < 50):
        counts[word] = counts.get(word, 0) + 1
