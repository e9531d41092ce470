"""Text files as people save them: the encoding of one, and the delimiter of a CSV.

In: the bytes of a file, block by block, read once. Out: the name of the codec that reads them. Known
are UTF-8 and UTF-16 with or without a byte order mark, and UTF-32 with one. Anything else
counts as Windows-1252, or as Latin-1 where it holds bytes that are undefined there. Pure.
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

DELIMITERS = (",", ";", "\t", "|")
_START_BYTES = 400
_UNDEFINED_IN_1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoding:
    """How a file is read: `codec`, empty where it is no text.

    `bad_line` is the first line that is not UTF-8 in a file that has to be something older, else 0.
    `guessed` says that UTF-16 was recognised by its zero bytes alone.
    """

    codec: str
    bad_line: int = 0
    guessed: bool = False


def encoding_of(blocks: Iterable[bytes]) -> TextEncoding:
    """Return how a file of these bytes is read; every block is consumed."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    start, zero, undefined, lines, bad_line = b"", False, False, 1, 0
    # The empty block at the end finds a character that the file breaks off.
    for block in chain(blocks, (b"",)):
        if len(start) < _START_BYTES:
            start += block[:_START_BYTES]
        zero = zero or b"\0" in block
        undefined = undefined or any(byte in block for byte in _UNDEFINED_IN_1252)
        if not bad_line:
            try:
                decoder.decode(block, final=not block)
                lines += block.count(b"\n")
            except UnicodeDecodeError as problem:
                bad_line = lines + block[: max(problem.start, 0)].count(b"\n")
    # The mark of UTF-32 begins with that of UTF-16.
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return TextEncoding(codec="utf-32")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TextEncoding(codec="utf-16")
    if zero:
        return TextEncoding(codec=_utf16_without_mark(start), guessed=True)
    if not bad_line:
        return TextEncoding(codec="utf-8-sig")
    return TextEncoding(codec="latin-1" if undefined else "cp1252", bad_line=bad_line)


def _utf16_without_mark(start: bytes) -> str:
    """Return the byte order of UTF-16 by the zero bytes of Latin text; empty where they do not tell."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 4
    if (odd > half) == (even > half):
        return ""
    return "utf-16-le" if odd > half else "utf-16-be"


def told_delimiter(line: str) -> str:
    """Return the delimiter that some spreadsheets write into a line of its own; empty elsewhere."""
    told = re.fullmatch(r"sep=(.)[\r\n]*", line, re.IGNORECASE)
    return told[1] if told else ""
