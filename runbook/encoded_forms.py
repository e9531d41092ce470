"""Where a secret stands in bytes that others wrote, in whatever form they wrote it.

A server may echo a credential escaped (JSON, also inside JSON; percent; HTML, each in either case
and for any of its characters), in hex, in UTF-16, or in base64, there also inside a longer text that
shifts it and broken into lines. Looking for all of that in every answer would be slow, so a quick
look for its letters comes first.
"""

import base64
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote, quote_plus

# Shorter words would mask half of a ledger; no API token of Atlassian's is that short.
SHORTEST = 8

_CHUNK = 1 << 20
_RUN = re.compile(rb"[A-Za-z0-9]{4,}")
# A letter or digit that stands escaped, which no usual encoder does.
_LETTER = rb"(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa])"
_ESCAPED_LETTERS = tuple(
    (start, re.compile(start + _LETTER)) for start in (rb"u00", rb"%", rb"%25")
)
_ESCAPE = re.compile(
    rb"""\\+u[Dd][89ABab][0-9A-Fa-f]{2}\\+u[Dd][C-Fc-f][0-9A-Fa-f]{2}  # JSON, beyond 16 bits
      | \\+u[0-9A-Fa-f]{4}
      | \\+["'/]
      | %(?:25)*[0-9A-Fa-f]{2}
      | &(?:amp;)*(?:\#[0-9]{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});
      | \r?\n[ \t]*                                                    # base64 in lines
      | (?:\\+r)?\\+n""",
    re.VERBOSE,
)


class EncodedForms:
    """Every form of one secret, for `matches` to find."""

    def __init__(self, plain: str) -> None:
        raw = plain.encode("utf-8", "surrogatepass")
        self._shifted = _base64_anywhere(raw)
        self._literal = frozenset(_literal_forms(plain, raw))
        self._longest = 16 * len(raw) + 64
        self._anchors = _anchors(raw, self._shifted)

    def maybe_in(self, data: bytes) -> bool:
        """Return whether a closer look is worth it; False is certain."""
        return any(anchor in data for anchor in self._anchors) if self._anchors else bool(data)

    def matches(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the secret stands: begin and end, in no order, overlapping."""
        for at in range(0, len(data), _CHUNK):
            piece = data[at : at + _CHUNK + self._longest]
            if self.maybe_in(piece) or letters_escaped(piece):
                for begin, end in self._in_piece(piece):
                    yield at + begin, at + end

    def _in_piece(self, data: bytes) -> Iterator[tuple[int, int]]:
        for form in self._literal:
            yield from _found(form, data)
        plain, offsets = _unescaped(data)
        written = [offset for offset, _ in offsets]

        def at(offset: int, index: int) -> int:
            here, there = offsets[index]
            return there + offset - here

        for form in (*self._literal, *self._shifted):
            for begin, end in _found(form, plain):
                # What decodes to nothing beside the secret is no part of it.
                first, last = bisect_right(written, begin) - 1, bisect_left(written, end)
                last = last if last < len(written) and written[last] == end else last - 1
                yield at(begin, first), at(end, last)


def letters_escaped(data: bytes) -> bool:
    """Return whether somebody escaped letters that need no escape, so that a quick look may miss them."""
    return b"&#" in data or any(
        start in data and form.search(data) for start, form in _ESCAPED_LETTERS
    )


def _found(form: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    begin = data.find(form)
    while begin >= 0:
        yield begin, begin + len(form)
        begin = data.find(form, begin + len(form))


def _unescaped(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the data without escapes, and pairs of an offset there and the one in `data`."""
    parts, offsets = bytearray(), list[tuple[int, int]]()
    last = 0
    for escape in _ESCAPE.finditer(data):
        if escape.start() > last or not offsets:
            offsets.append((len(parts), last))
            parts += data[last : escape.start()]
        offsets.append((len(parts), escape.start()))
        parts += _meant(escape.group())
        last = escape.end()
    offsets.append((len(parts), last))
    return bytes(parts + data[last:]), offsets


def _meant(escape: bytes) -> bytes:
    text = escape.decode("ascii")
    if text[0] == "%":
        return bytes.fromhex(text[-2:])
    if text[0] == "&":
        name = text.rpartition("amp;")[2].lstrip("&") or "amp;"
        return unescape(f"&{name}").encode()
    if "u" in text:
        codes = [int(part[:4], 16) for part in text.split("u")[1:]]
        units = b"".join(code.to_bytes(2, "big") for code in codes)
        return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
    return text[-1].encode() if text[-1] in "\"'/" else b""


def _base64_anywhere(raw: bytes) -> tuple[bytes, ...]:
    """Return what the base64 of any text that holds `raw` holds: one form per shift and alphabet.

    The characters at both edges also depend on the neighbours; they are left out.
    """
    found = []
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        begin = (shift * 8 + 5) // 6
        end = (shift + len(raw)) * 8 // 6
        found.append(coded[begin:end])
    return tuple(dict.fromkeys((*found, *(form.translate(_FOR_URLS) for form in found))))


_FOR_URLS = bytes.maketrans(b"+/", b"-_")


def _literal_forms(plain: str, raw: bytes) -> Iterator[bytes]:
    in_json = json.dumps(plain)[1:-1]
    forms = {in_json, json.dumps(in_json)[1:-1], in_json.replace("/", "\\/")}
    forms.add(json.dumps(plain, ensure_ascii=False)[1:-1])
    yield from (form.encode("utf-8", "surrogatepass") for form in forms)
    yield raw
    if plain.isascii():
        yield from (quote(plain, safe="").encode(), quote_plus(plain).encode())
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    yield from (plain.encode(codec, "surrogatepass") for codec in ("utf-16-le", "utf-16-be"))
    # Alone or at the front the first and last characters are known too.
    for coded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield from (coded, coded.rstrip(b"="))


def _anchors(raw: bytes, shifted: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Return short pieces of which at least one stands in every form, none where that is not so.

    They are letters and digits, which encoders leave alone; two per form, since a line may break one.
    """
    found: dict[bytes, None] = {}
    for form in (raw, *shifted):
        pieces = _pieces(form)
        if not pieces:
            return ()
        found |= dict.fromkeys(pieces)
    for piece in _pieces(raw):
        found |= dict.fromkeys((piece.hex().encode(), piece.hex().upper().encode()))
        found[b"\0".join(bytes([byte]) for byte in piece)] = None
    return tuple(found)


def _pieces(form: bytes) -> list[bytes]:
    halves: list[bytes] = []
    for run in _RUN.findall(form):
        middle = len(run) // 2
        halves += (run[:middle], run[middle:]) if len(run) >= 16 else (run,)
    return [half[:12] for half in sorted(halves, key=len, reverse=True)[:2]]
