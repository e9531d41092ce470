"""Open a zip that may be hostile: every entry is judged before a byte of it is unpacked.

In: a file that somebody sent. Out: the contents by name, and what is wrong with the archive. Nothing
is written to disk, and nothing beyond the limits is read.
"""

import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_ENTRIES = 200_000
MOST_BYTES = 2 * 1024**3
# Text of ours packs to a twentieth at best; deflate reaches a thousandth with zeros.
MOST_RATIO = 250
_SMALL_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a bundle; `file` is empty where it is the archive itself."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What could be read of an archive. `fatal` problems left nothing to check."""

    files: dict[str, bytes]
    comment: bytes
    problems: tuple[Problem, ...]
    fatal: bool


def open_bundle(stream: BinaryIO) -> Opened:
    """Return the contents of a zip, and everything that is wrong with the archive."""
    start = stream.read(4)
    stream.seek(0)
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as problem:
        return _nothing(_unreadable(start, problem))
    with archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        stream.seek(0, 2)
        refused = tuple(_entry_problems(archive.infolist(), stream.tell()))
        if refused:
            return _nothing(*refused)
        files: dict[str, bytes] = {}
        problems: list[Problem] = []
        for entry in entries:
            try:
                files[entry.filename] = _content(archive, entry)
            except (
                zipfile.BadZipFile,
                zlib.error,
                EOFError,
                OSError,
                ValueError,
                RuntimeError,
                NotImplementedError,
            ) as problem:
                problems.append(
                    Problem(entry.filename, f"its bytes in the archive are damaged: {problem}")
                )
        return Opened(files=files, comment=archive.comment, problems=tuple(problems), fatal=False)


def _nothing(*problems: Problem) -> Opened:
    return Opened(files={}, comment=b"", problems=problems, fatal=True)


def _unreadable(start: bytes, problem: Exception) -> Problem:
    if start[:2] == b"PK":
        return Problem("", f"the zip is cut off or its directory is damaged: {problem}")
    if not start:
        return Problem("", "the file is empty")
    return Problem("", "it is not a zip")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    data = bytearray()
    with archive.open(entry) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            data += chunk
            if len(data) > entry.file_size:
                raise ValueError("it is larger than the archive says")
    if len(data) != entry.file_size:
        raise ValueError("it is smaller than the archive says")
    return bytes(data)


def _entry_problems(entries: list[zipfile.ZipInfo], size_bytes: int) -> Iterator[Problem]:
    if len(entries) > MOST_ENTRIES:
        yield Problem("", f"a zip bomb: {len(entries)} entries, at most {MOST_ENTRIES} are read")
        return
    total = sum(entry.file_size for entry in entries)
    if total > MOST_BYTES:
        yield Problem("", f"a zip bomb: {total} bytes unpacked, at most {MOST_BYTES} are read")
    seen: dict[str, str] = {}
    for entry in entries:
        yield from _name_problems(entry)
        yield from _kind_problems(entry)
        folded = unicodedata.normalize("NFC", entry.filename).casefold()
        earlier = seen.get(folded)
        seen[folded] = entry.filename
        if earlier == entry.filename:
            yield Problem(entry.filename, "the name appears twice in the archive")
        elif earlier is not None:
            yield Problem(entry.filename, f"differs from `{earlier}` only in upper and lower case")
    yield from _overlaps(entries, size_bytes)


def _name_problems(entry: zipfile.ZipInfo) -> Iterator[Problem]:
    # zipfile cuts a name at a NUL and turns the system's separators; the original name tells.
    name = entry.orig_filename
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        yield Problem(name, "an absolute path: unpacking would write outside the folder")
    elif ".." in parts or "." in parts or "" in parts:
        yield Problem(name, "a path traversal: unpacking would leave the folder")
    elif "\\" in name:
        yield Problem(name, "a backslash in the name: Windows would take it for a folder")
    elif any(unicodedata.category(character)[0] == "C" for character in name):
        yield Problem(name, "control characters in the name")


def _kind_problems(entry: zipfile.ZipInfo) -> Iterator[Problem]:
    mode = entry.external_attr >> 16
    if mode and stat.S_ISLNK(mode):
        yield Problem(entry.filename, "a symbolic link: unpacking would let it point anywhere")
    elif mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield Problem(entry.filename, "neither a file nor a folder")
    if entry.flag_bits & 0x1:
        yield Problem(entry.filename, "it is encrypted")
    elif entry.compress_type not in _METHODS:
        yield Problem(
            entry.filename, f"packed with method {entry.compress_type}, which is not read"
        )
    if entry.file_size > _SMALL_BYTES and entry.file_size > MOST_RATIO * max(
        1, entry.compress_size
    ):
        yield Problem(
            entry.filename, f"a zip bomb: {entry.compress_size} bytes unpack to {entry.file_size}"
        )


def _overlaps(entries: list[zipfile.ZipInfo], size_bytes: int) -> Iterator[Problem]:
    end, before = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            yield Problem(entry.filename, f"a zip bomb: its bytes are also those of `{before}`")
        end, before = entry.header_offset + 30 + entry.compress_size, entry.filename
    if end > size_bytes:
        yield Problem(before, "it should reach beyond the end of the archive")
