"""What arrived against what was expected, and what was written to put it right."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from runbook.ledger.events import Json
from runbook.report.deadlines import job_cell
from runbook.report.drawing import bars_drawings
from runbook.report.exchanges import as_text
from runbook.report.link_cells import arrow, issue_cell, target_cell
from runbook.report.page import (
    Block,
    Cell,
    Chart,
    Chip,
    Column,
    Facts,
    Group,
    Groups,
    Heading,
    Mono,
    Para,
    Row,
    Section,
    Stack,
    Sum,
    Table,
    Text,
)
from runbook.report.states import (
    KINDS,
    KINDS_BESIDE,
    is_clean,
    kind_chip,
    plain,
    sum_of,
    verification_chip,
)
from runbook.report.text import (
    DASH,
    Composed,
    clip,
    shortened,
    site_label,
    thousands,
)
from runbook.report.timestamps import Zone
from runbook.report.translations import Words
from runbook.report.verdict import last_verification, number
from runbook.report.writes import TABLE_ROWS, writes_blocks
from runbook.view import RunView, Verification

# Longer lists are written close together, so that the file stays one that a browser opens at once.
GROUPS_BY_DETAIL = 2_000
SHORT_FROM = 20_000
BARS_DRAWN = 84


def kinds_sum(one: Verification, w: Words, *, clean: bool) -> Sum:
    """Return what became of all expected links of a verification; the kinds add up to them."""
    totals = {kind: _total(one, kind) for kind in KINDS}
    return sum_of(
        w("sum_links"),
        [(kind_chip(kind, w, clean=clean), count) for kind, count in totals.items()],
        noun="link",
        of=w("of_the_expected"),
        w=w,
    )


def _total(one: Verification, kind: str) -> int:
    return 0 if one.ended is None else sum(_int(job.get(kind)) for job in one.ended.jobs)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def verification_section(view: RunView, zone: Zone, w: Words) -> Section:
    """Return the verifications of a run: the last one whole, earlier ones by their result."""
    blocks: list[Block] = []
    one = last_verification(view)
    if one is None:
        blocks.append(Para(text=w("verification_absent"), tone="warn"))
    else:
        blocks += _verification_blocks(one, view, zone, w)
    if len(view.verifications) > 1 or (view.verifications and one is None):
        blocks.append(Heading(id="verifications", text=w("h_verifications")))
        blocks.append(_history(view, zone, w))
    blocks += writes_blocks(view, zone, w)
    return Section(
        id="verification",
        title=w("h_verification"),
        short=w("s_verification"),
        blocks=tuple(blocks),
    )


def _verification_blocks(one: Verification, view: RunView, zone: Zone, w: Words) -> list[Block]:
    clean = is_clean(view)
    blocks: list[Block] = [Facts(items=tuple(_facts(one, view, zone, w)))]
    if one.ended is not None and one.ended.result != view.verification:
        blocks.append(Para(text=w("verification_outdated"), tone="warn"))
    blocks.append(kinds_sum(one, w, clean=clean))
    pairs = _pairs(one, clean=clean)
    title = w("chart_bars")
    if len(pairs) > BARS_DRAWN:
        # The worst first; the table below holds all of them.
        pairs = sorted(pairs, key=lambda pair: -sum(count for _, count in pair[2][1:]))[:BARS_DRAWN]
        title = f"{title}: {w('chart_bars_worst', drawn=BARS_DRAWN)}"
    if pairs:
        key = [
            ("bar-good" if clean else "bar-info", w("key_arrived")),
            ("bar-bad", w("key_differs")),
            ("bar-warn", w("key_absent")),
            ("bar-unknown", w("key_unlooked")),
        ]
        blocks.append(Chart(title=title, key=tuple(key), drawings=bars_drawings(pairs, w)))
    blocks.append(_kinds_table(one, w, lean=zone.lean))
    blocks += [
        Para(text=shortened(as_text(note), 600)[0], tone="note")
        for note in (one.ended.notes if one.ended is not None else [])
    ]
    blocks.append(Heading(id="findings-of-links", text=w("h_link_findings")))
    blocks += _finding_blocks(one, view, w, clean=clean)
    return blocks


def _facts(one: Verification, view: RunView, zone: Zone, w: Words) -> Iterable[tuple[str, Cell]]:
    ended = one.ended
    yield (
        w("f_result"),
        verification_chip(ended.result if ended else view.verification, w, clean=is_clean(view)),
    )
    yield w("f_begun"), zone.moment(one.at)
    if one.ended_at:
        yield w("c_ended"), zone.moment(one.ended_at)
    yield w("c_by"), Text(text=clip(one.started.operator, 120) or DASH)
    for name in ("expected", "before", "after"):
        source = getattr(one.started, name)
        cell: Cell = Text(text=w("not_given"))
        if isinstance(source, dict):
            cell = Stack(
                cells=(
                    Text(text=clip(as_text(source.get("file")), 160)),
                    Mono(text=clip(as_text(source.get("sha256")), 80)),
                )
            )
        yield w(f"f_{name}"), cell
    if ended is not None and ended.sample is not None:
        yield w("f_sample"), Text(text=shortened(as_text(ended.sample), 300)[0])


def _pairs(one: Verification, *, clean: bool) -> list[tuple[str, int, tuple[tuple[str, int], ...]]]:
    found = []
    for pair in one.ended.pairs if one.ended is not None else []:
        name = f"{site_label(as_text(pair.get('from')))} → {site_label(as_text(pair.get('to')))}"
        expected = _int(pair.get("expected"))
        counts = {kind: _int(pair.get(kind)) for kind in KINDS}
        arrived = counts["recreated"] + counts["satisfied_otherwise"] + counts["wrong_type"]
        differs = counts["missing"] + counts["wrong_target"] + counts["old_url"]
        absent = counts["source_absent"] + counts["target_absent"] + counts["removed_since"]
        rest = max(expected - arrived - differs - absent, 0)
        tones = ("good" if clean else "info", "bad", "warn", "unknown")
        found.append(
            (name, expected, tuple(zip(tones, (arrived, differs, absent, rest), strict=True)))
        )
    return found


def _kinds_table(one: Verification, w: Words, *, lean: bool) -> Table:
    jobs = one.ended.jobs if one.ended is not None else []
    shown = [kind for kind in KINDS if kind in ("recreated", "missing") or _total(one, kind)]
    beside = [kind for kind in KINDS_BESIDE if _total(one, kind)]
    columns = (
        Column(title=w("c_job")),
        Column(title=w("c_expected"), align="end"),
        *(Column(title=_head(kind, w), align="end") for kind in shown),
        Column(title=w("c_adds_up")),
        *(
            Column(title=f"{w('c_beside')} {kind_chip(kind, w).word}", align="end")
            for kind in beside
        ),
    )

    def cells(name: Cell, counts: Json) -> tuple[Cell, ...]:
        expected = _int(counts.get("expected"))
        whole = sum(_int(counts.get(kind)) for kind in KINDS)
        return (
            name,
            number(expected, strong=True),
            *(number(_int(counts.get(kind))) for kind in shown),
            plain(_adds_up(whole, expected, w), lean=lean and whole == expected),
            *(number(_int(counts.get(kind))) for kind in beside),
        )

    rows = tuple(Row(cells=cells(_job_name(job.get("id"), w, lean=lean), job)) for job in jobs)
    everything = {kind: _total(one, kind) for kind in ("expected", *KINDS, *KINDS_BESIDE)}
    total = cells(Text(text=w("total"), strong=True), everything)
    return Table(
        id="kinds", caption=w("cap_kinds"), columns=columns, rows=rows, total=total, dense=True
    )


def _head(kind: str, w: Words) -> str:
    """Return a kind as the head of a narrow column: a long word says where it may be divided."""
    return w.texts.get(f"head_{kind}") or kind_chip(kind, w).word


def _job_name(job: object, w: Words, *, lean: bool) -> Cell:
    if not job:
        return Text(text=w("no_job_name"))
    return job_cell(as_text(job), lean=lean)


def _adds_up(whole: int, expected: int, w: Words) -> Chip:
    if whole == expected:
        return Chip(tone="neutral", symbol="=", word=w("adds_up"))
    return Chip(tone="bad", symbol="≠", word=w("adds_up_not", sum=thousands(whole)))


def _finding_blocks(one: Verification, view: RunView, w: Words, *, clean: bool) -> list[Block]:
    if not one.findings:
        return [Para(text=w("link_findings_none"))]
    lead = Para(text=w.plural("link_findings_lead", len(one.findings)))
    if len(one.findings) <= TABLE_ROWS:
        return [lead, _findings_table(one.findings, w, clean=clean)]
    return [lead, *_grouped(one.findings, view, w, clean=clean)]


def _findings_table(findings: Sequence[Json], w: Words, *, clean: bool) -> Table:
    columns = (
        Column(title=w("c_kind")),
        Column(title=w("c_job")),
        Column(title=w("c_issue")),
        Column(title=w("c_target"), wide=True),
        Column(title=w("c_link_id")),
        Column(title=w("c_detail"), wide=True),
    )
    kinds: dict[str, str] = {}
    rows = []
    for finding in findings:
        kind = as_text(finding.get("kind"))
        chip = kind_chip(kind, w, clean=clean)
        kinds[clip(kind, 40)] = chip.word
        rows.append(
            Row(
                cells=(
                    chip,
                    Text(text=clip(as_text(finding.get("job")), 60) or w("no_job_name")),
                    issue_cell(finding),
                    target_cell(finding),
                    Text(text=clip(as_text(finding.get("link_id")), 40) or DASH),
                    Text(text=clip(as_text(finding.get("detail")), 240), foreign=True),
                ),
                state=clip(kind, 40),
            )
        )
    return Table(
        id="link-findings",
        caption=w("cap_link_findings"),
        columns=columns,
        rows=tuple(rows),
        tools=True,
        states=tuple(kinds.items()),
        dense=True,
    )


def _grouped(findings: Sequence[Json], view: RunView, w: Words, *, clean: bool) -> list[Block]:
    bases = {job.id: job.job.destination for job in view.jobs}
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for finding in findings:
        groups[tuple(as_text(finding.get(name)) for name in ("job", "kind", "detail"))].append(
            arrow(finding, bases)
        )
    detailed = len(groups) <= GROUPS_BY_DETAIL
    if not detailed:
        merged: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for (job, kind, _), lines in groups.items():
            merged[job, kind, ""].extend(lines)
        groups = merged
    made = tuple(
        Group(
            title=clip(job, 80) or w("no_job_name"),
            chip=kind_chip(kind, w, clean=clean),
            note=clip(detail, 300),
            note_cut="",
            lines=_close_lines(lines, w, short=len(findings) > SHORT_FROM),
        )
        for (job, kind, detail), lines in groups.items()
    )
    key = "grouped_lead" if detailed else "grouped_lead_bare"
    said = w(key)
    if len(findings) > SHORT_FROM:
        said = f"{said} {w('grouped_short')}"
    return [Para(text=said, tone="note"), Groups(groups=made)]


def _close_lines(arrows: list[str], w: Words, *, short: bool) -> tuple[tuple[str, str], ...]:
    """Return statements `issue→target` as one text; `short` writes a pair of projects only once."""
    count = w.count("link", len(arrows))
    if not short:
        return ((count, Composed("  ".join(arrows))),)
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in arrows:
        issue, _, target = one.partition("→")
        (source, _, here), (other, _, there) = issue.rpartition("-"), target.rpartition("-")
        numbers = here.isdecimal() and there.isdecimal() and "/" not in other
        pairs[(source, other) if numbers else ("", "")].append(
            f"{here}:{there}" if numbers else one
        )
    text = "\n".join(
        (f"{source}-… : {other}-…  " if source else "") + " ".join(lines)
        for (source, other), lines in pairs.items()
    )
    return ((count, Composed(text)),)


def _history(view: RunView, zone: Zone, w: Words) -> Table:
    rows = []
    for one in view.verifications:
        ended = one.ended
        rows.append(
            Row(
                cells=(
                    zone.moment(one.at),
                    Text(text=clip(one.started.operator, 80) or DASH),
                    verification_chip(ended.result, w, clean=is_clean(view))
                    if ended is not None
                    else Chip(tone="unknown", symbol="?", word=w("not_ended")),
                    number(_total(one, "expected")),
                    number(sum(_total(one, k) for k in ("missing", "wrong_target", "old_url"))),
                    number(len(one.findings)),
                )
            )
        )
    columns = (
        Column(title=w("c_when")),
        Column(title=w("c_by")),
        Column(title=w("f_result")),
        Column(title=w("c_expected"), align="end"),
        Column(title=w("c_differing"), align="end"),
        Column(title=w("c_findings"), align="end"),
    )
    return Table(
        id="verification-history", caption=w("cap_verifications"), columns=columns, rows=tuple(rows)
    )
