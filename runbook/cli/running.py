"""A run from its plan to its end: the sequence that `run` and `rehearse` share.

Everything that is refused is refused before the first request; the first POST comes after the plan,
the sites, the accounts and a person have all said yes.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from runbook import __version__
from runbook.cli.console import say
from runbook.cli.planning import Planned, refuse_unless_may_run
from runbook.cli.wiring import Root
from runbook.clock import isoformat_utc
from runbook.errors import ExitCode, PlanError, UsageError
from runbook.execute.books import Assignment
from runbook.execute.executor import Ending, execute
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Observer, Pace, Ports, Prober
from runbook.execute.preflight import Identified, Probed, identify_sites, probe_accounts
from runbook.execute.requests import exchange_of
from runbook.execute.resume import Begin, Decision, GoOn, NothingToDo, decide, last_run
from runbook.findings import Finding
from runbook.jobs import CmaJob, jobs_digest, jobs_of
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    AccountProbed,
    PlanAmended,
    RoundOpened,
    RunResumed,
    RunStarted,
    SiteIdentified,
)
from runbook.ledger.handover_events import ApprovalGiven
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.secrets import Account
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, JobView, RunView, runs_of
from runbook.windows import Pair, pairs_of
from runbook.wire import Send


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the person asked for; `again` is None, or the ids of `--again`."""

    plan: Path
    operator: str
    digest: str | None = None
    only: tuple[str, ...] = ()
    early: bool = False
    again: tuple[str, ...] | None = None
    reason: str = ""
    on_unknown: str = "ask"
    pace: Pace = field(default_factory=Pace)
    endpoint: str | None = None
    rehearsal: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan that was read and judged, and the jobs it stands for; no network was touched."""

    judged: Planned
    plan: Plan
    findings: tuple[Finding, ...]
    jobs: tuple[CmaJob, ...]
    jobs_digest: str
    pairs: Mapping[str, tuple[Pair, ...]]


Confirm = Callable[["Summary"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a person sees before saying yes."""

    prepared: Prepared
    todo: tuple[str, ...]
    accounts: tuple[Account, ...]
    site_ids: Mapping[str, str]
    earlier: tuple[RunView, ...]
    going_on: RunView | None
    difference: tuple[str, ...]
    endpoint: str | None


def prepare(planned: Planned, plan: Plan | None = None) -> Prepared:
    """Return the jobs of a plan that was read and checked, with their finished windows.

    A rehearsal gives `plan`, in which planned waves are finished.
    """
    plan = plan or planned.plan
    jobs = jobs_of(plan)
    return Prepared(
        judged=planned,
        plan=plan,
        findings=planned.findings,
        jobs=jobs,
        jobs_digest=jobs_digest(jobs),
        pairs={one.id: pairs_of(plan, one, use_planned=False) for one in plan.instances},
    )


def refuse_other_digest(prepared: Prepared, given: str | None) -> None:
    """Raise `PlanError` where `--digest` names another plan or other jobs."""
    known = (prepared.jobs_digest, prepared.plan.digest)
    if given is not None and given.strip().lower() not in known:
        raise PlanError(
            f"the plan is not the one of `--digest`: its jobs have the digest {prepared.jobs_digest}, the plan {prepared.plan.digest}",
            hint="look at `runbook preview` again: something that is sent has changed since",
        )


def refuse_unready(
    prepared: Prepared, options: RunOptions, approvals: tuple[ApprovalGiven, ...], now: datetime
) -> None:
    """Raise `PlanError` where the plan has errors, is too early, or is not approved."""
    refuse_unless_may_run(prepared.judged)
    cutover = prepared.plan.cutover
    if cutover is not None and now < cutover and not options.early:
        raise PlanError(
            f"it is {isoformat_utc(now)}, before the cutover at {isoformat_utc(cutover)}",
            hint="wait, correct `cutover`, or say `--early`",
        )
    if prepared.plan.require_approval and not any(
        one.jobs_digest == prepared.jobs_digest for one in approvals
    ):
        raise PlanError(
            f"the plan needs an approval of its jobs ({prepared.jobs_digest}), and the ledger holds none",
            hint=f"`runbook approve {options.plan} --by NAME` in the same ledger",
        )


