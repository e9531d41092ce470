"""Drawings of time: jobs against their windows and clocks, and the evening itself.

Geometry only; the renderer writes the SVG. Every fact drawn here stands in a table as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runbook.report.deadlines import evidence_deadline
from runbook.report.drawing import (
    HEAD,
    LEFT,
    RIGHT,
    ROW,
    ROWS_PER_DRAWING,
    WIDTH,
    Scale,
    axis,
    flag,
    gem,
    label,
    merged,
    n,
)
from runbook.report.page import Chart, Drawing, Mark
from runbook.report.rounds import judged_at
from runbook.report.states import is_clean, is_preview, job_chip
from runbook.report.text import clip, site_label
from runbook.report.timestamps import Zone, span
from runbook.report.translations import Words
from runbook.view import JobView, RunView
from runbook.windows import Pair, WindowState

PAIRS_DRAWN = 10
PAIR_ROW = 16


def windows_chart(view: RunView, zone: Zone, w: Words) -> Chart | None:
    """Return jobs against their windows, with the 14-day and 29-day moments; None without a window."""
    at = judged_at(view)
    moments = [at]
    for job in view.jobs:
        moments += [m for m in (job.submitted_at, evidence_deadline(job)) if m is not None]
        for pair in job.windows:
            moments += [m for m in (pair.opens, pair.closes) if m is not None]
    if len(moments) == 1 or not any(job.windows for job in view.jobs):
        return None
    pad = (max(moments) - min(moments)) * 0.02
    scale = Scale(min(moments) - pad, max(moments) + pad)
    key = [
        ("bar-info", w("key_window")),
        ("bar-warn", w("key_late")),
        ("gem-bad", w("key_14")),
    ]
    if not is_preview(view):
        key += [("flag-busy", w("key_29")), ("dot-ink", w("key_submitted"))]
    key.append(("line-now", w("key_planned" if is_preview(view) else "key_now")))
    shown = lanes(view.jobs, zone, w)
    drawings = tuple(
        _windows_drawing(rows, scale, zone, at, w)
        for rows in _chunks(shown, [lane.height() for lane in shown])
    )
    return Chart(title=w("chart_windows", offset=zone.offset), key=tuple(key), drawings=drawings)


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of a drawing: one job, or all jobs of a site where there are very many."""

    name: str
    jobs: tuple[JobView, ...]

    def pairs(self) -> tuple[Pair, ...]:
        """Return the windows of the lane, for many jobs equal ones once."""
        if len(self.jobs) == 1:
            return self.jobs[0].windows
        seen: dict[tuple[datetime | None, ...], Pair] = {}
        for job in self.jobs:
            for pair in job.windows:
                seen.setdefault((pair.opens, pair.safe_closes, pair.closes), pair)
        return tuple(seen.values())

    def height(self) -> float:
        """Return how much room the lane takes: a row, and one more for each of several pairs."""
        pairs = len(self.pairs())
        if pairs < 2:
            return ROW
        return ROW + PAIR_ROW * (min(pairs, PAIRS_DRAWN) + (pairs > PAIRS_DRAWN)) + 4


def lanes(jobs: Sequence[JobView], zone: Zone, w: Words) -> list[Lane]:
    """Return the rows of a drawing."""
    if not zone.lean:
        return [Lane(job.id, (job,)) for job in jobs]
    sites: dict[str, list[JobView]] = {}
    for job in jobs:
        sites.setdefault(job.job.site, []).append(job)
    return [
        Lane(f"{clip(site_label(site), 18)} ({w.count('job', len(held))})", tuple(held))
        for site, held in sites.items()
    ]


def _chunks(rows: Sequence[Lane], heights: Sequence[float]) -> list[list[Lane]]:
    """Return the rows in parts that are each at most as high as a printed page has room for."""
    parts: list[list[Lane]] = []
    room = 0.0
    for lane, height in zip(rows, heights, strict=True):
        if not parts or height > room:
            parts.append([])
            room = float(ROW * ROWS_PER_DRAWING)
        parts[-1].append(lane)
        room -= height
    return parts


