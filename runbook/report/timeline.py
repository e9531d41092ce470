"""Drawings of time: jobs against their windows and clocks, and the evening itself.

Geometry only; the template writes the SVG. Every fact drawn here stands in a table as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from runbook.report.drawing import (
    HEAD,
    LEFT,
    RIGHT,
    ROW,
    ROWS_PER_DRAWING,
    WIDTH,
    Chart,
    Drawing,
    Mark,
    Scale,
    axis,
    bar,
    dot,
    drawing,
    flag,
    gem,
    line,
    row_name,
    words,
)
from runbook.report.facts import ReportFacts, evidence_deadline
from runbook.report.text import clip, site_label
from runbook.report.translations import Words
from runbook.text import span
from runbook.view import JobView
from runbook.windows import Pair, WindowState

PAIRS_DRAWN = 10
PAIR_ROW = 16


def windows_chart(facts: ReportFacts) -> Chart | None:
    """Return jobs against their windows, with the 14-day and 29-day moments; None without a window."""
    view, w = facts.view, facts.w
    moments = [facts.at]
    for job in view.jobs:
        ends = [job.submitted_at, evidence_deadline(job)]
        ends += [end for pair in job.windows for end in (pair.opens, pair.closes)]
        moments += [moment for moment in ends if moment is not None]
    if len(moments) == 1 or not any(job.windows for job in view.jobs):
        return None
    pad = (max(moments) - min(moments)) * 0.02
    scale = Scale(min(moments) - pad, max(moments) + pad)
    key = [("bar-info", w("key_window")), ("bar-warn", w("key_late")), ("gem-bad", w("key_14"))]
    if not facts.preview:
        key += [("flag-busy", w("key_29")), ("dot-ink", w("key_submitted"))]
    key.append(("line-now", w("key_planned" if facts.preview else "key_now")))
    shown = _lanes(view.jobs, facts)
    drawings = tuple(
        _windows_drawing(lanes, scale, facts)
        for lanes in _chunks(shown, [lane.height() for lane in shown])
    )
    title = w("chart_windows", offset=facts.zone.offset)
    return Chart(title=title, key=tuple(key), drawings=drawings)


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of a drawing: one job, or all jobs of a site where there are very many.

    `pairs` holds the windows of the lane, for many jobs equal ones once.
    """

    name: str
    jobs: tuple[JobView, ...]
    pairs: tuple[Pair, ...]

    def height(self) -> float:
        """Return how much room the lane takes: a row, and one more for each of several pairs."""
        pairs = len(self.pairs)
        if pairs < 2:
            return ROW
        return ROW + PAIR_ROW * (min(pairs, PAIRS_DRAWN) + (pairs > PAIRS_DRAWN)) + 4


def _lanes(jobs: Sequence[JobView], facts: ReportFacts) -> list[Lane]:
    if not facts.zone.lean:
        return [Lane(job.id, (job,), job.windows) for job in jobs]
    sites: dict[str, list[JobView]] = {}
    for job in jobs:
        sites.setdefault(job.job.site, []).append(job)
    lanes = []
    for site, held in sites.items():
        pairs = [pair for job in held for pair in job.windows]
        if len(held) > 1:
            alike: dict[tuple[datetime | None, ...], Pair] = {}
            for pair in pairs:
                alike.setdefault((pair.opens, pair.safe_closes, pair.closes), pair)
            pairs = list(alike.values())
        name = f"{clip(site_label(site), 18)} ({facts.w.count('job', len(held))})"
        lanes.append(Lane(name, tuple(held), tuple(pairs)))
    return lanes


def _chunks(lanes: Sequence[Lane], heights: Sequence[float]) -> list[list[Lane]]:
    """Return the rows in parts that are each at most as high as a printed page has room for."""
    parts: list[list[Lane]] = []
    room = 0.0
    for lane, height in zip(lanes, heights, strict=True):
        if not parts or height > room:
            parts.append([])
            room = float(ROW * ROWS_PER_DRAWING)
        parts[-1].append(lane)
        room -= height
    return parts


def _windows_drawing(lanes: Sequence[Lane], scale: Scale, facts: ReportFacts) -> Drawing:
    w = facts.w
    height = HEAD + sum(lane.height() for lane in lanes) + 6
    marks = axis(scale, facts.zone, height)
    top, now = float(HEAD), scale.x(facts.at)
    for number, lane in enumerate(lanes):
        if number % 2:
            marks.append(bar("stripe", 0, top, WIDTH, lane.height()))
        marks += _window_row(lane, scale, top, now, w)
        top += lane.height()
    marks.append(line("now", now, HEAD - 6, height - HEAD + 2))
    return drawing(
        marks,
        height=height,
        title=w("chart_windows", offset=facts.zone.offset),
        described=w("chart_windows_said", jobs=_jobs_in(lanes, w)),
    )


def _window_row(lane: Lane, scale: Scale, top: float, now: float, w: Words) -> list[Mark]:
    """Return a lane: its own row with submissions and log deadlines, and its windows.

    One window is drawn in the lane's own row, several below it, each in a row with its waves.
    """
    middle = top + ROW / 2
    marks, taken = row_name(lane.name, middle), [now]
    for job in lane.jobs:
        submitted, deadline = job.submitted_at, evidence_deadline(job)
        if deadline is not None:
            taken.append(scale.x(deadline))
            marks.append(flag("busy", taken[-1], middle))
        if submitted is not None:
            taken.append(scale.x(submitted))
            marks.append(dot("ink", taken[-1], middle))
    own_x = _free_x(taken)
    if not lane.pairs:
        return [*marks, words("mute", own_x, middle + 4, w("no_window"))]
    if len(lane.pairs) == 1:
        return [*marks, *_window(lane.pairs[0], scale, middle, own_x, w)]
    for number, pair in enumerate(lane.pairs[:PAIRS_DRAWN]):
        row = top + ROW + PAIR_ROW * (number + 0.5)
        if len(lane.jobs) == 1:
            waves = f"{clip(pair.from_wave.name, 15)} → {clip(pair.to_wave.name, 15)}"
            marks.append(words("pair", 18, row + 4, waves))
        marks += _window(pair, scale, row, _free_x([now]), w)
    more = len(lane.pairs) - PAIRS_DRAWN
    if more > 0:
        row = top + ROW + PAIR_ROW * (PAIRS_DRAWN + 0.5)
        marks.append(words("pair", 18, row + 4, w.plural("pairs_more", more)))
    return list(dict.fromkeys(marks))