async def conduct(
    root: Root,
    options: RunOptions,
    prepared: Prepared,
    *,
    ledger: Ledger,
    send: Send,
    accounts: tuple[Account, ...],
    prober: Prober | None,
    interrupts: Interrupts,
    observers: tuple[Observer, ...],
    confirm: Confirm,
) -> tuple[str, Ending]:
    """Carry out a plan, or go on with it, and return the run's id and how it ended.

    Raises:
        PlanError, CredentialError, RemoteError, UsageError, LedgerError: nothing was sent, or the
            ledger failed in the middle (then what was sent is in it).
    """
    events = tuple(ledger.events())
    views = runs_of(events)
    now = root.clock.now()
    last = last_run(views, prepared.plan.name, stand_in=options.endpoint is not None)
    decision = decide(
        prepared.plan,
        prepared.jobs,
        prepared.jobs_digest,
        last,
        again=options.again,
        pairs=prepared.pairs,
        now=now,
    )
    if isinstance(decision, NothingToDo):
        return decision.view.id, _as_it_was(decision.view)
    todo, not_selected = _selection(prepared, decision, options)
    refused: PlanError | None = None
    approvals = tuple(e.event for e in events if isinstance(e.event, ApprovalGiven))
    try:
        refuse_unready(prepared, options, approvals, now)
    except PlanError as problem:
        if not (isinstance(decision, GoOn) and decision.view.jobs and _still_out(decision.view)):
            raise
        # What is at Atlassian, or unknown, is so whatever the plan says now: it is looked after.
        refused, todo, not_selected = problem, (), ()
    identified: tuple[Identified, ...] = ()
    probed: tuple[Probed, ...] = ()
    if todo:
        identified = await identify_sites(prepared.plan, send, root.clock)
        site_ids = {one.site: one.site_id for one in identified}
        pairs = {job.account: job.site for job in reversed(prepared.jobs) if job.id in todo}
        probed = await probe_accounts(tuple(pairs.items()), site_ids, send, root.clock)
        _refuse_other_sites(decision, site_ids)
        confirm(
            Summary(
                prepared=prepared,
                todo=todo,
                accounts=accounts,
                site_ids=site_ids,
                earlier=views,
                going_on=decision.view if isinstance(decision, GoOn) else None,
                difference=decision.difference if isinstance(decision, GoOn) else (),
                endpoint=options.endpoint,
            )
        )
    else:
        site_ids = dict(last.site_ids) if last is not None else {}
    book = _Book(root=root, options=options, prepared=prepared, ledger=ledger, views=views)
    run = book.open(decision, site_ids, observers)
    book.keep_preflight(run, identified, probed, accounts, observers)
    view = next(one for one in runs_of(ledger.events(), led=run) if one.id == run)
    jobs = {job.id: job for job in view.jobs}
    ending = await execute(
        Assignment(
            run=run,
            jobs=jobs,
            todo=[job.id for job in jobs.values() if job.id in todo and job.state in SENDABLE],
            not_selected=[
                job_id for job_id in not_selected if jobs[job_id].state is JobState.PLANNED
            ],
            pairs=prepared.pairs,
            site_ids=site_ids,
            probes={one.id: one.probe for one in prepared.plan.instances if one.probe},
            on_unknown=options.on_unknown,
            operator=options.operator,
            known_until=view.last_seq,
        ),
        Ports(
            send=send,
            recorder=ledger,
            clock=root.clock,
            prober=prober,
            observers=observers,
            jitter=root.random,
        ),
        options.pace,
        interrupts,
    )
    if refused is not None:
        say(f"nothing was sent: {refused}")
        if ending.exit_code is ExitCode.DONE:
            ending = replace(ending, exit_code=ExitCode.PLAN)
    return run, ending


def _as_it_was(view: RunView) -> Ending:
    codes = {"failed": ExitCode.JOB, "needs_person": ExitCode.UNKNOWN}
    return Ending(
        state=view.state,
        counts=view.counts(),
        exit_code=codes.get(view.state.value, ExitCode.DONE),
        detail="nothing is left to send or to follow; nothing was sent",
    )


