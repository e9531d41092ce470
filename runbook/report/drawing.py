"""Shapes of the charts: scale, axis, marks, and bars; coordinates in user units of the view box."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runbook.report.page import Drawing, Mark
from runbook.report.text import clip, thousands
from runbook.report.timestamps import Zone
from runbook.report.translations import Words

WIDTH = 1000
LEFT = 210
RIGHT = 985
HEAD = 34
ROW = 24
ROWS_PER_DRAWING = 28
LABEL = 31
LABEL_LINES = 2

_STEPS = (
    *(timedelta(seconds=s) for s in (1, 2, 5, 10, 15, 30)),
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=h) for h in (1, 2, 3, 6, 12)),
    *(timedelta(days=d) for d in (1, 2, 5, 7, 14, 28, 56, 112, 365)),
)


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
        step = next((one for one in _STEPS if one.total_seconds() * 7 >= self._total_s), _STEPS[-1])
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


def n(value: float) -> str:
    """Return a coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")


def axis(scale: Scale, zone: Zone, height: float) -> list[Mark]:
    """Return the ticks of a drawing, as lines from top to bottom with labels above."""
    marks = []
    for at, label in scale.ticks(zone):
        x = scale.x(at)
        marks.append(
            Mark(shape="line", tone="grid", x=n(x), y=n(HEAD - 6), height=n(height - HEAD + 2))
        )
        anchor = "tick-end" if x > RIGHT - 40 else "tick"
        marks.append(Mark(shape="text", tone=anchor, x=n(x), y=n(HEAD - 14), text=label))
    return marks


def label(name: str, middle: float) -> list[Mark]:
    """Return a row's name left of the drawing; a long one takes two lines around the row's middle."""
    lines = _label_lines(name)
    first = middle + 4 - 5.5 * (len(lines) - 1)
    return [
        Mark(
            shape="text",
            tone="label" if len(lines) == 1 else "label2",
            x="6",
            y=n(first + 11 * number),
            text=line,
        )
        for number, line in enumerate(lines)
    ]


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


def gem(x: float, y: float, tone: str) -> Mark:
    """Return a small diamond around a point."""
    return Mark(shape="gem", tone=tone, x=n(x), y=n(y), points=f"M{n(x)} {n(y - 5)}l5 5-5 5-5-5z")


def flag(x: float, y: float, tone: str) -> Mark:
    """Return a small triangle that stands on a point."""
    points = f"M{n(x)} {n(y - 6)}l5.5 10h-11z"
    return Mark(shape="flag", tone=tone, x=n(x), y=n(y), points=points)


LAYERS = ("stripe", "grid")


def merged(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Return the same drawing with all shapes of one look in one path: below, shapes, then words."""
    paths: dict[tuple[bool, str, str], list[str]] = {}
    words = []
    for mark in marks:
        if mark.shape == "text":
            words.append(mark)
            continue
        kind = {"line": "line", "dot": "dot"}.get(mark.shape, "fill")
        below = mark.tone in LAYERS
        paths.setdefault((not below, kind, mark.tone), []).append(_path(mark))
    drawn = [
        Mark(shape=kind, tone=tone, x="0", y="0", points="".join(parts))
        for (_, kind, tone), parts in sorted(
            paths.items(), key=lambda one: (one[0][0], one[0][1] == "dot")
        )
    ]
    return (*drawn, *words)


def _path(mark: Mark) -> str:
    match mark.shape:
        case "bar":
            return f"M{mark.x} {mark.y}h{mark.width}v{mark.height}h-{mark.width}z"
        case "line":
            return f"M{mark.x} {mark.y}v{mark.height}"
        case "dot":
            return f"M{mark.x} {mark.y}h0"
        case _:
            return mark.points


def bars_drawings(
    pairs: Sequence[tuple[str, int, tuple[tuple[str, int], ...]]], w: Words
) -> tuple[Drawing, ...]:
    """Return one bar per pair of sites: what was expected, and what became of it.

    Each pair is its name, the expected number, and counts by tone that add up to it.
    """
    largest = max((expected for _, expected, _ in pairs), default=0) or 1
    room = RIGHT - LEFT - 130
    drawings = []
    for start in range(0, len(pairs), ROWS_PER_DRAWING):
        part = pairs[start : start + ROWS_PER_DRAWING]
        marks: list[Mark] = []
        for number, (name, expected, counts) in enumerate(part):
            top = 6 + ROW * number
            marks += label(name, top + 12)
            whole = room * expected / largest
            x = float(LEFT)
            for tone, count in counts:
                width = room * count / largest
                if count:
                    marks.append(
                        Mark(
                            shape="bar",
                            tone=tone,
                            x=n(x),
                            y=n(top + 6),
                            width=n(max(width, 2)),
                            height="12",
                        )
                    )
                x += width
            said = w(
                "bar_said",
                here=thousands(sum(c for tone, c in counts if tone in ("good", "info"))),
                expected=thousands(expected),
            )
            marks.append(
                Mark(shape="text", tone="said", x=n(LEFT + whole + 10), y=n(top + 16), text=said)
            )
        drawings.append(
            Drawing(
                width=WIDTH,
                height=12 + ROW * len(part),
                title=w("chart_bars"),
                described=w("chart_bars_said"),
                marks=merged(marks),
            )
        )
    return tuple(drawings)
