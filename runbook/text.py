"""Values as words for a terminal: printable text, moments, spans of time and aligned tables.

Pure; knows no colour. Text from outside (server answers, plan values) goes through `printable`, so
that nothing in it can move the cursor, change colours or reorder the text beside it.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone, tzinfo

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """Return `text` as one line without control, bidirectional-override or broken characters.

    Line breaks and tabs become spaces; anything else that a terminal could obey is left out.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    if character in "\n\r\t\v\f\u2028\u2029":
        return " "
    if character in _BIDI:
        return ""
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category in ("Cc", "Co", "Cn") else character


def encodable(text: str) -> str:
    """Return text with U+FFFD in place of each half of a character, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def shortened(text: str, limit: int) -> str:
    """Return printable text of at most `limit` characters, with `…` where something was cut."""
    text = printable(text[: 16 * limit]) if len(text) > 16 * limit else printable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def closest(word: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name that a misspelt word may have meant, None where none is close."""
    # Importing it costs time that only a mistake is worth.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, names, n=1, cutoff=cutoff)), None)


def zone_of(minutes: int) -> timezone:
    """Return the zone with this offset from UTC."""
    return timezone(timedelta(minutes=minutes))


def moment(at: datetime, zone: tzinfo) -> str:
    """Return a moment with its offset, such as `2026-11-22 20:00:05 +01:00`; seconds where there are any."""
    local = at.astimezone(zone)
    clock = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d} {clock} {offset[:3]}:{offset[3:5]}"


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units, such as `3 d 4 h`, `5 min` or `0 s`."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    counts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")]
    largest = next((i for i, (count, _) in enumerate(counts) if count), 3)
    shown = [f"{count} {unit}" for count, unit in counts[largest : largest + 2] if count]
    return " ".join(shown) or "0 s"


def aligned(rows: Iterable[Sequence[str]], *, indent: str = "", gap: str = "  ") -> str:
    """Return rows as lines with aligned columns, no spaces at the ends of lines.

    Widths count East Asian wide characters twice and combining ones not at all.
    """
    table = [list(row) for row in rows]
    columns = max((len(row) for row in table), default=0)
    widths = [
        max((_width(row[column]) for row in table if column < len(row)), default=0)
        for column in range(columns)
    ]
    lines = []
    for row in table:
        cells = [cell + " " * (widths[i] - _width(cell)) for i, cell in enumerate(row)]
        lines.append((indent + gap.join(cells)).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun, such as `1 job` or `3 jobs`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def added_up(counts: Mapping[str, int]) -> str:
    """Return counts as a sum, such as `6 = 5 complete + 1 unknown`; zeros are left out."""
    present = [f"{count} {name}" for name, count in counts.items() if count]
    return f"{sum(counts.values())} = {' + '.join(present)}" if present else "0"