def _still_out(view: RunView) -> bool:
    return any(job.state in AT_ATLASSIAN or job.needs_person() for job in view.jobs)


def _selection(
    prepared: Prepared, decision: Decision, options: RunOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids that may be sent now, and those that `--only` leaves alone."""
    known = {job.id for job in prepared.jobs}
    for job_id in options.only:
        if job_id not in known:
            raise UsageError(
                f"`--only {job_id}`: the plan has no such job",
                hint=f"its jobs: {', '.join(sorted(known))}",
            )
    views: dict[str, JobView] = {}
    reopened: tuple[str, ...] = ()
    if isinstance(decision, GoOn):
        views = {view.id: view for view in decision.view.jobs}
        reopened = decision.round_jobs
    sendable = tuple(
        job.id
        for job in prepared.jobs
        if job.id not in views or job.id in reopened or views[job.id].state in SENDABLE
    )
    left: tuple[str, ...] = ()
    if options.again is not None:
        left = tuple(job_id for job_id in sendable if job_id not in reopened)
        sendable = tuple(job_id for job_id in sendable if job_id in reopened)
    if options.on_unknown == "resubmit":
        sendable += tuple(
            v.id for v in views.values() if v.state is JobState.UNKNOWN and not v.spoken
        )
    if not options.only:
        return sendable, left
    chosen = tuple(job_id for job_id in sendable if job_id in options.only)
    return chosen, tuple(job_id for job_id in sendable if job_id not in options.only)


def _refuse_other_sites(decision: Decision, site_ids: Mapping[str, str]) -> None:
    if not isinstance(decision, GoOn):
        return
    for site, site_id in decision.view.site_ids.items():
        if site_ids.get(site, site_id) != site_id:
            raise PlanError(
                f"`{site}` says its id is `{site_ids[site]}`; when run `{decision.view.id}` began it was `{site_id}`",
                hint="another site answers under this address: find out which before anything is sent",
            )


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
    """Return the jobs with their windows, as `run.started` keeps them."""
    return [
        {**job.as_json(), "windows": [_window_json(pair) for pair in prepared.pairs[job.id]]}
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
class _Book:
    """Writes the opening events of a process."""

    root: Root
    options: RunOptions
    prepared: Prepared
    ledger: Ledger
    views: tuple[RunView, ...]

    def open(
        self, decision: Decision, site_ids: Mapping[str, str], observers: tuple[Observer, ...]
    ) -> str:
        """Write that a run begins or goes on, and return its id."""
        if isinstance(decision, GoOn):
            run = decision.view.id
            self._keep(self._resumed(site_ids), run, observers)
            if decision.difference:
                self._keep(self._amended(decision.difference), run, observers)
            if decision.round_jobs:
                event = RoundOpened(
                    jobs=list(decision.round_jobs),
                    reason=self.options.reason,
                    by=self.options.operator,
                )
                self._keep(event, run, observers)
            return run
        assert isinstance(decision, Begin)  # noqa: S101 - NothingToDo has returned before
        run = self.root.run_id()
        self._keep(self._started(site_ids), run, observers)
        return run

    def keep_preflight(
        self,
        run: str,
        identified: tuple[Identified, ...],
        probed: tuple[Probed, ...],
        accounts: tuple[Account, ...],
        observers: tuple[Observer, ...],
    ) -> None:
        """Write what the sites and the API answered before the first POST."""
        emails = {account.profile: account.email for account in accounts}
        for one in identified:
            event = SiteIdentified(
                site=one.site, site_id=one.site_id, exchange=exchange_of(one.request, one.answer)
            )
            self._keep(event, run, observers)
        for probe in probed:
            self._keep(
                AccountProbed(
                    account=probe.account,
                    email=emails.get(probe.account, ""),
                    status=probe.answer.status,
                    exchange=exchange_of(probe.request, probe.answer),
                ),
                run,
                observers,
            )

    def _keep(self, event: Event, run: str, observers: tuple[Observer, ...]) -> None:
        row = self.ledger.append(event, run=run)
        for observer in observers:
            observer.saw(row, event)

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
