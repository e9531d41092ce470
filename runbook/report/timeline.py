"""Drawings of time: jobs against their windows and clocks, and the evening itself.

Geometry only; the renderer writes the SVG. Every fact drawn here stands in a table as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runbook.report.deadlines import evidence_deadline, judged_at, pairs_of_job
from runbook.report.drawing import (
    HEAD,
    LABEL,
    LEFT,
    RIGHT,
    ROW,
    ROWS_PER_DRAWING,
    WIDTH,
    Scale,
    axis,
    flag,
    gem,
    merged,
    n,
)
from runbook.report.moments import Zone, parsed, span
from runbook.report.page import Chart, Drawing, Mark
from runbook.report.states import is_clean, is_preview, job_chip
from runbook.report.text import clip, site_label
from runbook.report.words import Words
from runbook.view import JobView, RunView
from runbook.windows import Pair, WindowState

PAIRS_DRAWN = 10


def windows_chart(view: RunView, zone: Zone, w: Words) -> Chart | None:
    """Return jobs against their windows, with the 14-day and 29-day moments; None without a window."""
    at = judged_at(view)
    moments = [at]
    for job in view.jobs:
        moments += [m for m in (parsed(job.submitted_at), evidence_deadline(job)) if m is not None]
        for pair in pairs_of_job(job):
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
    drawings = tuple(
        _windows_drawing(rows, scale, zone, at, w)
        for rows in _chunks(lanes(view.jobs, zone, w), ROWS_PER_DRAWING)
    )
    return Chart(title=w("chart_windows", offset=zone.offset), key=tuple(key), drawings=drawings)


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of a drawing: one job, or all jobs of a site where there are very many."""

    name: str
    jobs: tuple[JobView, ...]

    def pairs(self) -> tuple[Pair, ...]:
        """Return the windows of the lane, equal ones once."""
        seen: dict[tuple[datetime | None, ...], Pair] = {}
        for job in self.jobs:
            for pair in pairs_of_job(job):
                seen.setdefault((pair.opens, pair.safe_closes, pair.closes), pair)
        return tuple(seen.values())[:PAIRS_DRAWN]


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


def _chunks(rows: Sequence[Lane], size: int) -> list[Sequence[Lane]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _windows_drawing(
    rows: Sequence[Lane], scale: Scale, zone: Zone, at: datetime, w: Words
) -> Drawing:
    heights = [max(ROW, 9 * len(lane.pairs()) + 12) for lane in rows]
    total = HEAD + sum(heights) + 6
    marks = axis(scale, zone, total)
    top = float(HEAD)
    for number, (lane, height) in enumerate(zip(rows, heights, strict=True)):
        if number % 2:
            marks.append(
                Mark(shape="bar", tone="stripe", x="0", y=n(top), width=n(WIDTH), height=n(height))
            )
        marks += _window_row(lane, scale, top, height, w)
        top += height
    x = scale.x(at)
    marks.append(Mark(shape="line", tone="now", x=n(x), y=n(HEAD - 6), height=n(total - HEAD + 2)))
    return Drawing(
        width=WIDTH,
        height=int(total),
        title=w("chart_windows", offset=zone.offset),
        described=w("chart_windows_said", jobs=_jobs_in(rows, w)),
        marks=merged(marks),
    )


def _window_row(lane: Lane, scale: Scale, top: float, height: float, w: Words) -> list[Mark]:
    middle = top + height / 2
    marks = [Mark(shape="text", tone="label", x="6", y=n(middle + 4), text=clip(lane.name, LABEL))]
    pairs = lane.pairs()
    if not pairs:
        marks.append(
            Mark(shape="text", tone="mute", x=n(LEFT + 6), y=n(middle + 4), text=w("no_window"))
        )
    thick = 8.0 if len(pairs) == 1 else 6.0
    first = middle - (9 * len(pairs) - 3) / 2 if len(pairs) > 1 else middle - 4
    for number, pair in enumerate(pairs):
        y = first + 9 * number
        if pair.opens is None or pair.closes is None or pair.safe_closes is None:
            marks.append(
                Mark(
                    shape="text", tone="mute", x=n(LEFT + 6), y=n(y + 7), text=w("window_not_known")
                )
            )
            continue
        if pair.state(pair.opens) is WindowState.NEVER:
            x = min(scale.x(pair.opens), RIGHT - 60)
            marks.append(
                Mark(
                    shape="text", tone="badtext", x=n(x), y=n(y + 8), text=f"⊘ {w('window_never')}"
                )
            )
            continue
        opens, safe, closes = (
            scale.x(m) for m in (pair.opens, max(pair.safe_closes, pair.opens), pair.closes)
        )
        marks.append(
            Mark(
                shape="bar",
                tone="info",
                x=n(opens),
                y=n(y),
                width=n(max(safe - opens, 0)),
                height=n(thick),
            )
        )
        if closes > safe:
            marks.append(
                Mark(
                    shape="bar",
                    tone="warn",
                    x=n(safe),
                    y=n(y),
                    width=n(max(closes - safe, 1)),
                    height=n(thick),
                )
            )
        marks.append(gem(closes, y + thick / 2, "bad"))
    for job in lane.jobs:
        submitted, deadline = parsed(job.submitted_at), evidence_deadline(job)
        if deadline is not None:
            marks.append(flag(scale.x(deadline), middle, "busy"))
        if submitted is not None:
            marks.append(Mark(shape="dot", tone="ink", x=n(scale.x(submitted)), y=n(middle)))
    return list(dict.fromkeys(marks))


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
    drawings = tuple(
        _evening_drawing(rows, view, scale, zone, w)
        for rows in _chunks(lanes(jobs, zone, w), ROWS_PER_DRAWING)
    )
    return Chart(
        title=w("chart_evening", offset=zone.offset),
        key=tuple((look, ", ".join(named)) for look, named in looks.items()),
        drawings=drawings,
    )


def _moments(job: JobView) -> list[datetime]:
    texts = [at for at, _ in job.transitions] + [one.at for one in job.sent]
    texts += [at for at in (job.ended_at, job.last_polled_at) if at]
    return [m for m in map(parsed, texts) if m is not None]


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
        marks.append(
            Mark(shape="text", tone="label", x="6", y=n(top + 16), text=clip(lane.name, LABEL))
        )
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
    changes = [(m, state) for at, state in job.transitions if (m := parsed(at)) is not None]
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
    return parsed(job.ended_at) or parsed(job.last_polled_at) or max(_moments(job), default=None)


def duration_of(job: JobView) -> str:
    """Return how long a job took from its last submission to its end, empty while it has none."""
    begin, end = parsed(job.submitted_at), parsed(job.ended_at)
    return "" if begin is None or end is None else span((end - begin).total_seconds())
