"""Keep a log in the ledger: its bytes, its hash, and the job of each row."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook.cli.runs_lookup import find_run, runs_in
from runbook.cli.wiring import Root
from runbook.clock import parse_utc
from runbook.errors import UsageError
from runbook.ledger.handover_events import LogKept
from runbook.logs.read import read_log
from runbook.logs.rows import Earlier, JobSpan, attribute, fingerprint
from runbook.text import printable
from runbook.view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One log to be kept; `mapping` names columns of roles."""

    kind: str
    site: str
    source: str
    data: bytes
    mapping: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept, and the run as it is now; `known` says that it was in the ledger before."""

    event: LogKept
    known: bool
    view: RunView


def keep(root: Root, path: Path, run: str, fetched: list[Fetched]) -> list[Kept]:
    """Write every log that is not in the ledger yet, each after the ones before it.

    Raises:
        UsageError: a log cannot be read, or its site is none of the run.
        LedgerError: the ledger is not there, locked, damaged or altered.
    """
    kept = []
    with root.open_ledger(path, read_only=False) as ledger:
        for one in fetched:
            views = runs_in(root, ledger)
            view = find_run(views, run)
            event = log_kept(view, one, [pair for other in views for pair in other.logs])
            same = (event.log, event.site, event.sha256)
            known = [log for _, log in view.logs if (log.log, log.site, log.sha256) == same]
            if not known:
                ledger.append(event, run=view.id)
                view = find_run(runs_in(root, ledger), view.id)
            kept.append(Kept(event=known[0] if known else event, known=bool(known), view=view))
    return kept


def log_kept(view: RunView, one: Fetched, before: list[tuple[str, LogKept]]) -> LogKept:
    """Return the event that keeps a log with its rows attributed; pure.

    `before` are the logs of all runs that the ledger holds, each with the moment it was kept.

    Raises:
        UsageError: the log cannot be read, or its site is none of the run.
    """
    site = site_of(view, one.site)
    log = read_log(one.data, one.mapping)
    attribution = attribute(log, _spans(view, site), _earlier(before, one.kind, site))
    return LogKept(
        log=one.kind,
        site=site,
        source=printable(one.source),
        sha256=hashlib.sha256(one.data).hexdigest(),
        raw_bytes=len(one.data),
        raw_base64=base64.b64encode(one.data).decode("ascii"),
        columns=dict(log.roles),
        rows=len(log.rows),
        attribution=attribution.as_json(),
        notes=list(log.notes),
    )


def _spans(view: RunView, site: str) -> Iterator[JobSpan]:

    for job in view.jobs:
        if job.job.site == site and job.submitted_at is not None:
            yield JobSpan(
                id=job.id,
                destination=job.job.destination,
                submitted=parse_utc(job.submitted_at),
                ended=None if job.ended_at is None else parse_utc(job.ended_at),
            )


def _earlier(before: list[tuple[str, LogKept]], kind: str, site: str) -> Earlier:

    logs_before = [(at, log) for at, log in before if (log.log, log.site) == (kind, site)]
    if not logs_before:
        return Earlier()
    rows = (
        row for _, log in logs_before for row in read_log(base64.b64decode(log.raw_base64)).rows
    )
    return Earlier(
        at=max(parse_utc(at) for at, _ in logs_before),
        fingerprints=frozenset(map(fingerprint, rows)),
    )


def site_of(view: RunView, text: str) -> str:
    """Return the site of the run that `text` names, with or without `https://`.

    Raises:
        UsageError: no job of the run holds links there.
    """
    known = list(dict.fromkeys([job.job.site for job in view.jobs]))
    wanted = text.strip().rstrip("/").lower()
    for site in known:
        if wanted in (site.lower(), site.lower().removeprefix("https://")):
            return site
    raise UsageError(
        f"no job of run `{view.id}` works on `{printable(text)}`",
        hint=f"its sites are {', '.join(printable(site) for site in known)}",
    )


def totals(view: RunView) -> list[dict[str, Any]]:
    """Return for each job the rows of all kept audit logs beside what verification counted."""
    rows: dict[str, int] = {}
    for _, log in view.logs:
        if log.log == "audit":
            for job, count in log.attribution.get("jobs", {}).items():
                rows[job] = rows.get(job, 0) + count
    ended = [one.ended for one in view.verifications if one.ended is not None]
    verified = {one["id"]: one for one in ended[-1].jobs} if ended else {}
    return [
        {
            "id": job.id,
            "log_rows": rows.get(job.id, 0),
            "expected": verified.get(job.id, {}).get("expected"),
            "recreated": verified.get(job.id, {}).get("recreated"),
        }
        for job in view.jobs
    ]
