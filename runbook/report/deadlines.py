"""The clocks that run: windows of two weeks, the audit log of 29 days, tokens.

Everything is judged at the ledger's last event, since the report reads no clock.
"""

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta

from runbook.ledger.events import Json
from runbook.plan.model import Plan, Wave
from runbook.report.moments import Zone, day_moment, parsed, span
from runbook.report.page import (
    Block,
    Chip,
    Column,
    Link,
    Moment,
    Para,
    Row,
    Section,
    Table,
    Text,
)
from runbook.report.states import done_jobs, is_preview, plain, undone_jobs, window_chip
from runbook.report.text import DASH, anchor, clip, site_label
from runbook.report.words import Words
from runbook.view import JobState, JobView, RunView
from runbook.windows import AUDIT_LOG_KEPT, Pair, WindowState

WINDOWS_SHOWN = 2
CLOCKS_SHOWN = 3
TOKENS_SHOWN = 1


def pair_of_json(job: str, value: Json) -> Pair:
    """Return the pair of waves that `run.started` keeps, so that its state can be asked."""
    return Pair(
        job=job,
        from_wave=Wave(name=str(value.get("from") or "")),
        to_wave=Wave(name=str(value.get("to") or "")),
        opens=parsed(value.get("opens")),
        safe_closes=parsed(value.get("safe_closes")),
        closes=parsed(value.get("closes")),
        start_assumed=False,
        planned=False,
    )


def pairs_of_job(job: JobView) -> tuple[Pair, ...]:
    """Return the pairs of waves of one job."""
    return tuple(pair_of_json(job.id, value) for value in job.windows)


def evidence_deadline(job: JobView) -> datetime | None:
    """Return when Atlassian's audit log loses what this job changed, None while it is not complete."""
    ended = parsed(job.ended_at) if job.state is JobState.COMPLETE else None
    return None if ended is None else ended + AUDIT_LOG_KEPT


def judged_at(view: RunView) -> datetime:
    """Return the moment at which the report judges clocks: the ledger's last event of the run."""
    return parsed(view.last_at) or parsed(view.started_at) or datetime(1970, 1, 1, tzinfo=UTC)


def log_kept_after(view: RunView, job: JobView) -> bool:
    """Return whether an audit log of the job's site was kept after the job had ended."""
    return any(
        log.log == "audit" and log.site == job.job.site and at >= (job.ended_at or "")
        for at, log in view.logs
    )


def deadlines_section(view: RunView, plan: Plan | None, zone: Zone, w: Words) -> Section:
    """Return the next clocks of each kind; the whole list stands with the timeline."""
    at = judged_at(view)
    # One printed page holds it all: with open jobs and verified links, one clock of each kind.
    tight = bool(view.verifications) and bool(undone_jobs(view))
    windows = _window_rows(view, at, zone, w)[: 1 if tight else WINDOWS_SHOWN]
    logs = _log_rows(view, at, zone, w)[: 1 if tight else CLOCKS_SHOWN - len(windows)]
    rows = (*windows, *logs, *_token_rows(plan, at, w)[:TOKENS_SHOWN])
    columns = (
        Column(title=w("c_clock"), wide=True),
        Column(title=w("c_ends")),
        Column(title=w("c_left")),
        Column(title=w("c_means"), wide=True),
    )
    said = w("cap_clocks", at=f"{zone.short(at)} {zone.offset}")
    table = Table(id="clocks", caption=said, columns=columns, rows=rows)
    blocks: tuple[Block, ...] = (table,) if rows else (Para(text=w("clocks_none")),)
    return Section(id="deadlines", title=w("h_deadlines"), short=w("s_deadlines"), blocks=blocks)


def _left(end: datetime, at: datetime, w: Words) -> Chip:
    seconds = (end - at).total_seconds()
    if seconds <= 0:
        return Chip(tone="bad", symbol="✕", word=w("clock_over", span=span(seconds)))
    tone = "warn" if seconds < timedelta(days=3).total_seconds() else "neutral"
    return Chip(tone=tone, symbol="◷", word=w("clock_left", span=span(seconds)))


def _window_rows(view: RunView, at: datetime, zone: Zone, w: Words) -> list[Row]:
    ends: dict[tuple[datetime, datetime], list[str]] = defaultdict(list)
    for job in undone_jobs(view):
        open_pairs = [
            pair
            for pair in pairs_of_job(job)
            if pair.state(at) not in (WindowState.CLOSED, WindowState.NEVER)
        ] or list(pairs_of_job(job))
        for pair in open_pairs:
            if pair.safe_closes is not None and pair.closes is not None:
                ends[pair.safe_closes, pair.closes].append(job.id)
    rows = []
    for (safe, closes), jobs in sorted(ends.items()):
        named = list(dict.fromkeys(jobs))
        state = "late" if safe <= at < closes else "closed" if at >= closes else "open"
        rows.append(
            Row(
                cells=(
                    Text(
                        text=w("clock_window", jobs=w.count("job", len(named))),
                        note=clip(", ".join(named), 90),
                    ),
                    zone.moment(
                        safe, w("clock_last_end", at=f"{zone.short(closes)} {zone.offset}")
                    ),
                    _left(safe if at < safe else closes, at, w),
                    Text(text=w(f"clock_window_{state}")),
                )
            )
        )
    return rows


