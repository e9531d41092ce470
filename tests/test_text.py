"""Words for a terminal: nothing that it could obey, nothing cut without saying so, columns that align."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.text import added_up, aligned, moment, plural, printable, shortened, span, zone_of

PRINTABLES = {
    "plain text stays": ("eng-to-ops", "eng-to-ops"),
    "letters of any script stay": ("Größe 大 ح", "Größe 大 ح"),
    "line breaks and tabs become spaces": ("a\r\nb\tc\u2028d", "a  b c d"),
    "escapes lose their beginning": ("\x1b[31mred\x1b[0m", "[31mred[0m"),
    "control characters of the upper half go": ("a\x9b31mb\x85c", "a31mbc"),
    "overrides of direction go": ("abc\u202egnp.exe\u2066x\u2069", "abcgnp.exex"),
    "bell, backspace and nul go": ("a\x07\x08\x00b\x7f", "ab"),
    "half a surrogate pair is replaced": ("a\ud800b", "a\ufffdb"),
}


@pytest.mark.parametrize("case", PRINTABLES.values(), ids=PRINTABLES.keys())
def test_printable_text(case: tuple[str, str]) -> None:
    """What a terminal could obey is left out, the rest stays."""
    assert printable(case[0]) == case[1]


@given(st.text(st.characters()))
def test_printable_text_is_one_harmless_line(text: str) -> None:
    """For any text, and doing it twice changes nothing."""
    once = printable(text)
    assert printable(once) == once
    assert len(once.splitlines()) <= 1
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in once)
    once.encode()


@given(st.text(), st.integers(2, 30))
def test_shortened_text_keeps_its_limit(text: str, limit: int) -> None:
    """And says by an ellipsis that something was cut."""
    short = shortened(text, limit)
    assert len(short) <= limit
    if len(printable(text)) > limit:
        assert short.endswith("…")


SPANS = {
    timedelta(0): "0 s",
    timedelta(seconds=-5): "0 s",
    timedelta(seconds=59.9): "59 s",
    timedelta(seconds=61): "1 min 1 s",
    timedelta(hours=2): "2 h",
    timedelta(hours=2, seconds=5): "2 h",
    timedelta(days=3, hours=4, minutes=5): "3 d 4 h",
    timedelta(days=14): "14 d",
}


@pytest.mark.parametrize("length", SPANS, ids=str)
def test_a_span_shows_its_two_largest_units(length: timedelta) -> None:
    """Rounded down, so that nobody is promised time that is not there."""
    assert span(length) == SPANS[length]


def test_a_moment_shows_its_offset() -> None:
    """In the zone it is asked for; seconds where there are any."""
    at = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
    assert moment(at, zone_of(60)) == "2026-11-22 20:00 +01:00"
    assert moment(at.replace(second=5), UTC) == "2026-11-22 19:00:05 +00:00"
    assert moment(at, timezone(timedelta(hours=-3, minutes=-30))) == "2026-11-22 15:30 -03:30"


def test_columns_align_with_wide_and_combining_characters() -> None:
    """East Asian letters take two columns, combining marks none; no spaces at the ends."""
    rows = [("a", "1", ""), ("大e\u0301", "2", "x"), ("abcd", "3")]
    assert aligned(rows, indent="> ").splitlines() == [
        "> a     1",
        "> 大e\u0301   2  x",
        "> abcd  3",
    ]
    assert aligned([]) == ""


def test_counts_as_words() -> None:
    """A sum shows its parts; zeros are left out."""
    assert added_up({"planned": 0, "complete": 5, "unknown": 1}) == "6 = 5 complete + 1 unknown"
    assert added_up({"planned": 0}) == "0"
    assert (plural(1, "job"), plural(2, "job"), plural(0, "entry", "entries")) == (
        "1 job",
        "2 jobs",
        "0 entries",
    )