def _windows_drawing(
    rows: Sequence[Lane], scale: Scale, zone: Zone, at: datetime, w: Words
) -> Drawing:
    total = HEAD + sum(lane.height() for lane in rows) + 6
    marks = axis(scale, zone, total)
    top, now = float(HEAD), scale.x(at)
    for number, lane in enumerate(rows):
        if number % 2:
            marks.append(_bar("stripe", 0, top, WIDTH, lane.height()))
        marks += _window_row(lane, scale, top, now, w)
        top += lane.height()
    line = Mark(shape="line", tone="now", x=n(now), y=n(HEAD - 6), height=n(total - HEAD + 2))
    return Drawing(
        width=WIDTH,
        height=int(total),
        title=w("chart_windows", offset=zone.offset),
        described=w("chart_windows_said", jobs=_jobs_in(rows, w)),
        marks=merged([*marks, line]),
    )


def _bar(tone: str, x: float, y: float, width: float, height: float) -> Mark:
    return Mark(shape="bar", tone=tone, x=n(x), y=n(y), width=n(width), height=n(height))


def _window_row(lane: Lane, scale: Scale, top: float, now: float, w: Words) -> list[Mark]:
    """Return a lane: its own row with submissions and log deadlines, and its windows.

    One window is drawn in the lane's own row, several below it, each in a row with its waves.
    """
    middle, pairs = top + ROW / 2, lane.pairs()
    marks = label(lane.name, middle)
    for job in lane.jobs:
        submitted, deadline = job.submitted_at, evidence_deadline(job)
        if deadline is not None:
            marks.append(flag(scale.x(deadline), middle, "busy"))
        if submitted is not None:
            marks.append(Mark(shape="dot", tone="ink", x=n(scale.x(submitted)), y=n(middle)))
    own_x = _free_x([now, *(float(mark.x) for mark in marks if mark.shape in ("dot", "flag"))])
    if not pairs:
        return [*marks, _words(w("no_window"), "mute", own_x, middle)]
    if len(pairs) == 1:
        return [*marks, *_window(pairs[0], scale, middle, own_x, w)]
    for number, pair in enumerate(pairs[:PAIRS_DRAWN]):
        line = top + ROW + PAIR_ROW * (number + 0.5)
        if len(lane.jobs) == 1:
            waves = f"{clip(pair.from_wave.name, 15)} → {clip(pair.to_wave.name, 15)}"
            marks.append(_words(waves, "pair", 18, line))
        marks += _window(pair, scale, line, _free_x([now]), w)
    if len(pairs) > PAIRS_DRAWN:
        line = top + ROW + PAIR_ROW * (PAIRS_DRAWN + 0.5)
        marks.append(_words(w.plural("pairs_more", len(pairs) - PAIRS_DRAWN), "pair", 18, line))
    return list(dict.fromkeys(marks))


def _window(pair: Pair, scale: Scale, middle: float, words_x: float, w: Words) -> list[Mark]:
    """Return one window, or in words from `words_x` on why there is none to draw."""
    if pair.opens is None or pair.closes is None or pair.safe_closes is None:
        return [_words(f"○ {w('window_not_known')}", "mute", words_x, middle)]
    if pair.state(pair.opens) is WindowState.NEVER:
        return [_words(f"⊘ {w('window_never')}", "badtext", words_x, middle)]
    safe_end = max(pair.safe_closes, pair.opens)
    opens, safe, closes = (scale.x(one) for one in (pair.opens, safe_end, pair.closes))
    marks = [_bar("info", opens, middle - 4, max(safe - opens, 0), 8)]
    if closes > safe:
        marks.append(_bar("warn", safe, middle - 4, max(closes - safe, 1), 8))
    return [*marks, gem(closes, middle, "bad")]


def _words(text: str, tone: str, x: float, middle: float) -> Mark:
    return Mark(shape="text", tone=tone, x=n(x), y=n(middle + 4), text=text)


def _free_x(taken: Iterable[float]) -> float:
    """Return where the longest stretch of a row begins that nothing at these places crosses."""
    places = sorted([float(LEFT), *taken, float(RIGHT)])
    return max(pairwise(places), key=lambda stretch: stretch[1] - stretch[0])[0] + 10


def _jobs_in(rows: Sequence[Lane], w: Words) -> str:
    return w.count("job", sum(len(lane.jobs) for lane in rows))


