"""Who did what and when, what Atlassian's own logs say, and how to check digests without this tool."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from runbook.report.exchanges import as_text
from runbook.report.facts import ReportFacts
from runbook.report.text import DASH, SHORT, clip, shortened
from runbook.report.translations import Words


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person or the tool did; `foreign` marks a detail that is always English."""

    at: datetime
    what: str
    who: str
    detail: str
    note: str = ""
    foreign: bool = False


def deeds(facts: ReportFacts) -> list[Deed]:
    """Return who did what, when, in the order of time."""
    return sorted(_deeds(facts), key=lambda deed: deed.at)


def _deeds(facts: ReportFacts) -> Iterator[Deed]:
    view, w, started = facts.view, facts.w, facts.view.started
    where = _where(started.machine, started.tool_version)
    yield Deed(view.started_at, w("deed_started"), started.operator, where)
    for at, resumed in view.resumed:
        where = _where(resumed.machine, resumed.tool_version)
        yield Deed(at, w("deed_resumed"), resumed.operator, where)
    for at, amended in view.amended:
        text = shortened("; ".join(map(as_text, amended.difference)), 600)[0]
        yield Deed(at, w("deed_amended"), "", text, foreign=True)
    for at, opened in view.rounds:
        text = f"{clip(', '.join(opened.jobs), 200)}: {shortened(opened.reason, SHORT)[0]}"
        yield Deed(at, w("deed_round"), opened.by, text)
    if view.stop is not None:
        at, stop = view.stop
        yield Deed(at, w("deed_stop"), stop.by, shortened(stop.reason, SHORT)[0] or DASH)
    for job in view.jobs:
        for at, word in job.resolutions:
            text = f"{clip(job.id, 80)}: {w.known('word', word.resolution)}"
            yield Deed(at, w("deed_resolved"), word.by, text, shortened(word.note, SHORT)[0])
    for at, approval in view.approvals:
        evidence = approval.evidence or {}
        names = ("path", "sha256") if evidence else ()
        note = " ".join(clip(as_text(evidence.get(name)), 120) for name in names)
        text = w("approval_of", digest=clip(approval.jobs_digest, 16))
        yield Deed(at, w("deed_approved"), approval.by, text, note)
    for verification in view.verifications:
        yield Deed(verification.at, w("deed_verified"), verification.started.operator, DASH)
    for at, listing in view.listings:
        text = w.known("purpose", listing.purpose)
        yield Deed(at, w("deed_listed"), listing.operator, text)
    if view.ended is not None and view.ended_at is not None:
        state = facts.chips.run(view.ended.state).word
        text = w("deed_ended_as", state=state, code=view.ended.exit_code)
        note = shortened(view.ended.detail, SHORT)[0]
        yield Deed(view.ended_at, w("deed_ended"), "", text, note)


def _where(machine: str, version: str) -> str:
    return f"{clip(machine, 120)}, runbook {clip(version, 40)}"


def attribution(value: object, w: Words) -> str:
    """Return to which jobs the rows of a log were attributed, in one text."""
    if not isinstance(value, dict) or not value:
        return w("attribution_none")
    jobs = value.get("jobs")
    parts = list(value.items())
    if isinstance(jobs, dict):
        parts = [*jobs.items(), *((key, rows) for key, rows in parts if key != "jobs")]
    said = "; ".join(f"{clip(as_text(key), 60)}: {as_text(rows)}" for key, rows in parts)
    return shortened(said, 600)[0]


def trace_of(exchange: object) -> str:
    """Return the header by which Atlassian finds a request again, empty without one."""
    answer = exchange.get("answer") if isinstance(exchange, dict) else None
    headers = answer.get("headers") if isinstance(answer, dict) else None
    for pair in headers if isinstance(headers, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and "trace" in as_text(pair[0]).lower():
            return clip(f"{as_text(pair[0])}: {as_text(pair[1])}", 160)
    return ""


def plan_file_name(path: str) -> str:
    """Return the name of the plan's file for a shell, or `PLAN` where it would need quoting."""
    name = clip(path.replace("\\", "/").rsplit("/", 1)[-1], 80) or "plan.yaml"
    return name if name.translate(_HARMLESS).isalnum() else "PLAN"


_HARMLESS = str.maketrans("", "", "-_.")
