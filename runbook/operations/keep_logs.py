"""Keep a log in the ledger: its bytes, its hash, and the job of each row."""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runbook.errors import UsageError
from runbook.jobs import CmaJob
from runbook.ledger.events.handover import LogKept
from runbook.ledger.events.kinds import LogKind
from runbook.logs.fetch import BY_HAND, download, filled
from runbook.logs.read import JobSpan, attribute, fingerprint, read_log
from runbook.operations.find_run import find_run, read_runs, runs_in
from runbook.operations.root import NetworkOptions, Root, read_whole
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.text import printable
from runbook.view import JobView, RunView

KINDS: tuple[LogKind, ...] = ("audit", "history")
LIMIT_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedLog:
    """One log to be kept; `mapping` names columns of roles."""

    kind: LogKind
    site: str
    source: str
    data: bytes
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLog:
    """A log in the ledger, and the run after it; `known` means that the ledger had the log before."""

    event: LogKept
    known: bool
    view: RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Which file is kept with which run; `mapping` names the columns of roles."""

    run: str
    file: Path
    kind: LogKind
    site: str
    mapping: Mapping[str, str]
    output_format: str
    ledger_file: Path | None


def import_log(root: Root, options: ImportOptions) -> list[KeptLog]:
    """Keep a log that was downloaded by hand.

    Raises:
        UsageError: the file cannot be read or is no such log, or its site is none of the run.
        LedgerError: the ledger is not there, locked, damaged or altered.
    """
    too_large = UsageError(
        f"`{options.file}` is larger than {LIMIT_BYTES // 1024**2} MiB",
        hint="compress it (zip or gzip), or import it in parts",
    )
    data = read_whole(options.file, f"`{options.file}`", limit=LIMIT_BYTES, too_large=too_large)
    _refuse_unlikely(data, options.kind, options.mapping)
    log = FetchedLog(
        kind=options.kind,
        site=options.site,
        source=options.file.name,
        data=data,
        mapping=options.mapping,
    )
    return _keep(root, root.ledger_path(options.ledger_file), options.run, [log])


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchOptions(NetworkOptions):
    """Which logs of which run are downloaded; `kinds` and `sites` empty mean all."""

    run: str
    kinds: tuple[LogKind, ...]
    sites: tuple[str, ...]
    output_format: str
    ledger_file: Path | None


def fetch_and_keep(root: Root, options: FetchOptions, say: Callable[[str], None]) -> list[KeptLog]:
    """Download the logs from the addresses that the run's plan gives, and keep them.

    Raises:
        UsageError: the plan gives no address, or nothing was submitted.
        CredentialError, RemoteError: a download failed; nothing of this call is kept.
        LedgerError: the ledger is not there, locked, damaged or altered.
    """
    path = root.ledger_path(options.ledger_file)
    view = find_run(read_runs(root, path), options.run)
    plan = load_plan_bytes(view.plan_text.encode(), view.started.plan_file).whole_plan()
    wanted = _wanted(view, plan, options, say)
    hosts = frozenset(urlsplit(site.url).hostname or "" for site in plan.sites)
    accounts = root.accounts(job.account for _, job in wanted.values())

    async def fetched() -> list[FetchedLog]:
        logs = []
        async with root.network(accounts, options) as send:
            for url, (kind, job) in wanted.items():
                say(f"fetching the {kind} log of {printable(job.site)}")
                data = await download(send, url, account=job.account, hosts=hosts)
                log = FetchedLog(kind=kind, site=job.site, source=url, data=data)
                logs.append(log)
        return logs

    return _keep(root, path, view.id, root.await_(fetched()))


def _keep(root: Root, path: Path, run: str, fetched: Sequence[FetchedLog]) -> list[KeptLog]:
    """Write each log that is not in the ledger yet; each sees the ones written before it."""
    kept = []
    with root.open_ledger(path, read_only=False) as ledger:
        for log in fetched:
            views = runs_in(root, ledger)
            view = find_run(views, run)
            event = _log_kept(view, log, [pair for other in views for pair in other.logs])
            same = (event.log, event.site, event.sha256)
            known = [kept for _, kept in view.logs if (kept.log, kept.site, kept.sha256) == same]
            if not known:
                ledger.append(event, run=view.id)
                view = find_run(runs_in(root, ledger), view.id)
            kept.append(KeptLog(event=known[0] if known else event, known=bool(known), view=view))
    return kept


def _log_kept(
    view: RunView, fetched: FetchedLog, before: list[tuple[datetime, LogKept]]
) -> LogKept:
    """Return the event that keeps a log with its rows attributed; pure.

    `before` are the logs of all runs that the ledger holds, each with the moment it was kept.
    """
    site = _site_of(view, fetched.site)
    log = read_log(fetched.data, fetched.mapping)
    earlier = [(at, kept) for at, kept in before if (kept.log, kept.site) == (fetched.kind, site)]
    logs_before = (read_log(base64.b64decode(kept.raw_base64)) for _, kept in earlier)
    attribution = attribute(
        log,
        _spans(view, site),
        imported_at=max((at for at, _ in earlier), default=None),
        known={fingerprint(row) for log_before in logs_before for row in log_before.rows},
    )
    return LogKept(
        log=fetched.kind,
        site=site,
        source=printable(fetched.source),
        sha256=hashlib.sha256(fetched.data).hexdigest(),
        raw_bytes=len(fetched.data),
        raw_base64=base64.b64encode(fetched.data).decode("ascii"),
        columns=dict(log.roles),
        rows=len(log.rows),
        attribution=attribution,
        notes=list(log.notes),
    )


def _spans(view: RunView, site: str) -> Iterator[JobSpan]:
    for job in view.jobs:
        if job.job.site == site and job.submitted_at is not None:
            yield JobSpan(
                id=job.id,
                destination=job.job.destination,
                submitted=job.submitted_at,
                ended=job.ended_at,
            )


def _site_of(view: RunView, text: str) -> str:
    """Return the site of the run that `text` names, with or without `https://`."""
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
    ended = [seen.ended for seen in view.verifications if seen.ended is not None]
    verified = {job["id"]: job for job in ended[-1].jobs} if ended else {}
    return [
        {
            "id": job.id,
            "log_rows": rows.get(job.id, 0),
            "expected": verified.get(job.id, {}).get("expected"),
            "recreated": verified.get(job.id, {}).get("recreated"),
        }
        for job in view.jobs
    ]


def _wanted(
    view: RunView, plan: Plan, options: FetchOptions, say: Callable[[str], None]
) -> dict[str, tuple[LogKind, CmaJob]]:
    """Return the addresses to download from, each with the kind of log and a job that it is of."""
    templates = {"audit": plan.logs_audit, "history": plan.logs_history}
    sites = [_site_of(view, site) for site in options.sites]
    asked = options.kinds or tuple(kind for kind in KINDS if templates[kind])
    missing = [kind for kind in asked if not templates[kind]]
    if missing or not asked:
        named = " and ".join(f"`logs.{kind}`" for kind in missing or KINDS)
        raise UsageError(
            f"the plan gives no address in {named}, and the addresses are not documented, so none is guessed",
            hint=BY_HAND,
        )
    wanted: dict[str, tuple[LogKind, CmaJob]] = {}
    for kind in asked:
        template = templates[kind] or ""
        for job in view.jobs:
            if (sites and job.job.site not in sites) or not job.submissions:
                continue
            if "{jobId}" in template and job.uuid is None:
                say(
                    f"note: job `{printable(job.id)}` has no id, so its {kind} log cannot be asked for"
                )
                continue
            wanted.setdefault(filled(template, _template_values(job)), (kind, job.job))
    if not wanted:
        raise UsageError("no job of this run was submitted, so there is no log to fetch")
    return wanted


def _template_values(job: JobView) -> dict[str, str]:
    return {
        "siteId": job.site_id or "",
        "jobId": job.uuid or "",
        "product": str(job.job.body.get("product", "")),
        "productURL": job.job.site,
    }


def _refuse_unlikely(data: bytes, kind: str, mapping: Mapping[str, str]) -> None:
    """Refuse a file that was probably named by mistake: nothing can be removed from a ledger."""
    log = read_log(data, mapping)
    if log.roles or (kind == "history" and len(log.columns) > 1):
        return
    named = ", ".join(f"`{printable(column)}`" for column in log.columns[:8])
    raise UsageError(
        f"no column of the file was recognised as one of a log; its columns are {named}",
        hint="if it is the right file, name a column with `--map ROLE=COLUMN`, such as `--map new='column 3'`",
    )


def mapping_of(mappings: tuple[str, ...]) -> dict[str, str]:
    """Return the columns that `--map ROLE=COLUMN` names, by role.

    Raises:
        UsageError: one is not of that form.
    """
    result = {}
    for mapping in mappings:
        role, equals, column = mapping.partition("=")
        if not equals or not role or not column:
            raise UsageError(
                f"`--map {mapping}` is not of the form ROLE=COLUMN",
                hint="for example `--map new=URL`",
            )
        result[role.strip()] = column
    return result
