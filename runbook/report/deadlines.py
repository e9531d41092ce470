"""The clocks that run: windows of two weeks, the audit log of 29 days, tokens.

Everything is judged at the ledger's last event, since the report reads no clock.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum

from runbook.plan.model import Plan
from runbook.report.page import (
    Block,
    Cell,
    Chip,
    Column,
    Link,
    Moment,
    Para,
    Row,
    Section,
    Stack,
    Table,
    Text,
)
from runbook.report.rounds import Unserved, due_pairs, judged_at, served_at
from runbook.report.states import is_preview, plain, undone_jobs, window_chip
from runbook.report.text import DASH, anchor, clip, site_label
from runbook.report.timestamps import Zone, day_moment, span
from runbook.report.translations import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunView
from runbook.windows import AUDIT_LOG_KEPT, Pair, WindowState, pairs_of

# How many clocks fit on the first page: with nothing else to tell, and with everything.
CLOCKS_MOST = 8
CLOCKS_LEAST = 2
TOKENS_SHOWN = 1


def evidence_deadline(job: JobView) -> datetime | None:
    """Return when Atlassian's audit log loses what this job changed, None while it is not complete."""
    ended = job.ended_at if job.state is JobState.COMPLETE else None
    return None if ended is None else ended + AUDIT_LOG_KEPT


def log_kept_after(view: RunView, job: JobView) -> bool:
    """Return whether an audit log of the job's site was kept after the job had ended."""
    return any(
        log.log == "audit"
        and log.site == job.job.site
        and (job.ended_at is None or at >= job.ended_at)
        for at, log in view.logs
    )


class Standing(IntEnum):
    """Where a clock stands, in the order in which clocks are listed."""

    OPEN = 0
    OVER = 1
    KEPT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """One row of the deadlines; `end` is None where no end is known yet."""

    standing: Standing
    end: datetime | None
    row: Row


def deadlines_section(view: RunView, plan: Plan | None, zone: Zone, w: Words) -> Section:
    """Return the clocks, open ones first; the whole list stands with the timeline."""
    at = judged_at(view)
    clocks = sorted(
        (
            *_window_clocks(view, plan, at, zone, w),
            *_log_clocks(view, at, zone, w),
            *_token_clocks(plan, at, w)[:TOKENS_SHOWN],
        ),
        key=lambda clock: clock.standing,
    )
    # One printed page holds it all: the more the first sections say, the fewer clocks.
    told = 2 * bool(view.verifications) + 4 * bool(undone_jobs(view)) + 2 * bool(due_pairs(view))
    shown = clocks[: max(CLOCKS_MOST - told, CLOCKS_LEAST)]
    said = w("cap_clocks", at=f"{zone.short(at)} {zone.offset}")
    if len(clocks) > len(shown):
        said = w.plural("clocks_more", len(clocks) - len(shown), said=said)
    rows = tuple(clock.row for clock in shown)
    table = Table(id="clocks", caption=said, columns=_clock_columns(w), rows=rows)
    blocks: tuple[Block, ...] = (table,) if rows else (Para(text=w("clocks_none")),)
    return Section(id="deadlines", title=w("h_deadlines"), short=w("s_deadlines"), blocks=blocks)


def _clock_columns(w: Words) -> tuple[Column, ...]:
    return (
        Column(title=w("c_clock"), wide=True),
        Column(title=w("c_ends")),
        Column(title=w("c_left")),
        Column(title=w("c_means"), wide=True),
    )


def _left(end: datetime, at: datetime, w: Words) -> Chip:
    seconds = (end - at).total_seconds()
    if seconds <= 0:
        return Chip(tone="bad", symbol="✕", word=w("clock_over", span=span(seconds)))
    tone = "warn" if seconds < timedelta(days=3).total_seconds() else "neutral"
    return Chip(tone=tone, symbol="◷", word=w("clock_left", span=span(seconds)))


