"""The first events of a process: that a run begins or goes on, with what, and what was asked before."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from runbook import __version__
from runbook.cli.run_values import Prepared, RunOptions
from runbook.cli.wiring import Root
from runbook.clock import isoformat_utc
from runbook.execute.audience import Audience
from runbook.execute.preflight import Asked
from runbook.execute.resume import Decision, GoOn
from runbook.http import exchange_of
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    AccountProbed,
    PlanAmended,
    RoundOpened,
    RunResumed,
    RunStarted,
    SiteIdentified,
)
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.secrets import Account
from runbook.view import RunView
from runbook.windows import Pair


def evidence_of(plan: Plan) -> list[dict[str, Any]]:
    """Return each evidence file that the plan names, with its hash; null where it is not there."""
    folder = Path(plan.file).parent
    result: list[dict[str, Any]] = []
    for instance in plan.instances:
        if instance.app_link is None or instance.app_link.evidence is None:
            continue
        named = instance.app_link.evidence
        try:
            data = (folder / named).read_bytes()
        except OSError:
            result.append({"path": named, "sha256": None, "bytes": None, "instance": instance.id})
            continue
        digest = hashlib.sha256(data).hexdigest()
        result.append(
            {"path": named, "sha256": digest, "bytes": len(data), "instance": instance.id}
        )
    return result


def jobs_json(prepared: Prepared) -> list[dict[str, Any]]:
    """Return the jobs with their windows and probe links, as `run.started` keeps them."""
    probes = {one.id: one.probe for one in prepared.plan.instances}
    return [
        {
            **job.as_json(),
            "windows": [_window_json(pair) for pair in prepared.pairs[job.id]],
            "probe": [{"issue": one.issue, "target": one.target} for one in probes[job.id]],
        }
        for job in prepared.jobs
    ]


def _window_json(pair: Pair) -> dict[str, Any]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else isoformat_utc(moment)

    return {
        "from": pair.from_wave.name,
        "to": pair.to_wave.name,
        "opens": text(pair.opens),
        "safe_closes": text(pair.safe_closes),
        "closes": text(pair.closes),
        "start_assumed": pair.start_assumed,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Writes the opening events of a process: that a run begins or goes on, and what was asked first."""

    root: Root
    options: RunOptions
    prepared: Prepared
    ledger: Ledger
    views: tuple[RunView, ...]
    audience: Audience

    def open(self, decision: Decision, site_ids: Mapping[str, str]) -> str:
        """Write that a run begins or goes on, and return its id."""
        if not isinstance(decision, GoOn):
            run = self.root.run_id()
            self._keep(self._started(site_ids), run)
            return run
        run = decision.view.id
        self._keep(self._resumed(site_ids), run)
        if decision.difference:
            self._keep(self._amended(decision.difference), run)
        if decision.round_jobs:
            jobs, options = list(decision.round_jobs), self.options
            self._keep(RoundOpened(jobs=jobs, reason=options.reason, by=options.operator), run)
        return run

    def keep_asked(self, run: str, asked: Asked, accounts: tuple[Account, ...]) -> None:
        """Write what the sites and the API answered before the first POST."""
        emails = {account.profile: account.email for account in accounts}
        for one in asked.identified:
            exchange = exchange_of(one.request, one.answer)
            self._keep(SiteIdentified(site=one.site, site_id=one.site_id, exchange=exchange), run)
        for probe in asked.probed:
            self._keep(
                AccountProbed(
                    account=probe.account,
                    email=emails.get(probe.account, ""),
                    status=probe.answer.status,
                    exchange=exchange_of(probe.request, probe.answer),
                ),
                run,
            )

    def _keep(self, event: Event, run: str) -> None:
        row = self.ledger.append(event, run=run)
        self.audience.saw(row, event)

    def _started(self, site_ids: Mapping[str, str]) -> RunStarted:
        plan, options = self.prepared.plan, self.options
        offset = plan.zone.utcoffset(None)
        return RunStarted(
            plan_name=plan.name,
            plan_file=Path(plan.file).name,
            plan_text=plan.source.decode("utf-8"),
            digest=plan.digest,
            jobs_digest=self.prepared.jobs_digest,
            jobs=jobs_json(self.prepared),
            findings=[finding.as_json() for finding in self.prepared.findings],
            evidence=evidence_of(plan),
            site_ids=dict(site_ids),
            operator=options.operator,
            machine=self.root.machine,
            tool_version=__version__,
            zone_minutes=int(offset.total_seconds() // 60),
            rehearsal=options.rehearsal,
            endpoint=options.endpoint,
            options=dict(options.said),
            earlier_runs=[view.id for view in self.views],
        )

    def _resumed(self, site_ids: Mapping[str, str]) -> RunResumed:
        return RunResumed(
            operator=self.options.operator,
            machine=self.root.machine,
            tool_version=__version__,
            findings=[finding.as_json() for finding in self.prepared.findings],
            options=dict(self.options.said),
            site_ids=dict(site_ids),
        )

    def _amended(self, difference: tuple[str, ...]) -> PlanAmended:
        plan = self.prepared.plan
        return PlanAmended(
            difference=list(difference),
            plan_text=plan.source.decode("utf-8"),
            digest=plan.digest,
            jobs_digest=self.prepared.jobs_digest,
            jobs=jobs_json(self.prepared),
            findings=[finding.as_json() for finding in self.prepared.findings],
            evidence=evidence_of(plan),
        )
