"""Who did what, when, where and with which tool; Atlassian's own logs; digests and how to check them."""

from collections.abc import Iterator
from datetime import datetime

from runbook.report.exchanges import as_text
from runbook.report.page import (
    Block,
    Bullets,
    Cell,
    Column,
    Facts,
    Heading,
    Link,
    Listing,
    Mono,
    Para,
    Row,
    Section,
    SignOff,
    Stack,
    Table,
    Text,
)
from runbook.report.states import is_preview, run_chip
from runbook.report.text import (
    DASH,
    SHORT,
    clip,
    sha256,
    shortened,
    site_label,
    thousands,
    web_address,
)
from runbook.report.timestamps import Zone
from runbook.report.translations import Words
from runbook.report.verdict import number
from runbook.view import RunView

SIGNATURES = ("consultant", "customer", "witness")

# Recomputes the chain with Python's standard library alone; ledger/codec.py is the same in this tool.
CHAIN_SCRIPT = """\
import hashlib, sqlite3, sys
before = "0" * 64
rows = sqlite3.connect(sys.argv[1]).execute(
    "SELECT seq, at, kind, run, job, payload, hash FROM event ORDER BY seq")
for seq, at, kind, run, job, payload, stored in rows:
    total = hashlib.sha256()
    for field in (before, str(seq), at, kind, run, job, payload):
        raw = b"" if field is None else field.encode()
        total.update(("-" if field is None else str(len(raw))).encode() + b":" + raw)
    if total.hexdigest() != stored:
        sys.exit(f"row {seq} is not as it was written")
    before = stored
    print(seq, stored)
"""


def logs_section(view: RunView, zone: Zone, w: Words) -> Section:
    """Return Atlassian's own logs that the ledger keeps."""
    if not view.logs:
        blocks: tuple[Block, ...] = (Para(text=w("logs_none"), tone="note"),)
        return Section(id="logs", title=w("h_logs"), short=w("s_logs"), blocks=blocks)
    columns = (
        Column(title=w("c_kind")),
        Column(title=w("c_site")),
        Column(title=w("c_when")),
        Column(title=w("c_source"), wide=True),
        Column(title=w("c_rows"), align="end"),
        Column(title=w("c_attributed"), wide=True),
    )
    rows = tuple(
        Row(
            cells=(
                Text(text=w.known("log", log.log)),
                Text(text=clip(site_label(log.site), 60)),
                zone.moment(at),
                Stack(
                    cells=(
                        Text(text=clip(log.source, 160), note=w.count("byte", log.raw_bytes)),
                        Mono(text=clip(log.sha256, 80)),
                    )
                ),
                number(log.rows),
                Text(
                    text=shortened(_attribution(log.attribution, w), 600)[0],
                    note=shortened(" · ".join(as_text(one) for one in log.notes), 600)[0],
                ),
            )
        )
        for at, log in view.logs
    )
    table = Table(id="logs-table", caption=w("cap_logs"), columns=columns, rows=rows, dense=True)
    blocks = (Para(text=w("logs_lead")), table)
    return Section(id="logs", title=w("h_logs"), short=w("s_logs"), blocks=blocks)


def _attribution(value: object, w: Words) -> str:
    if not isinstance(value, dict) or not value:
        return w("attribution_none")
    jobs = value.get("jobs")
    parts = jobs.items() if isinstance(jobs, dict) else value.items()
    said = [f"{clip(as_text(key), 60)}: {as_text(count)}" for key, count in parts]
    rest = [
        f"{clip(as_text(key), 60)}: {as_text(other)}"
        for key, other in value.items()
        if isinstance(jobs, dict) and key != "jobs"
    ]
    return "; ".join([*said, *rest])