def _window_clocks(
    view: RunView, plan: Plan | None, at: datetime, zone: Zone, w: Words
) -> list[Clock]:
    """Return the windows of jobs that are not done and of pairs that wait for a later round."""
    due = due_pairs(view)
    waiting = {(one.job.id, one.pair) for one in due}
    found = _round_clocks(due, plan, at, zone, w)
    ends: dict[tuple[datetime, datetime], list[str]] = defaultdict(list)
    for job in undone_jobs(view):
        if job.state in AT_ATLASSIAN or job.settled_by_person:
            continue
        pairs = [pair for pair in job.windows if (job.id, pair) not in waiting]
        over = (WindowState.CLOSED, WindowState.NEVER)
        for pair in [pair for pair in pairs if pair.state(at) not in over] or pairs:
            if pair.safe_closes is not None and pair.closes is not None:
                ends[pair.safe_closes, pair.closes].append(job.id)
    for (safe, closes), jobs in ends.items():
        named = list(dict.fromkeys(jobs))
        state = "late" if safe <= at < closes else "closed" if at >= closes else "open"
        cells = (
            Text(
                text=w("clock_window", jobs=w.count("job", len(named))),
                note=clip(", ".join(named), 90),
            ),
            zone.moment(safe, w("clock_last_end", at=f"{zone.short(closes)} {zone.offset}")),
            _left(safe if at < safe else closes, at, w),
            Text(text=w(f"clock_window_{state}")),
        )
        standing = Standing.OVER if state == "closed" else Standing.OPEN
        found.append(Clock(standing=standing, end=safe, row=Row(cells=cells)))
    return sorted(found, key=lambda clock: (clock.end is None, clock.end or at))


def _round_clocks(
    due: tuple[Unserved, ...], plan: Plan | None, at: datetime, zone: Zone, w: Words
) -> list[Clock]:
    """Return one clock for all pairs of one state: its end is the first of their ends.

    While a wave has no end, the plan's planned one counts, and is said to be planned.
    """
    alike: dict[WindowState, list[Unserved]] = defaultdict(list)
    for one in due:
        alike[one.state].append(one)
    clocks = []
    for state, same in alike.items():
        windows = [_planned_window(one, plan) for one in same]
        end, when = _first_end(windows, same, zone, w)
        left = Chip(tone="neutral", symbol="○", word=w("window_not_yet"))
        opens = min((pair.opens for pair in windows if pair.opens is not None), default=None)
        if state is not WindowState.NOT_YET and end is not None:
            left = _left(end, at, w)
        elif opens is not None and at < opens:
            left = replace(left, word=w("clock_opens", span=span((opens - at).total_seconds())))
        named = "; ".join(dict.fromkeys(one.named for one in same))
        cells = (
            Text(text=w.plural("clock_round", len(same)), note=clip(named, 90)),
            when,
            left,
            Text(text=w(f"clock_round_{state.value}")),
        )
        clocks.append(Clock(standing=Standing.OPEN, end=end, row=Row(cells=cells)))
    return clocks


def _first_end(
    windows: list[Pair], same: list[Unserved], zone: Zone, w: Words
) -> tuple[datetime | None, Cell]:
    """Return the first end of windows that are all in one state, and its cell."""
    late = same[0].state is WindowState.LATE
    ends = [pair.closes if late else pair.safe_closes for pair in windows]
    known = sorted({end for end in ends if end is not None})
    if not known:
        return None, Text(text=w("unknown_moment"), note=w("clock_waits"))
    notes = [w("clock_earliest")] if len(known) > 1 else []
    if any(one.pair.closes is None for one in same):
        notes.append(w("clock_planned"))
    return known[0], zone.moment(known[0], "; ".join(notes))


def _planned_window(one: Unserved, plan: Plan | None) -> Pair:
    """Return a pair with the plan's planned ends where its waves have no other yet."""
    instance = None if plan is None else plan.instance(one.job.id)
    if one.pair.closes is not None or plan is None or instance is None:
        return one.pair
    names = (one.pair.from_wave.name, one.pair.to_wave.name)
    planned = pairs_of(plan, instance, use_planned=True)
    return next(
        (pair for pair in planned if (pair.from_wave.name, pair.to_wave.name) == names), one.pair
    )


def _log_clocks(view: RunView, at: datetime, zone: Zone, w: Words) -> list[Clock]:
    sites: dict[str, list[tuple[datetime, JobView]]] = defaultdict(list)
    for job in view.jobs:
        end = evidence_deadline(job)
        if end is not None:
            sites[job.job.site].append((end, job))
    clocks = []
    for site, ends in sites.items():
        end = min(end for end, _ in ends)
        kept = all(log_kept_after(view, job) for _, job in ends)
        cells = (
            Text(
                text=w("clock_log", site=clip(site_label(site), 60)),
                note=w.count("complete_job", len(ends)),
            ),
            zone.moment(end),
            Chip(tone="info", symbol="●", word=w("clock_log_kept")) if kept else _left(end, at, w),
            Text(text=w("clock_log_means_kept" if kept else "clock_log_means")),
        )
        standing = Standing.KEPT if kept else Standing.OPEN if at < end else Standing.OVER
        clocks.append(Clock(standing=standing, end=end, row=Row(cells=cells)))
    return sorted(clocks, key=lambda clock: clock.end or at)


