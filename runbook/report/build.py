"""View -> page: everything the report says, in reading order.

Pure: no clock, no file, no network. The same view gives the same page on any machine; what is
"now" in the report is the ledger's last event of the run.
"""

import base64

from runbook.errors import UsageError
from runbook.plan.model import Plan
from runbook.report.data import embedded_json
from runbook.report.deadlines import deadlines_section, tokens_table, windows_table
from runbook.report.jobs_section import jobs_section
from runbook.report.matrix import matrix_section
from runbook.report.page import Block, Cell, Heading, Mono, Page, Para, Section, Text
from runbook.report.plan_section import attestations_section, findings_section
from runbook.report.planned import plan_of
from runbook.report.provenance import (
    digests_section,
    logs_section,
    people_section,
    signoff_section,
)
from runbook.report.states import is_preview
from runbook.report.text import DASH, Composed, clip
from runbook.report.timeline import evening_chart, windows_chart
from runbook.report.timestamps import Zone
from runbook.report.translations import Words, words_of
from runbook.report.verdict import done_section, unlooked_section, verdict, verification_cell
from runbook.report.verification import verification_section
from runbook.view import RunState, RunView

REFRESH_S = 5
# Beyond so many jobs the report says the same in fewer bytes (design 9: 1 000 jobs within 5 MB).
LEAN_JOBS = 150
LOGO_LIMIT_BYTES = 512_000


def build(view: RunView, *, lang: str = "en", logo: bytes | None = None) -> Page:
    """Return the page of a run, or of a plan that `planned_view` made look like one.

    `logo` holds the bytes of a PNG, JPEG or SVG file of at most 512 kB.

    Raises:
        UsageError: the language is not known, or the logo is no picture of these kinds.
    """
    w = words_of(lang)
    zone = Zone(view.started.zone_minutes, lean=len(view.jobs) > LEAN_JOBS)
    plan = plan_of(view)
    preview = is_preview(view)
    mark, mark_text = _mark(view, w)
    summary = (
        done_section(view, w),
        unlooked_section(view, w),
        deadlines_section(view, plan, zone, w),
    )
    sections = (
        matrix_section(view, w),
        _timeline_section(view, plan, zone, w),
        jobs_section(view, zone, w),
        findings_section(view, w),
        attestations_section(view, plan, zone, w),
        *(() if preview else (verification_section(view, zone, w), logs_section(view, zone, w))),
        people_section(view, zone, w),
        digests_section(view, w),
        signoff_section(view, zone, w),
    )
    return Page(
        lang=lang,
        title=clip(view.started.plan_name, 120),
        kind=w("kind_preview" if preview else "kind_report"),
        subtitle=_subtitle(plan),
        mark=mark,
        mark_text=mark_text,
        words=dict(w.texts),
        verdict=verdict(view, w),
        facts=tuple(_facts(view, plan, zone, w)),
        summary=summary,
        sections=sections,
        refresh_s=REFRESH_S if view.state is RunState.RUNNING and not preview else 0,
        footer=_footer(view),
        data=embedded_json(view),
        logo="" if logo is None else logo_uri(logo),
    )


def _mark(view: RunView, w: Words) -> tuple[str, str]:
    if is_preview(view):
        return w("mark_preview"), w("mark_preview_text")
    if view.started.rehearsal:
        return w("mark_rehearsal"), w("mark_rehearsal_text")
    return "", ""


def _subtitle(plan: Plan | None) -> str:
    if plan is None:
        return ""
    return " · ".join(clip(part, 120) for part in (plan.customer, plan.change) if part)


def _facts(view: RunView, plan: Plan | None, zone: Zone, w: Words) -> list[tuple[str, Cell]]:
    if is_preview(view):
        facts: list[tuple[str, Cell]] = [(w("f_judged"), zone.moment(view.last_at))]
    else:
        running = view.state is RunState.RUNNING
        ended: Cell = Text(text=w("not_ended_yet"))
        if view.ended_at:
            ended = zone.moment(view.ended_at)
        elif not running:
            ended = zone.moment(view.last_at, w("last_event"))
        facts = [
            (w("f_run_id"), Mono(text=clip(view.id, 60))),
            (w("f_operator"), Text(text=clip(view.operator, 80) or DASH)),
            (w("f_begun"), zone.moment(view.started_at)),
            (w("c_ended"), ended),
            (w("f_verification"), verification_cell(view, w)),
        ]
    if plan is not None and plan.cutover is not None:
        facts.append((w("f_cutover"), zone.moment(plan.cutover)))
    facts.append((w("f_jobs_digest"), Mono(text=clip(view.jobs_digest, 16))))
    return facts


def _timeline_section(view: RunView, plan: Plan | None, zone: Zone, w: Words) -> Section:
    charts = (windows_chart(view, zone, w), evening_chart(view, zone, w))
    blocks: list[Block] = [chart for chart in charts if chart is not None]
    if not blocks:
        blocks.append(Para(text=w("timeline_none"), tone="note"))
    blocks.append(Heading(id="all-clocks", text=w("h_all_clocks")))
    blocks.append(windows_table(view, zone, w))
    tokens = tokens_table(view, plan, w)
    if tokens is not None:
        blocks.append(tokens)
    return Section(
        id="timeline", title=w("h_timeline"), short=w("s_timeline"), blocks=tuple(blocks)
    )


def _footer(view: RunView) -> str:
    """Return the foot of every printed page: letters and digits only, so that it is safe in CSS."""
    safe = "".join(c for c in view.id[:40] if c.isascii() and (c.isalnum() or c in "-_."))
    chain = "".join(c for c in view.last_hash[:16] if c in "0123456789abcdef")
    parts = ["runbook", f"run {safe}" if not is_preview(view) else "preview"]
    return " / ".join([*parts, *([f"row {view.last_seq}, {chain}"] if chain else [])])


def logo_uri(logo: bytes) -> str:
    """Return a picture as a `data:` address.

    Raises:
        UsageError: the bytes are no PNG, JPEG or SVG, or too many.
    """
    if len(logo) > LOGO_LIMIT_BYTES:
        raise UsageError(
            f"the logo has {len(logo)} bytes, more than {LOGO_LIMIT_BYTES}",
            hint="save it smaller: 600 pixels wide is plenty",
        )
    start = logo[:1024].lstrip().lower()
    if logo.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "image/png"
    elif logo.startswith(b"\xff\xd8\xff"):
        kind = "image/jpeg"
    elif (
        start.startswith((b"<svg", b"<?xml", b"<!--", b"\xef\xbb\xbf<")) and b"<svg" in logo.lower()
    ):
        kind = "image/svg+xml"
    else:
        raise UsageError("the logo is neither PNG, JPEG nor SVG", hint="convert it to one of these")
    return Composed(f"data:{kind};base64,{base64.b64encode(logo).decode('ascii')}")