def _log_rows(view: RunView, at: datetime, zone: Zone, w: Words) -> list[Row]:
    sites: dict[str, list[tuple[datetime, JobView]]] = defaultdict(list)
    for job in done_jobs(view):
        end = evidence_deadline(job)
        if end is not None:
            sites[job.job.site].append((end, job))
    rows: list[tuple[bool, datetime, Row]] = []
    for site, ends in sites.items():
        end = min(end for end, _ in ends)
        kept = all(log_kept_after(view, job) for _, job in ends)
        row = Row(
            cells=(
                Text(
                    text=w("clock_log", site=clip(site_label(site), 60)),
                    note=w.count("complete_job", len(ends)),
                ),
                zone.moment(end),
                Chip(tone="info", symbol="●", word=w("clock_log_kept"))
                if kept
                else _left(end, at, w),
                Text(text=w("clock_log_means_kept" if kept else "clock_log_means")),
            )
        )
        rows.append((kept, end, row))
    return [row for _, _, row in sorted(rows, key=lambda one: one[:2])]


def tokens_table(view: RunView, plan: Plan | None, w: Words) -> Table | None:
    """Return when each account's token ends, as the plan says; None where it says nothing."""
    rows = tuple(_token_rows(plan, judged_at(view), w))
    columns = (
        Column(title=w("c_clock"), wide=True),
        Column(title=w("c_ends")),
        Column(title=w("c_left")),
        Column(title=w("c_means"), wide=True),
    )
    if not rows:
        return None
    return Table(id="tokens", caption=w("cap_tokens"), columns=columns, rows=rows, dense=True)


def _token_rows(plan: Plan | None, at: datetime, w: Words) -> list[Row]:
    if plan is None:
        return []
    expiry = sorted(
        {
            (site.token_expires, site.account)
            for site in plan.sites
            if site.token_expires is not None
        }
    )
    rows = []
    for day, account in expiry:
        end = datetime.combine(day, time(0, 0), UTC)
        rows.append(
            Row(
                cells=(
                    Text(text=w("clock_token", account=clip(account, 60))),
                    day_moment(day),
                    _left(end, at, w),
                    Text(text=w("clock_token_means")),
                )
            )
        )
    return rows


def windows_table(view: RunView, zone: Zone, w: Words) -> Table | Para:
    """Return every window and the 29-day moment of every job: what the timeline draws, in words."""
    at = judged_at(view)
    rows = tuple(row for job in view.jobs for row in _rows_of_job(job, view, at, zone, w))
    if not rows:
        return Para(text=w("windows_none"), tone="note")
    submitted = Column(title=w("c_at_submission"))
    columns = (
        Column(title=w("c_job")),
        Column(title=w("c_waves")),
        Column(title=w("c_opens")),
        Column(title=w("c_safe_closes")),
        Column(title=w("c_closes")),
        *(() if is_preview(view) else (submitted,)),
        Column(title=w("c_at_end" if not is_preview(view) else "c_at_moment")),
        *(() if is_preview(view) else (Column(title=w("c_audit_until")),)),
    )
    return Table(id="windows", caption=w("cap_windows"), columns=columns, rows=rows, dense=True)


def _moment(at: datetime | None, zone: Zone, w: Words) -> Moment | Text:
    return Text(text=w("unknown_moment")) if at is None else zone.moment(at)


def _rows_of_job(
    job: JobView, view: RunView, at: datetime, zone: Zone, w: Words
) -> tuple[Row, ...]:
    submitted = parsed(job.submitted_at)
    deadline = evidence_deadline(job)
    until = Text(text=DASH) if deadline is None else zone.moment(deadline)
    served = (Text(text=w("not_submitted")),) if submitted is None else None
    ends = () if is_preview(view) else (until,)
    if not job.windows:
        blank = Text(text=w("no_window"))
        dash = Text(text=DASH)
        first = () if is_preview(view) else (dash,)
        return (
            Row(
                cells=(
                    job_cell(job.id, lean=zone.lean),
                    blank,
                    dash,
                    dash,
                    dash,
                    *first,
                    dash,
                    *ends,
                ),
                job=job.id,
            ),
        )
    rows = []
    for pair in pairs_of_job(job):
        then = (
            ()
            if is_preview(view)
            else served
            if served is not None
            else (_window_state(pair.state(submitted), zone, w),)
            if submitted is not None
            else ()
        )
        rows.append(
            Row(
                cells=(
                    job_cell(job.id, lean=zone.lean),
                    Text(text=f"{clip(pair.from_wave.name, 40)} → {clip(pair.to_wave.name, 40)}"),
                    _moment(pair.opens, zone, w),
                    _moment(pair.safe_closes, zone, w),
                    _moment(pair.closes, zone, w),
                    *then,
                    _window_state(pair.state(at), zone, w),
                    *ends,
                ),
                job=job.id,
            )
        )
    return tuple(rows)


def _window_state(state: WindowState, zone: Zone, w: Words) -> Chip | Text:
    return plain(window_chip(state.value, w), lean=zone.lean)


def job_cell(job_id: str, *, lean: bool) -> Link | Text:
    """Return a job's name; it leads to the job's detail unless bytes count."""
    if lean:
        return Text(text=clip(job_id, 60))
    return Link(text=clip(job_id, 60), href=f"#{anchor('job', job_id)}")