def tokens_table(view: RunView, plan: Plan | None, w: Words) -> Table | None:
    """Return when each account's token ends, as the plan says; None where it says nothing."""
    rows = tuple(clock.row for clock in _token_clocks(plan, judged_at(view), w))
    if not rows:
        return None
    return Table(
        id="tokens", caption=w("cap_tokens"), columns=_clock_columns(w), rows=rows, dense=True
    )


def _token_clocks(plan: Plan | None, at: datetime, w: Words) -> list[Clock]:
    if plan is None:
        return []
    expiry = sorted(
        {
            (site.token_expires, site.account)
            for site in plan.sites
            if site.token_expires is not None
        }
    )
    clocks = []
    for day, account in expiry:
        end = datetime.combine(day, time(0, 0), UTC)
        cells = (
            Text(text=w("clock_token", account=clip(account, 60))),
            day_moment(day),
            _left(end, at, w),
            Text(text=w("clock_token_means")),
        )
        standing = Standing.OPEN if at < end else Standing.OVER
        clocks.append(Clock(standing=standing, end=end, row=Row(cells=cells)))
    return clocks


def windows_table(view: RunView, zone: Zone, w: Words) -> Table | Para:
    """Return every window and the 29-day moment of every job: what the timeline draws, in words."""
    at = judged_at(view)
    rows = tuple(row for job in view.jobs for row in _rows_of_job(job, view, at, zone, w))
    if not rows:
        return Para(text=w("windows_none"), tone="note")
    columns = (
        Column(title=w("c_job")),
        Column(title=w("c_waves")),
        Column(title=w("c_opens")),
        Column(title=w("c_safe_closes")),
        Column(title=w("c_closes")),
        Column(title=w("c_at_moment" if is_preview(view) else "c_window")),
        *(() if is_preview(view) else (Column(title=w("c_audit_until")),)),
    )
    return Table(id="windows", caption=w("cap_windows"), columns=columns, rows=rows, dense=True)


def _moment(at: datetime | None, zone: Zone, w: Words) -> Moment | Text:
    return Text(text=w("unknown_moment")) if at is None else zone.moment(at)


def _rows_of_job(
    job: JobView, view: RunView, at: datetime, zone: Zone, w: Words
) -> tuple[Row, ...]:
    deadline = evidence_deadline(job)
    until = Text(text=DASH) if deadline is None else zone.moment(deadline)
    ends = () if is_preview(view) else (until,)
    name, dash = job_cell(job.id, lean=zone.lean), Text(text=DASH)
    if not job.windows:
        cells = (name, Text(text=w("no_window")), dash, dash, dash, dash, *ends)
        return (Row(cells=cells, job=job.id),)
    moments = served_at(job)
    rows = []
    for pair in job.windows:
        state = _window_states(pair, moments, at, zone, w, preview=is_preview(view))
        cells = (
            name,
            Text(text=f"{clip(pair.from_wave.name, 40)} → {clip(pair.to_wave.name, 40)}"),
            _moment(pair.opens, zone, w),
            _moment(pair.safe_closes, zone, w),
            _moment(pair.closes, zone, w),
            state,
            *ends,
        )
        rows.append(Row(cells=cells, job=job.id))
    return tuple(rows)


def _window_states(
    pair: Pair, moments: tuple[datetime, ...], at: datetime, zone: Zone, w: Words, *, preview: bool
) -> Cell:
    """Return where a pair's window stood at the submission that served it, else the last, and stands now."""
    now = window_chip(pair.state(at).value, w)
    if preview:
        return plain(now, lean=zone.lean)
    served = [moment for moment in moments if pair.servable(moment)]
    then = [window_chip(pair.state((served or moments)[-1]).value, w)] if moments else []
    unserved = Text(text=w("not_served" if moments else "not_submitted"))
    if zone.lean:
        said = " / ".join(f"{chip.symbol} {chip.word}" for chip in (*then, now))
        return Text(text=said if served else f"{said}; {unserved.text}")
    said_then = [replace(chip, note=w("window_then")) for chip in then if chip != now]
    said_now = replace(now, note=w("window_both" if then and not said_then else "window_now"))
    return Stack(cells=(*said_then, said_now, *(() if served else (unserved,))))


def job_cell(job_id: str, *, lean: bool) -> Link | Text:
    """Return a job's name; it leads to the job's detail unless bytes count."""
    if lean:
        return Text(text=clip(job_id, 60))
    return Link(text=clip(job_id, 60), href=f"#{anchor('job', job_id)}")
