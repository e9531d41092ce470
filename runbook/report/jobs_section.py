"""The jobs: one table to look through, and for each job exactly what was sent and answered."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from runbook.report.advice import what_next
from runbook.report.deadlines import evidence_deadline
from runbook.report.exchanges import answer_raw, as_text, cut_text, header_lines, request_raw
from runbook.report.page import (
    Block,
    Cell,
    Column,
    Heading,
    JobDetail,
    Link,
    Mono,
    Number,
    Para,
    Raw,
    Row,
    Section,
    Stack,
    Table,
    Text,
)
from runbook.report.states import (
    chip_of,
    done_jobs,
    is_clean,
    is_preview,
    job_chip,
    noted,
    outcome_chip,
)
from runbook.report.text import (
    DASH,
    SHORT,
    Composed,
    anchor,
    clip,
    shortened,
    site_label,
    thousands,
    web_address,
)
from runbook.report.timeline import duration_of
from runbook.report.timestamps import Zone
from runbook.report.translations import Words
from runbook.report.verdict import number
from runbook.view import JobView, Poll, RunView, Submission


def jobs_section(view: RunView, zone: Zone, w: Words) -> Section:
    """Return the table of jobs and the detail of each."""
    clean, done = is_clean(view), {job.id for job in done_jobs(view)}
    details = tuple(
        job_detail(job, view, zone, w, clean=clean, done=job.id in done) for job in view.jobs
    )
    blocks: tuple[Block, ...] = (
        Para(text=w("jobs_lead_preview" if is_preview(view) else "jobs_lead")),
        _table(view, zone, w),
        Heading(id="wire", text=w("h_wire")),
        Para(text=w("wire_lead_lean" if zone.lean else "wire_lead"), tone="note"),
        *details,
    )
    return Section(id="jobs", title=w("h_jobs"), short=w("s_jobs"), blocks=blocks)


def _table(view: RunView, zone: Zone, w: Words) -> Table:
    clean, preview = is_clean(view), is_preview(view)
    columns = [
        Column(title="#", align="end"),
        Column(title=w("c_job")),
        *(() if zone.lean else (Column(title=w("c_holds")), Column(title=w("c_points")))),
        Column(title=w("c_state")),
    ]
    if preview:
        columns += [Column(title=w("c_needs")), Column(title=w("c_account"))]
    else:
        columns += [
            Column(title=w("c_submitted")),
            Column(title=w("c_ended")),
            Column(title=w("c_took")),
            Column(title=w("c_sent_times"), align="end"),
            Column(title=w("c_uuid")),
        ]
    rows = tuple(
        Row(
            cells=(
                Number(text=str(job.job.order), key=job.job.order),
                Link(text=clip(job.id, 80), href=f"#{anchor('job', job.id)}"),
                *(() if zone.lean else _site_cells(job)),
                chip_of(job, w, clean=clean),
                *(_planned_cells(job) if preview else _sent_cells(job, zone)),
            ),
            id=anchor("row", job.id),
            state=job.state.value,
            job=anchor("job", job.id),
        )
        for job in view.jobs
    )
    states = tuple(
        (state, job_chip(state, w).word) for state, count in view.counts().items() if count
    )
    return Table(
        id="jobs-table",
        caption=w("cap_jobs"),
        columns=tuple(columns),
        rows=rows,
        tools=True,
        states=states,
        dense=True,
    )


def _site_cells(job: JobView) -> tuple[Cell, Cell]:
    return (
        Text(text=clip(site_label(job.job.site), 60)),
        Text(text=clip(site_label(job.job.destination), 60)),
    )


def _planned_cells(job: JobView) -> tuple[Cell, ...]:
    needs = ", ".join(clip(need, 60) for need in job.job.needs[:5]) or DASH
    return Text(text=needs), Text(text=clip(job.job.account, 60))


def _sent_cells(job: JobView, zone: Zone) -> tuple[Cell, ...]:
    none = Text(text=DASH)
    return (
        zone.moment(job.submitted_at) if job.submitted_at else none,
        zone.moment(job.ended_at) if job.ended_at else none,
        Text(text=duration_of(job) or DASH),
        number(job.submissions),
        Mono(text=clip(job.uuid, 80)) if job.uuid else none,
    )


def job_detail(
    job: JobView, view: RunView, zone: Zone, w: Words, *, clean: bool, done: bool
) -> JobDetail:
    """Return everything known of one job; `clean` and `done` say how the run and the job stand."""
    preview = is_preview(view)
    raws = tuple(_raws(job, zone, w)) if job.sent else tuple(_planned_raw(job, zone, w))
    return JobDetail(
        id=anchor("job", job.id),
        job=clip(job.id, 200),
        title=f"{clip(site_label(job.job.site), 60)} → {clip(site_label(job.job.destination), 60)}",
        state=job.state.value,
        chip=chip_of(job, w, clean=clean),
        facts=tuple(_facts(job, zone, w, preview=preview)),
        advice="" if done or preview else what_next(job, view, w),
        raws=raws,
    )


def _facts(job: JobView, zone: Zone, w: Words, *, preview: bool) -> Iterator[tuple[str, Cell]]:
    if not zone.lean:
        yield from _plain_facts(job, zone, w, preview=preview)
    if preview:
        return
    if job.detail:
        shown, cut = cut_text(job.detail, w, SHORT * 2)
        yield w("f_detail"), Text(text=shown, cut=cut, foreign=True)
    if job.last_status and not (zone.lean and job.ended_at):
        times = w("f_asked_times", times=w.count("time", job.poll_count))
        yield w("f_last_status"), Text(text=clip(job.last_status, 120), note=times, foreign=True)
    if job.stalled_since:
        yield w("f_stalled"), zone.moment(job.stalled_since)
    yield from _people_facts(job, zone, w)
    yield from _probe_facts(job, zone, w)


def _plain_facts(
    job: JobView, zone: Zone, w: Words, *, preview: bool
) -> Iterator[tuple[str, Cell]]:
    """Yield what the tables and the request say too."""
    yield w("c_holds"), Link(text=clip(job.job.site, 200), href=web_address(job.job.site))
    yield (
        w("c_points"),
        Link(text=clip(job.job.destination, 200), href=web_address(job.job.destination)),
    )
    if job.site_id:
        yield w("f_site_id"), Mono(text=clip(job.site_id, 100))
    yield w("c_account"), Text(text=clip(job.job.account, 100))
    if job.job.needs:
        needs = ", ".join(job.job.needs)
        yield w("c_needs"), Text(text=shortened(needs, SHORT)[0])
    if preview:
        return
    if job.uuid:
        yield w("c_uuid"), Mono(text=clip(job.uuid, 100))
    traces = tuple(dict.fromkeys(one.trace_id for one in job.sent if one.trace_id))
    if traces:
        yield w("f_trace"), Stack(cells=tuple(Mono(text=clip(trace, 100)) for trace in traces))
    if job.submitted_at:
        yield w("c_submitted"), zone.moment(job.submitted_at)
    if job.ended_at:
        yield w("c_ended"), zone.moment(job.ended_at, duration_of(job))
    deadline = evidence_deadline(job)
    if deadline is not None:
        yield w("c_audit_until"), zone.moment(deadline)


def _people_facts(job: JobView, zone: Zone, w: Words) -> Iterator[tuple[str, Cell]]:
    for at, word in job.resolutions:
        text = w.known("word", word.resolution)
        if word.uuid:
            text = f"{text} ({clip(word.uuid, 80)})"
        yield (
            w("f_word"),
            Stack(
                cells=(
                    Text(text=f"{clip(word.by, 120)}: {text}", note=shortened(word.note, SHORT)[0]),
                    zone.moment(at),
                )
            ),
        )
    for at, again in job.rounds:
        text = f"{clip(again.by, 120)}: {shortened(again.reason, SHORT)[0]}"
        yield w("f_round"), Stack(cells=(Text(text=text), zone.moment(at)))


def _probe_facts(job: JobView, zone: Zone, w: Words) -> Iterator[tuple[str, Cell]]:
    if not job.probes:
        return
    cells = tuple(
        noted(
            outcome_chip(probe.result, w),
            f"{w(f'phase_{probe.phase}') if w.has(f'phase_{probe.phase}') else probe.phase}: "
            f"{clip(probe.issue, 60)} → {clip(probe.target, 60)}, {zone.said(at)}"
            + (f"; {clip(probe.detail, 160)}" if probe.detail else ""),
            w,
            limit=500,
        )
        for at, probe in job.probes
    )
    yield w("f_probes"), Stack(cells=cells)


def _planned_raw(job: JobView, zone: Zone, w: Words) -> Iterator[Raw]:
    request = {
        "method": job.job.method,
        "url": job.job.url,
        "headers": _planned_headers(),
        "body": job.job.body_bytes().decode("utf-8", "replace"),
        "account": job.job.account,
    }
    yield request_raw(w("raw_would"), request, None, zone, w)


def _planned_headers() -> dict[str, str]:
    from runbook.jobs import HEADERS

    return dict(HEADERS)


def _raws(job: JobView, zone: Zone, w: Words) -> Iterator[Raw]:
    polls = [_poll_raw(stretch, zone, w) for stretch in stretches(job.polls)]
    sent = [raw for one in job.sent for raw in _submission_raws(one, job, zone, w)]
    if not zone.lean:
        yield from sent
        yield from polls
        return
    for request, answer in zip(sent[::2], sent[1::2], strict=True):
        last = answer is sent[-1]
        yield replace(request, more=_told(answer, polls if last else []))


def _submission_raws(one: Submission, job: JobView, zone: Zone, w: Words) -> Iterator[Raw]:
    note = "" if one.by_word is None else w("raw_by_word", word=clip(one.by_word, 120))
    request = {"account": job.job.account, **one.request}
    yield request_raw(w("raw_request", number=one.number), request, one.at, zone, w, note=note)
    outcome = outcome_chip(one.outcome, w).word
    causes = " · ".join(clip(cause, 200) for cause in one.causes)
    said = f"{outcome}. {w('raw_causes', causes=causes)}" if causes else outcome
    answer = answer_raw(w("raw_answer", number=one.number), one.exchange, zone, w, said)
    if answer is not None:
        yield answer
        return
    shown, cut = cut_text(one.detail, w)
    yield Raw(
        label=w("raw_answer", number=one.number),
        moment=None if one.answered_at is None else zone.moment(one.answered_at),
        method="",
        line=w("no_answer"),
        headers="",
        body=shown or w("no_answer_yet"),
        cut=cut,
        note=said,
    )


def _told(answer: Raw, polls: list[Raw]) -> str:
    """Return what followed a request in one text: the answer, and each look at the status."""
    when = "" if answer.moment is None else answer.moment.local
    first = "  ".join(one for one in (answer.method, answer.line, when, answer.note) if one)
    parts = ["\n".join(one for one in (first, answer.headers, answer.body, answer.cut) if one)]
    if polls:
        lines = [f"{polls[0].method} {polls[0].line.rpartition(' → ')[0]}"]
        for raw in polls:
            named = [line for line in raw.headers.split("\n") if "trace" in line.partition(":")[0]]
            status = raw.line.rpartition(" → ")[2]
            when = "" if raw.moment is None else raw.moment.local
            said = (when, status, *named, raw.note, raw.body, raw.cut)
            lines.append("  ".join(one for one in said if one))
        parts.append("\n".join(lines))
    return Composed("\n\n".join(parts))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Polls in a row that said the same: the first, the last, and how many."""

    first: Poll
    last: Poll
    count: int


