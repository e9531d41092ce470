"""The first events of a process: that a run begins or resumes, with what, and what was asked before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runbook import __version__
from runbook.checks.checked_plan import CheckedPlan
from runbook.execute.ports import Audience
from runbook.execute.preflight import PreflightAnswers
from runbook.execute.selection import Sending
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    PlanAmended,
    RoundOpened,
    RunResumed,
    RunStarted,
)
from runbook.ledger.store import Ledger
from runbook.operations.root import Root
from runbook.plan.model import Plan
from runbook.secrets import Account
from runbook.view import RunView


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningEvents:
    """Writes the opening events of a process; `options` are those that the ledger keeps."""

    root: Root
    checked: CheckedPlan
    ledger: Ledger
    audience: Audience
    operator: str
    options: Mapping[str, Any]

    def write(
        self,
        sending: Sending,
        site_ids: Mapping[str, str],
        *,
        earlier: tuple[RunView, ...],
        endpoint: str | None,
        rehearsal: bool,
        reason: str,
    ) -> str:
        """Write that a run begins or resumes, and return its id."""
        plan = self.checked.plan
        findings = [finding.as_json() for finding in self.checked.findings]
        if sending.continues is None:
            run = self.root.run_id()
            offset = plan.zone.utcoffset(None)
            self._append(
                RunStarted(
                    plan_name=plan.name,
                    plan_file=Path(plan.file).name,
                    zone_minutes=int(offset.total_seconds() // 60),
                    site_ids=dict(site_ids),
                    operator=self.operator,
                    machine=self.root.machine,
                    tool_version=__version__,
                    rehearsal=rehearsal,
                    endpoint=endpoint,
                    options=dict(self.options),
                    earlier_runs=[view.id for view in earlier],
                    **self._plan_as_kept(findings),
                ),
                run,
            )
            return run
        run = sending.continues.id
        self._append(
            RunResumed(
                operator=self.operator,
                machine=self.root.machine,
                tool_version=__version__,
                findings=findings,
                options=dict(self.options),
                site_ids=dict(site_ids),
            ),
            run,
        )
        if sending.difference:
            amended = PlanAmended(
                difference=list(sending.difference), **self._plan_as_kept(findings)
            )
            self._append(amended, run)
        if sending.round_jobs:
            opened = RoundOpened(jobs=list(sending.round_jobs), reason=reason, by=self.operator)
            self._append(opened, run)
        return run

    def write_asked(self, run: str, asked: PreflightAnswers, accounts: tuple[Account, ...]) -> None:
        """Write what the sites and the API answered before the first POST."""
        emails = {account.profile: account.email for account in accounts}
        for site in asked.identified:
            self._append(site, run)
        for check in asked.account_checks:
            self._append(replace(check, email=emails.get(check.account, "")), run)

    def _append(self, event: Event, run: str) -> None:
        row = self.ledger.append(event, run=run)
        self.audience.on_event(row, event)

    def _plan_as_kept(self, findings: list[Any]) -> dict[str, Any]:
        plan = self.checked.plan
        return {
            "plan_text": plan.source.decode("utf-8"),
            "digest": plan.digest,
            "jobs_digest": self.checked.jobs_digest,
            "jobs": jobs_json(self.checked),
            "findings": findings,
            "evidence": evidence_of(plan),
        }


def jobs_json(checked: CheckedPlan) -> list[dict[str, Any]]:
    """Return the jobs with their windows and probe links, as `run.started` keeps them."""
    probes = {instance.id: instance.probe for instance in checked.plan.instances}
    return [
        {
            **job.as_json(),
            "windows": [pair.as_json() for pair in checked.pairs[job.id]],
            "probe": [{"issue": link.issue, "target": link.target} for link in probes[job.id]],
        }
        for job in checked.jobs
    ]


def evidence_of(plan: Plan) -> list[dict[str, Any]]:
    """Return each evidence file that the plan names, with its hash; null where it is not there."""
    folder = Path(plan.file).parent
    return [
        {"path": link.evidence, **_hashed(folder / link.evidence), "instance": instance.id}
        for instance in plan.instances
        if (link := instance.app_link) is not None and link.evidence is not None
    ]


def _hashed(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except OSError:
        return {"sha256": None, "bytes": None}
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
