"""The Data Center's issue links as CSV: what should be there after the split.

In: a file with the columns `source_key`, `destination_key`, `link_type` and `direction` (any order,
any case; other columns are ignored). Out: rows and bad rows, one by one and in file order, each with
the line it begins in. A million rows are read in constant memory.

Read: commas, semicolons, tabs and bars; quotes with line breaks inside; UTF-8 and UTF-16 with or
without a byte order mark; Windows-1252, said in `notes`; the `="ENG-1"` that spreadsheets write for
text. A row that cannot be meant is a `BadRow`; a file that cannot be read at all is refused.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from runbook.errors import UsageError
from runbook.text_file import DELIMITERS, encoding_of, told_delimiter

COLUMNS = ("source_key", "destination_key", "link_type", "direction")
DIRECTIONS = ("outward", "inward")
LABEL_LIMIT = 255

_KEY = re.compile(r"[^\W\d_]\w*-[1-9][0-9]{0,17}\Z")
_SPREADSHEET_TEXT = re.compile(r'="([^"]*)"\Z')
_FORMULA_STARTS = ("=", "+", "-", "@")
_BLOCK_BYTES = 1 << 20
_HINT = "the header is `source_key,destination_key,link_type,direction`; docs/expected-links.md has the SQL that writes it"


class ExpectedRow(NamedTuple):
    """One remote link that should be on `source_key`, pointing to `destination_key`.

    Keys are the Data Center's, in upper case; `link_type` is the label shown at `source_key`;
    `direction` is `outward` or `inward`. A tuple, since a million of them are made.
    """

    source_key: str
    destination_key: str
    link_type: str
    direction: str
    line: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was not taken, with the line it begins in and the reason."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedFile:
    """A readable file of expected links; iterating reads it from the start.

    `notes` say what was assumed about it. `sha256` covers the file's bytes.
    """

    path: Path
    encoding: str
    delimiter: str
    columns: tuple[int, ...]
    header_line: int
    width: int
    sha256: str
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[ExpectedRow | BadRow]:
        """Yield every row after the header, in file order.

        Raises:
            UsageError: a quote is never closed, or the file cannot be read any more.
        """
        with _opened(self.path, self.encoding) as lines:
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            while True:
                line = reader.line_num + 1
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except UnicodeDecodeError as problem:
                    raise _not_decodable(self.path, line, problem) from problem
                except csv.Error as problem:
                    if line > self.header_line:
                        yield self._broken(line, reader.line_num, problem)
                    continue
                if line <= self.header_line or not any(cells):
                    continue
                yield self._row(cells, line)

    def rows(self) -> Iterator[ExpectedRow]:
        """Yield only the good rows."""
        return (row for row in self if isinstance(row, ExpectedRow))

    def as_json(self) -> dict[str, str]:
        """Return the file as the ledger names it."""
        return {"file": self.path.name, "sha256": self.sha256}

    def _row(self, cells: list[str], line: int) -> ExpectedRow | BadRow:
        if len(cells) != self.width:
            return BadRow(line, f"{len(cells)} columns where the header has {self.width}")
        from_cell, to_cell, label, direction = (cells[at].strip() for at in self.columns)
        source, destination, direction = _key(from_cell), _key(to_cell), direction.lower()
        problem = ""
        if not _KEY.match(source):
            problem = _key_problem("source_key", from_cell)
        elif not _KEY.match(destination):
            problem = _key_problem("destination_key", to_cell)
        elif not label:
            problem = "`link_type` is empty"
        elif len(label) > LABEL_LIMIT:
            problem = f"`link_type` has {len(label)} characters, Jira takes {LABEL_LIMIT}"
        elif direction not in DIRECTIONS:
            problem = f"`direction` is `{shortened(direction)}`, not `outward` or `inward`"
        elif source == destination:
            problem = f"`{source}` is linked to itself"
        if problem:
            return BadRow(line, problem)
        return ExpectedRow(source, destination, label, direction, line)

    def _broken(self, first: int, last: int, problem: csv.Error) -> BadRow:
        text = str(problem)
        if "field larger" in text or "unexpected end" in text:
            raise UsageError(
                f"`{self.path}`, line {first}: a quote is opened and not closed",
                hint="close the quote, or double a quote that belongs to the text",
            )
        until = f" (to line {last})" if last > first else ""
        return BadRow(first, f"not readable as CSV{until}: {text}")


def read_expected(path: Path) -> ExpectedFile:
    """Return a file of expected links, ready to be iterated; its header and encoding are checked.

    Raises:
        UsageError: there is no such file, it is no text, or it has no such header.
    """
    encoding, sha256, notes = _examined(path)
    with _opened(path, encoding) as lines:
        try:
            first = lines.readline(_BLOCK_BYTES)
            header_line, forced = 1, told_delimiter(first)
            if forced:
                header_line = 2
                first = lines.readline(_BLOCK_BYTES)
        except UnicodeDecodeError as problem:
            raise _not_decodable(path, 1, problem) from problem
    if not first.strip():
        raise UsageError(f"`{path}`, line {header_line}: no header, the file is empty", hint=_HINT)
    for delimiter in (forced,) if forced else DELIMITERS:
        names = _header(first, delimiter)
        if all(name in names for name in COLUMNS):
            break
    else:
        raise UsageError(_header_problem(path, header_line, first, forced), hint=_HINT)
    twice = sorted({name for name in COLUMNS if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"`{path}`, line {header_line}: column `{twice[0]}` is there twice", hint=_HINT
        )
    return ExpectedFile(
        path=path,
        encoding=encoding,
        delimiter=delimiter,
        columns=tuple(names.index(name) for name in COLUMNS),
        header_line=header_line,
        width=len(names),
        sha256=sha256,
        notes=notes,
    )


def shortened(text: str, limit: int = 40) -> str:
    """Return text from a file so that it fits into a message, without control characters."""
    visible = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return visible if len(visible) <= limit else f"{visible[:limit]}…"


def _key(text: str) -> str:
    if text.startswith("="):
        inside = _SPREADSHEET_TEXT.match(text)
        text = inside[1].strip() if inside else text
    return text.upper()


def _key_problem(name: str, text: str) -> str:
    if not text:
        return f"`{name}` is empty"
    if text.startswith(_FORMULA_STARTS):
        return f"`{name}` begins with `{text[0]}`: a formula, not an issue key"
    return f"`{name}` is no issue key: `{shortened(text)}`"


def _header(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration):
        return []
    return [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]


def _header_problem(path: Path, line: int, first: str, forced: str) -> str:
    best = max(
        (_header(first, delimiter) for delimiter in ((forced,) if forced else DELIMITERS)),
        key=lambda names: sum(name in COLUMNS for name in names),
    )
    missing = [f"`{name}`" for name in COLUMNS if name not in best]
    if len(missing) == len(COLUMNS):
        return f"`{path}`, line {line}: no header, but `{shortened(first.strip(), 60)}`"
    return f"`{path}`, line {line}: the header lacks {' and '.join(missing)}"


def _opened(path: Path, encoding: str) -> TextIO:
    try:
        return path.open(encoding=encoding, newline="")
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _not_decodable(path: Path, line: int, problem: UnicodeDecodeError) -> UsageError:
    return UsageError(
        f"`{path}`, near line {line}: not readable as {problem.encoding}: {problem.reason}",
        hint="save the file as UTF-8",
    )


def _unreadable(path: Path, problem: OSError) -> UsageError:
    if path.is_dir():
        return UsageError(f"`{path}` is a folder, not a CSV file", hint="name the file inside it")
    return UsageError(
        f"cannot read the expected links `{path}`: {problem.strerror}",
        hint="check the path; in a plan, `expected` is relative to the plan file",
    )


def _examined(path: Path) -> tuple[str, str, tuple[str, ...]]:
    """Return the encoding, the SHA-256 and the notes of a file, read once from start to end."""
    digest = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
                yield block

    try:
        encoding = encoding_of(blocks())
    except OSError as problem:
        raise _unreadable(path, problem) from problem
    if encoding.codec == "utf-32":
        raise UsageError(f"`{path}` is UTF-32", hint="save it as UTF-8")
    if not encoding.codec:
        raise UsageError(f"`{path}` is no text: it holds bytes of value 0", hint=_HINT)
    notes = []
    if encoding.guessed:
        notes.append("read as UTF-16: every other byte is 0")
    if encoding.bad_line:
        notes.append(f"line {encoding.bad_line} is not UTF-8: read as Windows-1252 (Latin-1)")
    return encoding.codec, digest.hexdigest(), tuple(notes)
