"""Shapes of the charts: scale, axis and marks; coordinates in user units of the view box."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from runbook.report.text import clip
from runbook.report.timestamps import Zone

WIDTH = 1000
LEFT = 210
RIGHT = 985
HEAD = 34
ROW = 24
ROWS_PER_DRAWING = 28
LABEL = 31
LABEL_LINES = 2
LAYERS = ("stripe", "grid")

_STEPS = (
    *(timedelta(seconds=s) for s in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=h) for h in (1, 2, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 5, 7, 14, 28, 56, 112, 365)),
)


@dataclass(frozen=True, slots=True)
class PathMark:
    """A path in one tone: filled, a line, or dots, as the style sheet's `f-`, `l-` and `d-`."""

    look: Literal["f", "l", "d"]
    tone: str
    path: str


@dataclass(frozen=True, slots=True)
class TextMark:
    """Words in a drawing; `y` is their base line."""

    tone: str
    x: str
    y: str
    text: str


Mark = PathMark | TextMark


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One inline SVG; `title` and `described` are its text for those who do not see it."""

    height: int
    title: str
    described: str
    shapes: tuple[PathMark, ...]
    labels: tuple[TextMark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart, cut into drawings that each fit on a printed page, under one key of look and word."""

    title: str
    key: tuple[tuple[str, str], ...]
    drawings: tuple[Drawing, ...]


class Scale:
    """Time to the x axis."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self.first = first
        self.last = max(last, first + timedelta(seconds=1))
        self._total_s = (self.last - self.first).total_seconds()

    def x(self, at: datetime) -> float:
        """Return the place of a moment, held inside the drawing."""
        share = (at - self.first).total_seconds() / self._total_s
        return LEFT + (RIGHT - LEFT) * min(max(share, 0.0), 1.0)

    def ticks(self, zone: Zone) -> list[tuple[datetime, str]]:
        """Return moments for the axis on round local times, seven or fewer, with their labels."""
        step = next((s for s in _STEPS if s.total_seconds() * 7 >= self._total_s), _STEPS[-1])
        local = zone.local(self.first)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        at = midnight + step * int((local - midnight) / step)
        found: list[tuple[datetime, str]] = []
        while at <= self.last and len(found) < 60:
            if at >= self.first:
                found.append((at, _tick_label(at, step)))
            at += step
        return found


def _tick_label(at: datetime, step: timedelta) -> str:
    if step >= timedelta(days=1):
        return f"{at:%Y-%m-%d}"
    return (
        f"{at:%H:%M:%S}"
        if step < timedelta(minutes=1)
        else f"{at:%d. %H:%M}"
        if step >= timedelta(hours=3)
        else f"{at:%H:%M}"
    )


def _n(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def bar(tone: str, x: float, y: float, width: float, height: float) -> PathMark:
    """Return a filled rectangle."""
    return PathMark("f", tone, f"M{_n(x)} {_n(y)}h{_n(width)}v{_n(height)}h-{_n(width)}z")


def line(tone: str, x: float, y: float, height: float) -> PathMark:
    """Return a line from top to bottom."""
    return PathMark("l", tone, f"M{_n(x)} {_n(y)}v{_n(height)}")


def dot(tone: str, x: float, y: float) -> PathMark:
    """Return a dot."""
    return PathMark("d", tone, f"M{_n(x)} {_n(y)}h0")


def gem(tone: str, x: float, y: float) -> PathMark:
    """Return a small diamond around a point."""
    return PathMark("f", tone, f"M{_n(x)} {_n(y - 5)}l5 5-5 5-5-5z")


def flag(tone: str, x: float, y: float) -> PathMark:
    """Return a small triangle that stands on a point."""
    return PathMark("f", tone, f"M{_n(x)} {_n(y - 6)}l5.5 10h-11z")


def words(tone: str, x: float, y: float, text: str) -> TextMark:
    """Return words whose base line is at `y`."""
    return TextMark(tone, _n(x), _n(y), text)


def axis(scale: Scale, zone: Zone, height: float) -> list[Mark]:
    """Return the ticks of a drawing, as lines from top to bottom with labels above."""
    marks: list[Mark] = []
    for at, label in scale.ticks(zone):
        x = scale.x(at)
        marks.append(line("grid", x, HEAD - 6, height - HEAD + 2))
        marks.append(words("tick-end" if x > RIGHT - 40 else "tick", x, HEAD - 14, label))
    return marks


def row_name(name: str, middle: float) -> list[Mark]:
    """Return a row's name left of the drawing; a long one takes two lines around the row's middle."""
    lines = _label_lines(name)
    first = middle + 4 - 5.5 * (len(lines) - 1)
    tone = "label" if len(lines) == 1 else "label2"
    return [words(tone, 6, first + 11 * number, text) for number, text in enumerate(lines)]


def _label_lines(name: str) -> list[str]:
    """Return a name in one or two lines, cut after a hyphen, a space or a dot where it can be."""
    name = clip(name, LABEL * LABEL_LINES)
    if len(name) <= LABEL:
        return [name]
    places = [at + 1 for at, sign in enumerate(name) if sign in "- ._"]
    fitting = [at for at in places if at <= LABEL and len(name) - at <= LABEL]
    half = len(name) / 2
    cut = min(fitting, key=lambda at: abs(at - half), default=LABEL)
    return [name[:cut].rstrip(), name[cut:].lstrip()]


def drawing(marks: Iterable[Mark], *, height: float, title: str, described: str) -> Drawing:
    """Return a drawing with all shapes of one look in one path: below, shapes, then words."""
    paths: dict[tuple[bool, Literal["f", "l", "d"], str], list[str]] = {}
    labels = []
    for mark in marks:
        if isinstance(mark, TextMark):
            labels.append(mark)
        else:
            above = mark.tone not in LAYERS
            paths.setdefault((above, mark.look, mark.tone), []).append(mark.path)
    # Dots lie on top of the other shapes of their layer.
    layered = sorted(paths.items(), key=lambda entry: (entry[0][0], entry[0][1] == "d"))
    return Drawing(
        height=int(height),
        title=title,
        described=described,
        shapes=tuple(PathMark(look, tone, "".join(parts)) for (_, look, tone), parts in layered),
        labels=tuple(labels),
    )