def people_section(view: RunView, zone: Zone, w: Words) -> Section:
    """Return who did what, when, where, and with which version of the tool."""
    if is_preview(view):
        blocks: tuple[Block, ...] = (
            Para(text=w("people_preview", version=clip(view.started.tool_version, 40))),
        )
        return Section(id="people", title=w("h_people"), short=w("s_people"), blocks=blocks)
    started = view.started
    facts: list[tuple[str, Cell]] = [
        (w("f_operator"), Text(text=clip(view.operator, 160) or DASH)),
        (w("f_machine"), Text(text=clip(started.machine, 160) or DASH)),
        (w("f_version"), Text(text=f"runbook {clip(started.tool_version, 40)}")),
        (w("f_endpoint"), Text(text=clip(started.endpoint or w("endpoint_real"), 160))),
        (w("f_earlier"), Text(text=clip(", ".join(view.earlier_runs), 300) or w("earlier_none"))),
    ]
    columns = (
        Column(title=w("c_when")),
        Column(title=w("c_what")),
        Column(title=w("c_who")),
        Column(title=w("c_detail"), wide=True),
    )
    deeds = sorted(_deeds(view, w), key=lambda deed: deed[0])
    rows = tuple(
        Row(cells=(zone.moment(at), Text(text=what), Text(text=clip(who, 160) or DASH), detail))
        for at, what, who, detail in deeds
    )
    blocks = (
        Facts(items=tuple(facts)),
        Table(id="deeds", caption=w("cap_deeds"), columns=columns, rows=rows, dense=True),
        *_asked(view, zone, w),
    )
    return Section(id="people", title=w("h_people"), short=w("s_people"), blocks=blocks)


def _deeds(view: RunView, w: Words) -> Iterator[tuple[datetime, str, str, Cell]]:
    started = view.started
    yield (
        view.started_at,
        w("deed_started"),
        started.operator,
        Text(text=f"{clip(started.machine, 120)}, runbook {clip(started.tool_version, 40)}"),
    )
    for at, resumed in view.resumed:
        text = f"{clip(resumed.machine, 120)}, runbook {clip(resumed.tool_version, 40)}"
        yield at, w("deed_resumed"), resumed.operator, Text(text=text)
    for at, amended in view.amended:
        text = shortened("; ".join(as_text(one) for one in amended.difference), 600)[0]
        yield at, w("deed_amended"), "", Text(text=text, foreign=True)
    for at, opened in view.rounds:
        text = f"{clip(', '.join(opened.jobs), 200)}: {shortened(opened.reason, SHORT)[0]}"
        yield at, w("deed_round"), opened.by, Text(text=text)
    if view.stop is not None:
        at, stop = view.stop
        yield at, w("deed_stop"), stop.by, Text(text=shortened(stop.reason, SHORT)[0] or DASH)
    for job in view.jobs:
        for at, word in job.resolutions:
            said = w.known("word", word.resolution)
            text = f"{clip(job.id, 80)}: {said}"
            note = shortened(word.note, SHORT)[0]
            yield at, w("deed_resolved"), word.by, Text(text=text, note=note)
    for at, approval in view.approvals:
        evidence = approval.evidence or {}
        note = " ".join(
            clip(as_text(evidence.get(name)), 120) for name in ("path", "sha256") if evidence
        )
        text = w("approval_of", digest=clip(approval.jobs_digest, 16))
        yield at, w("deed_approved"), approval.by, Text(text=text, note=note)
    for verification in view.verifications:
        yield verification.at, w("deed_verified"), verification.started.operator, Text(text=DASH)
    for at, listing in view.listings:
        text = w.known("purpose", listing.purpose)
        yield at, w("deed_listed"), listing.operator, Text(text=text)
    if view.ended is not None and view.ended_at is not None:
        chip = run_chip(view.ended.state, w)
        text = w("deed_ended_as", state=chip.word, code=view.ended.exit_code)
        note = shortened(view.ended.detail, SHORT)[0]
        yield view.ended_at, w("deed_ended"), "", Text(text=text, note=note)


def _asked(view: RunView, zone: Zone, w: Words) -> Iterator[Block]:
    if not view.identified and not view.probed:
        return
    rows = [
        Row(
            cells=(
                zone.moment(at),
                Link(text=clip(one.site, 120), href=web_address(one.site)),
                Text(text=w("asked_site")),
                Mono(text=clip(one.site_id, 100)),
            )
        )
        for at, one in view.identified
    ]
    rows += [
        Row(
            cells=(
                zone.moment(at),
                Text(text=clip(one.account, 100), note=clip(one.email, 160)),
                Text(text=w("asked_account")),
                Text(text=f"HTTP {one.status}", note=_trace(one.exchange)),
            )
        )
        for at, one in view.probed
    ]
    columns = (
        Column(title=w("c_when")),
        Column(title=w("c_asked_whom"), wide=True),
        Column(title=w("c_what")),
        Column(title=w("c_answer")),
    )
    yield Heading(id="asked", text=w("h_asked"))
    yield Table(
        id="asked-table", caption=w("cap_asked"), columns=columns, rows=tuple(rows), dense=True
    )