def evening_chart(view: RunView, zone: Zone, w: Words) -> Chart | None:
    """Return what happened when, job by job; None where nothing was sent."""
    jobs = [job for job in view.jobs if job.transitions and job.sent]
    moments = [m for job in jobs for m in _moments(job)]
    if not moments:
        return None
    first, last = min(moments), max(moments)
    scale = Scale(first, last + max((last - first) * 0.14, timedelta(seconds=1)))
    clean = is_clean(view)
    states = dict.fromkeys(
        state for job in jobs for _, state in job.transitions if state != "planned"
    )
    looks: dict[str, list[str]] = {}
    for chip in (job_chip(state, w, clean=clean) for state in states):
        looks.setdefault(f"bar-{chip.tone}", []).append(f"{chip.symbol} {chip.word}")
    shown = lanes(jobs, zone, w)
    drawings = tuple(
        _evening_drawing(rows, view, scale, zone, w) for rows in _chunks(shown, [ROW] * len(shown))
    )
    return Chart(
        title=w("chart_evening", offset=zone.offset),
        key=tuple((look, ", ".join(named)) for look, named in looks.items()),
        drawings=drawings,
    )


def _moments(job: JobView) -> list[datetime]:
    texts = [at for at, _ in job.transitions] + [one.at for one in job.sent]
    texts += [at for at in (job.ended_at, job.last_polled_at) if at]
    return texts


def _evening_drawing(
    rows: Sequence[Lane], view: RunView, scale: Scale, zone: Zone, w: Words
) -> Drawing:
    total = HEAD + ROW * len(rows) + 6
    marks = axis(scale, zone, total)
    clean = is_clean(view)
    for number, lane in enumerate(rows):
        top = HEAD + ROW * number
        if number % 2:
            marks.append(
                Mark(shape="bar", tone="stripe", x="0", y=n(top), width=n(WIDTH), height=n(ROW))
            )
        marks += label(lane.name, top + 12)
        for job in lane.jobs:
            marks += _evening_row(job, scale, top, clean=clean, worded=not zone.lean, w=w)
    return Drawing(
        width=WIDTH,
        height=int(total),
        title=w("chart_evening", offset=zone.offset),
        described=w("chart_evening_said", jobs=_jobs_in(rows, w)),
        marks=merged(marks),
    )


def _evening_row(
    job: JobView, scale: Scale, top: float, *, clean: bool, worded: bool, w: Words
) -> list[Mark]:
    marks: list[Mark] = []
    changes = job.transitions
    ends = [at for at, _ in changes[1:]] + [_last_moment(job) or scale.last]
    for (begin, state), end in zip(changes, ends, strict=True):
        if state == "planned":
            continue
        chip = job_chip(state, w, clean=clean)
        x, far = scale.x(begin), scale.x(end)
        if state in ("complete", "error", "refused", "not_attempted"):
            marks.append(Mark(shape="dot", tone=chip.tone, x=n(x), y=n(top + 12)))
            if not worded:
                continue
            beside = x + 9 if x < RIGHT - 90 else x - 9
            tone = "said" if x < RIGHT - 90 else "said-end"
            marks.append(Mark(shape="text", tone=tone, x=n(beside), y=n(top + 16), text=chip.word))
            continue
        if state == "unknown":
            far = RIGHT if job.state == "unknown" else far
            marks.append(
                Mark(
                    shape="bar",
                    tone="unknown",
                    x=n(x),
                    y=n(top + 7),
                    width=n(max(far - x, 3)),
                    height="10",
                )
            )
            if job.state == "unknown" and worded:
                at_x = min(x + 4, RIGHT - 70)
                marks.append(
                    Mark(
                        shape="text", tone="onbar", x=n(at_x), y=n(top + 16), text=f"? {chip.word}"
                    )
                )
            continue
        marks.append(
            Mark(
                shape="bar",
                tone=chip.tone,
                x=n(x),
                y=n(top + 8),
                width=n(max(far - x, 2)),
                height="8",
            )
        )
    return marks


def _last_moment(job: JobView) -> datetime | None:
    return job.ended_at or job.last_polled_at or max(_moments(job), default=None)


def duration_of(job: JobView) -> str:
    """Return how long a job took from its last submission to its end, empty while it has none."""
    begin, end = job.submitted_at, job.ended_at
    return "" if begin is None or end is None else span((end - begin).total_seconds())
