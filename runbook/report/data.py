"""The run as JSON: what `report --format json` prints and what the page carries inside itself."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from runbook.clock import isoformat_utc
from runbook.ledger.events import Json
from runbook.report.jobs_section import stretches
from runbook.report.text import LONG, sha256
from runbook.view import JobView, RunView, Submission, Verification
from runbook.windows import Pair

# Beyond these the page leaves out of its data what it shows as text anyway, and says so there.
WHOLE_JOBS = 60
WHOLE_FINDINGS = 1_500
PLAN_KEPT = 60_000


def report_json(view: RunView) -> Json:
    """Return everything the report says of a run: `status` as it is, and the rest beside it."""
    document: Json = _in_json(_document(view, whole=True))
    return document


def embedded_json(view: RunView) -> str:
    """Return the data that the page carries, as ASCII that is inert inside a `script` element.

    Long lists that the page shows as text are left out and named in `left_out`. A text that is too
    long for the page stands once in `long_texts`, under its SHA-256, and is named by it elsewhere.
    """
    found = sum(len(one.findings) for one in view.verifications)
    whole = len(view.jobs) <= WHOLE_JOBS and found <= WHOLE_FINDINGS
    long_texts: dict[str, str] = {}
    document = {
        name: value if name == "plan_text" else _with_long_texts(value, long_texts)
        for name, value in _in_json(_document(view, whole=whole)).items()
    }
    if not whole:
        for one in document["verifications"]:
            if isinstance(one.get("ended"), dict):
                one["ended"] = {**one["ended"], "jobs": "see the page", "pairs": "see the page"}
        where = "shown in the page; complete in the ledger and in `runbook report --format json`"
        document["left_out"] = {"exchanges": where, "verification_findings": f"{found}, {where}"}
        if len(view.plan_text) > PLAN_KEPT:
            document["plan_text"] = None
            document["left_out"]["plan_text"] = f"SHA-256 {sha256(view.plan_text)}; in the ledger"
        for job in view.jobs:
            _with_long_texts(_in_json([_submission(one) for one in job.sent]), long_texts)
            _with_long_texts([poll.exchange for poll in job.polls], long_texts)
    document["long_texts"] = long_texts
    text = json.dumps(document, ensure_ascii=True, sort_keys=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _in_json(value: Any) -> Any:
    """Return a value with every moment and pair of waves as JSON writes it."""
    match value:
        case datetime():
            return isoformat_utc(value)
        case Pair():
            return value.as_json()
        case dict():
            return {name: _in_json(member) for name, member in value.items()}
        case list() | tuple():
            return [_in_json(member) for member in value]
        case _:
            return value


def _with_long_texts(value: Any, kept: dict[str, str]) -> Any:
    """Return a JSON value with every overlong text replaced by its hash, and keep the text."""
    match value:
        case str():
            if len(value) <= LONG:
                return value
            kept[sha256(value)] = value
            return {"long_text": sha256(value)}
        case dict():
            return {
                key if len(key) <= LONG else f"long_text {_kept(key, kept)}": _with_long_texts(
                    one, kept
                )
                for key, one in value.items()
            }
        case list() | tuple():
            return [_with_long_texts(one, kept) for one in value]
        case _:
            return value


def _kept(text: str, kept: dict[str, str]) -> str:
    digest = sha256(text)
    kept[digest] = text
    return digest


def _document(view: RunView, *, whole: bool) -> Json:
    started = view.started
    status = view.as_json()
    return {
        "format": 1,
        "run": {
            **status["run"],
            "rehearsal": started.rehearsal,
            "plan_file": started.plan_file,
            "machine": started.machine,
            "tool_version": started.tool_version,
            "zone_minutes": started.zone_minutes,
            "endpoint": started.endpoint,
            "earlier_runs": list(view.earlier_runs),
            "last_row": view.last_seq,
            "last_hash": view.last_hash,
            "last_at": view.last_at,
        },
        "counts": status["counts"],
        "jobs": [_job(job, whole=whole) for job in view.jobs],
        "findings": list(view.findings),
        "evidence": list(view.evidence),
        "site_ids": view.site_ids,
        "identified": [_event(at, one, whole=whole) for at, one in view.identified],
        "accounts": [_event(at, one, whole=whole) for at, one in view.probed],
        "resumed": [_event(at, one, whole=False, leave=("findings",)) for at, one in view.resumed],
        "amended": [
            {
                "at": at,
                "difference": one.difference,
                "digest": one.digest,
                "jobs_digest": one.jobs_digest,
            }
            for at, one in view.amended
        ],
        "rounds": [_event(at, one, whole=True) for at, one in view.rounds],
        "stop": None if view.stop is None else _event(view.stop[0], view.stop[1], whole=True),
        "ended": None if view.ended is None else _event(view.ended_at, view.ended, whole=True),
        "approvals": [_event(at, one, whole=True) for at, one in view.approvals],
        "logs": [_event(at, one, whole=True, leave=("raw_base64",)) for at, one in view.logs],
        "verifications": [_verification(one, whole=whole) for one in view.verifications],
        "listings": [_event(at, one, whole=True) for at, one in view.listings]
        if whole
        else len(view.listings),
        "writes": [
            {
                "at": one.at,
                **_values(one.intended, whole),
                "ended_at": one.ended_at,
                "ended": None if one.ended is None else _values(one.ended, whole),
            }
            for one in view.writes
        ]
        if whole
        else len(view.writes),
        "plan_text": view.plan_text,
    }


def _values(event: Any, whole: bool, leave: tuple[str, ...] = ()) -> Json:
    dropped = leave if whole else (*leave, "exchange", "exchanges", "request")
    return {
        name: getattr(event, name)
        for name in event.__dataclass_fields__
        if name not in dropped and name != "KIND"
    }


def _event(at: datetime | None, event: Any, *, whole: bool, leave: tuple[str, ...] = ()) -> Json:
    return {"at": at, **_values(event, whole, leave)}


def _job(job: JobView, *, whole: bool) -> Json:
    value = {**job.as_json(), "order": job.job.order, "destination": job.job.destination}
    if not whole:
        return value
    return {
        **value,
        "needs": list(job.job.needs),
        "account": job.job.account,
        "why": job.why,
        "request": {"method": job.job.method, "url": job.job.url, "body": dict(job.job.body)},
        "windows": list(job.windows),
        "transitions": [list(one) for one in job.transitions],
        "sent": [_submission(one) for one in job.sent],
        "polls": [
            {**asdict(stretch.first), "repeated": stretch.count, "until": stretch.last.at}
            for stretch in stretches(job.polls)
        ],
        "poll_count": job.poll_count,
        "probes": [_event(at, one, whole=True) for at, one in job.probes],
        "resolutions": [_event(at, one, whole=True) for at, one in job.resolutions],
    }


def _submission(one: Submission) -> Json:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def _verification(one: Verification, *, whole: bool) -> Json:
    value: Json = {
        "at": one.at,
        **_values(one.started, whole=True),
        "ended_at": one.ended_at,
        "ended": None if one.ended is None else _values(one.ended, whole=True),
    }
    value["findings"] = list(one.findings) if whole else len(one.findings)
    return value