def _trace(exchange: object) -> str:
    answer = exchange.get("answer") if isinstance(exchange, dict) else None
    headers = answer.get("headers") if isinstance(answer, dict) else None
    for pair in headers if isinstance(headers, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and "trace" in as_text(pair[0]).lower():
            return clip(f"{as_text(pair[0])}: {as_text(pair[1])}", 160)
    return ""


def digests_section(view: RunView, w: Words) -> Section:
    """Return the digests, how to check them without this tool, and what that does not prove."""
    preview = is_preview(view)
    facts: list[tuple[str, Cell]] = [
        (w("f_digest"), Mono(text=clip(view.digest, 80))),
        (w("f_jobs_digest"), Mono(text=clip(view.jobs_digest, 80))),
        (w("f_plan_sha"), Mono(text=sha256(view.plan_text))),
    ]
    if preview:
        blocks: tuple[Block, ...] = (Facts(items=tuple(facts)), Para(text=w("digests_preview")))
        return Section(id="digests", title=w("h_digests"), short=w("s_digests"), blocks=blocks)
    facts += [
        (w("f_run_id"), Mono(text=clip(view.id, 100))),
        (w("f_last_row"), Text(text=thousands(view.last_seq))),
        (w("f_head"), Mono(text=clip(view.last_hash, 80))),
    ]
    run = clip(view.id, 60)
    plan_file = (
        clip(view.started.plan_file.replace("\\", "/").rsplit("/", 1)[-1], 80) or "plan.yaml"
    )
    blocks = (
        Facts(items=tuple(facts)),
        Heading(id="check", text=w("h_check")),
        Para(text=w("check_lead")),
        Listing(
            label=w("check_tool"),
            text=f"runbook ledger verify --ledger runbook.ledger\nrunbook report {run} --ledger runbook.ledger -o again.html",
            copy=True,
        ),
        Listing(
            label=w("check_files"),
            text=f"sha256sum {_quoted(plan_file)}\nGet-FileHash -Algorithm SHA256 {_quoted(plan_file)}",
        ),
        Listing(label=w("check_script"), text=CHAIN_SCRIPT, copy=True),
        Para(text=w("check_compare", row=thousands(view.last_seq), hash=clip(view.last_hash, 80))),
        Heading(id="not-proven", text=w("h_not_proven")),
        Bullets(
            items=tuple(
                (w(f"np_{name}_t"), w(f"np_{name}"))
                for name in ("rewrite", "clock", "words", "complete", "outside")
            )
        ),
    )
    return Section(id="digests", title=w("h_digests"), short=w("s_digests"), blocks=blocks)


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").replace(".", "").isalnum() else "PLAN"


def signoff_section(view: RunView, zone: Zone, w: Words) -> Section:
    """Return approvals and the lines to sign on."""
    blocks: list[Block] = []
    if view.approvals:
        columns = (
            Column(title=w("c_when")),
            Column(title=w("c_who")),
            Column(title=w("c_approved"), wide=True),
            Column(title=w("c_evidence"), wide=True),
        )
        rows = []
        for at, approval in view.approvals:
            evidence = approval.evidence or {}
            shown: Cell = Text(text=DASH)
            if evidence:
                shown = Stack(
                    cells=(
                        Text(text=clip(as_text(evidence.get("path")), 160)),
                        Mono(text=clip(as_text(evidence.get("sha256")), 80)),
                    )
                )
            rows.append(
                Row(
                    cells=(
                        zone.moment(at),
                        Text(text=clip(approval.by, 160)),
                        Mono(text=clip(approval.jobs_digest, 80)),
                        shown,
                    )
                )
            )
        blocks.append(
            Table(
                id="approvals",
                caption=w("cap_approvals"),
                columns=columns,
                rows=tuple(rows),
                dense=True,
            )
        )
    else:
        blocks.append(Para(text=w("approvals_none"), tone="note"))
    blocks.append(Para(text=w("sign_lead_preview" if is_preview(view) else "sign_lead")))
    blocks.append(
        SignOff(
            columns=(w("sign_role"), w("sign_name"), w("sign_date"), w("sign_signature")),
            roles=tuple(w(f"sign_{role}") for role in SIGNATURES),
        )
    )
    return Section(id="sign-off", title=w("h_sign"), short=w("s_sign"), blocks=tuple(blocks))
