"""The run as JSON: what `report --format json` prints and what the page carries inside itself."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from runbook.clock import isoformat_utc
from runbook.ledger.events import Json
from runbook.report.exchanges import stretches
from runbook.report.text import LONG, sha256
from runbook.view import JobView, RunView, Verification, Write
from runbook.view.model import time_text

# Beyond these the page leaves out of its data what it shows as text anyway, and says so there.
WHOLE_JOBS = 60
WHOLE_FINDINGS = 1_500
PLAN_KEPT = 60_000


def report_json(view: RunView) -> Json:
    """Return everything the report says of a run: `status` as it is, and the rest beside it."""
    return _document(view, whole=True)


def embedded_json(view: RunView) -> str:
    """Return the data that the page carries, as ASCII that is inert inside a `script` element.

    Long lists that the page shows as text are left out and named in `left_out`. A text that is too
    long for the page stands once in `long_texts`, under its SHA-256, and is named by it elsewhere.
    """
    found = sum(len(verification.findings) for verification in view.verifications)
    whole = len(view.jobs) <= WHOLE_JOBS and found <= WHOLE_FINDINGS
    long_texts: dict[str, str] = {}
    document = {
        name: value if name == "plan_text" else _with_long_texts(value, long_texts)
        for name, value in _document(view, whole=whole).items()
    }
    if not whole:
        for verification in document["verifications"]:
            if verification["ended"] is not None:
                verification["ended"] |= {"jobs": "see the page", "pairs": "see the page"}
        where = "shown in the page; complete in the ledger and in `runbook report --format json`"
        document["left_out"] = {"exchanges": where, "verification_findings": f"{found}, {where}"}
        if len(view.plan_text) > PLAN_KEPT:
            document["plan_text"] = None
            document["left_out"]["plan_text"] = f"SHA-256 {sha256(view.plan_text)}; in the ledger"
        for job in view.jobs:
            _with_long_texts([_fields(submission) for submission in job.sent], long_texts)
            _with_long_texts([poll.exchange for poll in job.polls], long_texts)
    document["long_texts"] = long_texts
    text = json.dumps(document, ensure_ascii=True, sort_keys=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _with_long_texts(value: Any, kept: dict[str, str]) -> Any:
    """Return a JSON value with every overlong text replaced by its hash, and keep the text."""
    match value:
        case str() if len(value) > LONG:
            return {"long_text": _kept(value, kept)}
        case dict():
            return {
                key if len(key) <= LONG else f"long_text {_kept(key, kept)}": _with_long_texts(
                    member, kept
                )
                for key, member in value.items()
            }
        case list() | tuple():
            return [_with_long_texts(member, kept) for member in value]
        case _:
            return value


def _kept(text: str, kept: dict[str, str]) -> str:
    digest = sha256(text)
    kept[digest] = text
    return digest


def _document(view: RunView, *, whole: bool) -> Json:
    started = view.started
    status = view.as_json()
    amended = ("difference", "digest", "jobs_digest")
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
            "last_at": isoformat_utc(view.last_at),
        },
        "counts": status["counts"],
        "jobs": [_job(job, whole=whole) for job in view.jobs],
        "findings": list(view.findings),
        "evidence": list(view.evidence),
        "site_ids": view.site_ids,
        "identified": _events(view.identified, whole=whole),
        "accounts": _events(view.probed, whole=whole),
        "resumed": _events(view.resumed, whole=False, leave=("findings",)),
        "amended": [
            {"at": isoformat_utc(at), **{name: getattr(event, name) for name in amended}}
            for at, event in view.amended
        ],
        "rounds": _events(view.rounds),
        "stop": None if view.stop is None else _event(*view.stop),
        "ended": None
        if view.ended is None or view.ended_at is None
        else _event(view.ended_at, view.ended),
        "approvals": _events(view.approvals),
        "logs": _events(view.logs, leave=("raw_base64",)),
        "verifications": [_verification(found, whole=whole) for found in view.verifications],
        "listings": _events(view.listings) if whole else len(view.listings),
        "writes": [_begun_and_ended(write, write.intended) for write in view.writes]
        if whole
        else len(view.writes),
        "plan_text": view.plan_text,
    }


def _fields(value: Any, *, whole: bool = True, leave: tuple[str, ...] = ()) -> Json:
    """Return the fields of an event or a value by name, without exchanges unless all is wanted."""
    left = leave if whole else (*leave, "exchange", "exchanges", "request")
    fields = {
        name: getattr(value, name)
        for name in value.__dataclass_fields__
        if name not in left and name != "KIND"
    }
    return {
        name: isoformat_utc(field) if isinstance(field, datetime) else field
        for name, field in fields.items()
    }


def _event(at: datetime, event: Any, *, whole: bool = True, leave: tuple[str, ...] = ()) -> Json:
    return {"at": isoformat_utc(at), **_fields(event, whole=whole, leave=leave)}


def _events(
    events: Iterable[tuple[datetime, Any]], *, whole: bool = True, leave: tuple[str, ...] = ()
) -> list[Json]:
    return [_event(at, event, whole=whole, leave=leave) for at, event in events]


def _begun_and_ended(value: Verification | Write, begin: Any) -> Json:
    return {
        **_event(value.at, begin),
        "ended_at": time_text(value.ended_at),
        "ended": None if value.ended is None else _fields(value.ended),
    }


def _verification(verification: Verification, *, whole: bool) -> Json:
    found = verification.findings
    return {
        **_begun_and_ended(verification, verification.started),
        "findings": list(found) if whole else len(found),
    }


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
        "windows": [pair.as_json() for pair in job.windows],
        "transitions": [[isoformat_utc(at), state] for at, state in job.transitions],
        "sent": [_fields(submission) for submission in job.sent],
        "polls": [
            {
                **_fields(stretch.first),
                "repeated": stretch.count,
                "until": isoformat_utc(stretch.last.at),
            }
            for stretch in stretches(job.polls)
        ],
        "poll_count": job.poll_count,
        "probes": _events(job.probes),
        "resolutions": _events(job.resolutions),
    }