def _window(pair: Pair, scale: Scale, middle: float, words_x: float, w: Words) -> list[Mark]:
    """Return one window, or in words from `words_x` on why there is none to draw."""
    if pair.opens is None or pair.closes is None or pair.safe_closes is None:
        return [words("mute", words_x, middle + 4, f"○ {w('window_not_known')}")]
    if pair.state(pair.opens) is WindowState.NEVER:
        return [words("badtext", words_x, middle + 4, f"⊘ {w('window_never')}")]
    safe_end = max(pair.safe_closes, pair.opens)
    opens, safe, closes = (scale.x(end) for end in (pair.opens, safe_end, pair.closes))
    marks: list[Mark] = [bar("info", opens, middle - 4, max(safe - opens, 0), 8)]
    if closes > safe:
        marks.append(bar("warn", safe, middle - 4, max(closes - safe, 1), 8))
    return [*marks, gem("bad", closes, middle)]


def _free_x(taken: Iterable[float]) -> float:
    """Return where the longest stretch of a row begins that nothing at these places crosses."""
    places = sorted([float(LEFT), *taken, float(RIGHT)])
    return max(pairwise(places), key=lambda stretch: stretch[1] - stretch[0])[0] + 10


def _jobs_in(lanes: Sequence[Lane], w: Words) -> str:
    return w.count("job", sum(len(lane.jobs) for lane in lanes))


def evening_chart(facts: ReportFacts) -> Chart | None:
    """Return what happened when, job by job; None where nothing was sent."""
    jobs = [job for job in facts.view.jobs if job.transitions and job.sent]
    moments = [moment for job in jobs for moment in _moments(job)]
    if not moments:
        return None
    first, last = min(moments), max(moments)
    scale = Scale(first, last + max((last - first) * 0.14, timedelta(seconds=1)))
    states = dict.fromkeys(
        state for job in jobs for _, state in job.transitions if state != "planned"
    )
    looks: dict[str, list[str]] = {}
    for chip in map(facts.chips.job_state, states):
        looks.setdefault(f"bar-{chip.tone}", []).append(f"{chip.symbol} {chip.word}")
    shown = _lanes(jobs, facts)
    return Chart(
        title=facts.w("chart_evening", offset=facts.zone.offset),
        key=tuple((look, ", ".join(named)) for look, named in looks.items()),
        drawings=tuple(
            _evening_drawing(lanes, scale, facts) for lanes in _chunks(shown, [ROW] * len(shown))
        ),
    )


def _moments(job: JobView) -> list[datetime]:
    moments = [at for at, _ in job.transitions] + [submission.at for submission in job.sent]
    return moments + [at for at in (job.ended_at, job.last_polled_at) if at is not None]


def _evening_drawing(lanes: Sequence[Lane], scale: Scale, facts: ReportFacts) -> Drawing:
    w = facts.w
    height = HEAD + ROW * len(lanes) + 6
    marks = axis(scale, facts.zone, height)
    for number, lane in enumerate(lanes):
        top = HEAD + ROW * number
        if number % 2:
            marks.append(bar("stripe", 0, top, WIDTH, ROW))
        marks += row_name(lane.name, top + 12)
        for job in lane.jobs:
            marks += _evening_row(job, scale, top, facts)
    return drawing(
        marks,
        height=height,
        title=w("chart_evening", offset=facts.zone.offset),
        described=w("chart_evening_said", jobs=_jobs_in(lanes, w)),
    )


def _evening_row(job: JobView, scale: Scale, top: float, facts: ReportFacts) -> list[Mark]:
    worded = not facts.zone.lean
    marks: list[Mark] = []
    ends = [at for at, _ in job.transitions[1:]] + [_last_moment(job) or scale.last]
    for (begin, state), end in zip(job.transitions, ends, strict=True):
        chip = facts.chips.job_state(state)
        x, far = scale.x(begin), scale.x(end)
        match state:
            case "planned":
                continue
            case "complete" | "error" | "refused" | "not_attempted":
                marks.append(dot(chip.tone, x, top + 12))
                if worded:
                    fits = x < RIGHT - 90
                    tone, beside = ("said", x + 9) if fits else ("said-end", x - 9)
                    marks.append(words(tone, beside, top + 16, chip.word))
            case "unknown":
                still = job.state == "unknown"
                far = RIGHT if still else far
                marks.append(bar("unknown", x, top + 7, max(far - x, 3), 10))
                if still and worded:
                    place = min(x + 4, RIGHT - 70)
                    marks.append(words("onbar", place, top + 16, f"? {chip.word}"))
            case _:
                marks.append(bar(chip.tone, x, top + 8, max(far - x, 2), 8))
    return marks


def _last_moment(job: JobView) -> datetime | None:
    return job.ended_at or job.last_polled_at or max(_moments(job), default=None)


def duration_of(job: JobView) -> str:
    """Return how long a job took from its last submission to its end, empty while it has none."""
    begin, end = job.submitted_at, job.ended_at
    return "" if begin is None or end is None else span(abs(end - begin))
