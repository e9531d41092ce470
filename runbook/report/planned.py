"""A plan that has not been run, as a run with every job planned: the HTML preview's source.

Also reads the plan's own words back from a run, for what only the plan knows: attestations,
waves, token expiry, waivers.
"""

from collections.abc import Iterable
from datetime import datetime

from runbook import __version__
from runbook.errors import RunbookError
from runbook.findings import Finding
from runbook.jobs import CmaJob, jobs_digest, jobs_of
from runbook.ledger.events import Json, RunStarted
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.view import RunState, RunView, job_views
from runbook.windows import pairs_of


def planned_view(plan: Plan, findings: Iterable[Finding], at: datetime) -> RunView:
    """Return the view of a plan as if a run of it stood before its first request.

    `at` is the moment at which windows are judged. The view belongs to no ledger: it has no
    operator, no machine and no hash.
    """
    sent = jobs_of(plan)
    zone = plan.zone.utcoffset(None)
    started = RunStarted(
        plan_name=plan.name,
        plan_file=plan.file,
        plan_text=plan.source.decode("utf-8-sig", "replace"),
        digest=plan.digest,
        jobs_digest=jobs_digest(sent),
        jobs=[{**job.as_json(), "windows": windows_json(plan, job)} for job in sent],
        findings=[finding.as_json() for finding in findings],
        evidence=[],
        site_ids={site.url: site.site_id for site in plan.sites if site.site_id is not None},
        operator="",
        machine="",
        tool_version=__version__,
        zone_minutes=int(zone.total_seconds() // 60),
        rehearsal=False,
        endpoint=None,
        options={"preview": True},
    )
    return RunView(
        id="preview",
        started=started,
        started_at=at,
        state=RunState.STOPPED,
        verification="none",
        jobs=tuple(job_views(started.jobs, started.site_ids).values()),
        digest=started.digest,
        jobs_digest=started.jobs_digest,
        plan_text=started.plan_text,
        findings=tuple(started.findings),
        evidence=(),
        site_ids=started.site_ids,
        operator="",
        last_at=at,
    )


def windows_json(plan: Plan, job: CmaJob, *, use_planned: bool = True) -> list[Json]:
    """Return the windows of a job as `run.started` keeps them; planned ends count where they may."""
    instance = plan.instance(job.id)
    if instance is None:
        return []
    return [pair.as_json() for pair in pairs_of(plan, instance, use_planned=use_planned)]


def plan_of(view: RunView) -> Plan | None:
    """Return the plan that a run keeps, None where this version cannot read it any more."""
    try:
        return load_plan_bytes(
            view.plan_text.encode("utf-8", "replace"), view.started.plan_file
        ).plan
    except RunbookError:
        return None
