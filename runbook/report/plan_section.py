"""What the plan says: findings and who waived them, app-link attestations, evidence files."""

from runbook.ledger.events import Json
from runbook.plan.model import Instance, Plan
from runbook.report.exchanges import as_text
from runbook.report.page import (
    Block,
    Cell,
    Chip,
    Column,
    Heading,
    Link,
    Mono,
    Para,
    Row,
    Section,
    Stack,
    Table,
    Text,
)
from runbook.report.states import finding_chip, is_preview, noted, plain, sum_of
from runbook.report.text import DASH, anchor, clip, shortened, site_label
from runbook.report.timestamps import Zone
from runbook.report.translations import Words
from runbook.report.verdict import number
from runbook.view import RunView

SEVERITIES = ("error", "warning", "note", "waived")


def findings_section(view: RunView, w: Words) -> Section:
    """Return the findings of the last check, waived ones included, and their sum."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in view.findings:
        counts[_weight(finding)] = counts.get(_weight(finding), 0) + 1
    blocks: list[Block] = []
    if view.findings:
        blocks.append(
            sum_of(
                w("sum_findings"),
                [(finding_chip(name, w), count) for name, count in counts.items()],
                noun="finding",
                of="",
                w=w,
            )
        )
        blocks.append(_findings_table(view, w))
    else:
        blocks.append(Para(text=w("findings_none")))
    return Section(
        id="findings", title=w("h_findings"), short=w("s_findings"), blocks=tuple(blocks)
    )


def _weight(finding: Json) -> str:
    return "waived" if finding.get("waived") else as_text(finding.get("severity"))


def _findings_table(view: RunView, w: Words) -> Table:
    columns = (
        Column(title=w("c_weight")),
        Column(title=w("c_code")),
        Column(title=w("c_where")),
        Column(title=w("c_says"), wide=True),
        Column(title=w("c_waived")),
    )
    rows = []
    for finding in view.findings:
        waived = finding.get("waived")
        by: Cell = Text(text=DASH)
        if isinstance(waived, dict):
            by = Text(
                text=clip(as_text(waived.get("by")), 120) or w("waived_by_nobody"),
                note=shortened(as_text(waived.get("reason")), 300)[0],
            )
        place = clip(as_text(finding.get("path")), 120)
        line = as_text(finding.get("line"))
        rows.append(
            Row(
                cells=(
                    finding_chip(_weight(finding), w),
                    Mono(text=clip(as_text(finding.get("code")), 20), whole=True),
                    Text(
                        text=clip(as_text(finding.get("instance")), 80) or place or w("whole_plan"),
                        note=w("line", line=line) if line else "",
                    ),
                    Text(
                        text=shortened(as_text(finding.get("message")), 500)[0],
                        note=shortened(as_text(finding.get("hint")), 500)[0],
                        foreign=True,
                    ),
                    by,
                )
            )
        )
    return Table(
        id="findings-table",
        caption=w("cap_findings"),
        columns=columns,
        rows=tuple(rows),
        dense=True,
    )


def attestations_section(view: RunView, plan: Plan | None, zone: Zone, w: Words) -> Section:
    """Return who attests which app link, and the evidence files with their hashes."""
    blocks: list[Block] = [Para(text=w("attest_lead"), tone="note")]
    if plan is None:
        blocks.append(Para(text=w("plan_unreadable"), tone="warn"))
    else:
        recreate = [one for one in plan.instances if one.recreate_as_remote]
        if recreate:
            blocks.append(_attestations(recreate, view, zone, w))
        else:
            blocks.append(Para(text=w("attest_none")))
    if not is_preview(view):
        blocks.append(Heading(id="evidence", text=w("h_evidence")))
        blocks.append(_evidence(view, w))
    return Section(id="app-links", title=w("h_attest"), short=w("s_attest"), blocks=tuple(blocks))


def _attestations(instances: list[Instance], view: RunView, zone: Zone, w: Words) -> Table:
    hashes = {as_text(one.get("path")): as_text(one.get("sha256")) for one in view.evidence}
    columns = (
        Column(title=w("c_job")),
        Column(title=w("c_authorized")),
        Column(title=w("c_as")),
        Column(title=w("c_by")),
        Column(title=w("c_when")),
        Column(title=w("c_evidence"), wide=True),
    )
    rows = tuple(Row(cells=_attestation(one, hashes, zone, w)) for one in instances)
    return Table(id="attestations", caption=w("cap_attest"), columns=columns, rows=rows, dense=True)


def _attestation(
    instance: Instance, hashes: dict[str, str], zone: Zone, w: Words
) -> tuple[Cell, ...]:
    link = instance.app_link
    name: Cell = Link(
        text=clip(instance.id, 60),
        href=f"#{anchor('job', instance.id)}",
        note=f"{clip(site_label(instance.product_url), 40)} → {clip(site_label(instance.destination_url), 40)}",
    )
    if zone.lean:
        name = Text(text=clip(instance.id, 60))
    if link is None:
        dash = Text(text=DASH)
        chip = Chip(tone="unknown", symbol="?", word=w("attest_missing"))
        return name, chip, dash, dash, dash, dash
    chip = (
        Chip(tone="info", symbol="●", word=w("attest_yes"))
        if link.authorized
        else Chip(tone="bad", symbol="✕", word=w("attest_no"))
    )
    evidence: Cell = Text(text=w("no_evidence"))
    if link.evidence:
        digest = hashes.get(link.evidence)
        evidence = Stack(
            cells=(Text(text=clip(link.evidence, 120)), Mono(text=digest or w("hash_unknown")))
        )
    return (
        name,
        plain(chip, lean=zone.lean),
        Text(text=clip(link.as_account, 120) if link.as_account else w("not_said")),
        Text(text=clip(link.by, 120) if link.by else w("not_said")),
        zone.moment(link.at) if link.at else Text(text=w("not_said")),
        evidence,
    )


def _evidence(view: RunView, w: Words) -> Table | Para:
    if not view.evidence:
        return Para(text=w("evidence_none"))
    columns = (
        Column(title=w("c_file"), wide=True),
        Column(title=w("c_job")),
        Column(title=w("c_bytes"), align="end"),
        Column(title="SHA-256", wide=True),
    )
    rows = []
    for one in view.evidence:
        digest, size = as_text(one.get("sha256")), one.get("bytes")
        missing = noted(
            Chip(tone="bad", symbol="✕", word=w("evidence_absent")), w("evidence_absent_note"), w
        )
        rows.append(
            Row(
                cells=(
                    Text(text=clip(as_text(one.get("path")), 160)),
                    Text(text=clip(as_text(one.get("instance")), 60) or DASH),
                    number(size) if isinstance(size, int) else Text(text=DASH),
                    Mono(text=clip(digest, 80)) if digest else missing,
                )
            )
        )
    return Table(
        id="evidence-table",
        caption=w("cap_evidence"),
        columns=columns,
        rows=tuple(rows),
        dense=True,
    )