def stretches(polls: tuple[Poll, ...]) -> list[Stretch]:
    """Return polls with equal ones in a row taken together."""
    found: list[Stretch] = []
    for poll in polls:
        if found and _said(found[-1].first) == _said(poll):
            found[-1] = replace(found[-1], last=poll, count=found[-1].count + 1)
        else:
            found.append(Stretch(poll, poll, 1))
    return found


def _said(poll: Poll) -> tuple[str | None, str | None, str | None]:
    return poll.state, poll.word, poll.warning


def _poll_raw(stretch: Stretch, zone: Zone, w: Words) -> Raw:
    poll = stretch.first
    request = poll.exchange.get("request") or {}
    notes = [clip(poll.warning, 300)] if poll.warning else []
    if stretch.count > 1:
        notes.append(
            w("raw_repeated", times=thousands(stretch.count), at=zone.said(stretch.last.at))
        )
    answer = answer_raw(w("raw_status"), poll.exchange, zone, w, "; ".join(notes))
    status = answer.line if answer is not None else w("no_answer")
    return Raw(
        label=w("raw_status"),
        moment=zone.moment(poll.at),
        method=as_text(request.get("method")) or "GET",
        line=f"{cut_text(as_text(request.get('url')), w)[0]} → {status}",
        headers=answer.headers if answer is not None else header_lines(None),
        body=answer.body if answer is not None else "",
        cut=answer.cut if answer is not None else "",
        note="; ".join(notes),
    )
