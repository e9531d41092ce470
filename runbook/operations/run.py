"""A run from its plan to its end: the sequence that `run` and `rehearse` share.

Everything that is refused is refused before the first request; the first POST comes after the plan,
the sites, the accounts and a person have all said yes.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from pathlib import Path
from typing import Any

from runbook import __version__
from runbook.checks.checked_plan import CheckedPlan
from runbook.errors import ExitCode, PlanError
from runbook.execute.executor import Ending, execute
from runbook.execute.ports import Audience, Interrupts, Observer, Pace, Ports
from runbook.execute.preflight import PreflightAnswers, check_accounts, identify_sites
from runbook.execute.selection import Sending, SendOptions, last_run, what_to_send
from runbook.execute.session import Assignment
from runbook.http import Send
from runbook.ledger.codec import Event
from runbook.ledger.events import PlanAmended, RoundOpened, RunResumed, RunStarted
from runbook.ledger.store import Ledger
from runbook.operations.check_plan import checked_plan
from runbook.operations.root import NetworkOptions, Root
from runbook.plan.model import Plan
from runbook.secrets import Account
from runbook.view import SENDABLE, JobState, RunView, approvals_for, runs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(SendOptions):
    """What the operator asked for; `reason` is that of `--again`."""

    plan: Path
    operator: str | None = None
    yes: bool = False
    dry_run: bool = False
    digest: str | None = None
    report_file: Path | None = None
    reason: str = ""
    submit_interval_s: float = Pace().submit_interval_s
    poll_interval_s: float | None = None
    connect_retry_s: float = Pace().connect_retry_s
    output_format: str = "text"
    ledger_file: Path | None = None
    endpoint: str | None = None
    ca_bundle: Path | None = None

    @property
    def pace(self) -> Pace:
        """Return how quickly jobs are sent and asked for."""
        return Pace(
            submit_interval_s=self.submit_interval_s,
            poll_interval_s=self.poll_interval_s,
            connect_retry_s=self.connect_retry_s,
        )

    def recorded(self) -> dict[str, Any]:
        """Return the options that bear on what is sent, as the ledger keeps them."""
        values = {
            "only": self.only,
            "early": self.early,
            # A bare `--again` is one empty id.
            "again": self.again if self.again is None else self.again or ("",),
            "reason": self.reason,
            "on_unknown": self.on_unknown,
            "submit_interval": self.submit_interval_s,
            "poll_interval": self.poll_interval_s,
        }
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnvironment:
    """Where a run is carried out; `endpoint` stands in for every host, None for the real ones.

    `recorded` are the options that the ledger keeps.
    """

    ledger: Ledger
    send: Send
    accounts: tuple[Account, ...]
    operator: str
    endpoint: str | None
    recorded: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a person sees before saying yes."""

    checked: CheckedPlan
    sending: Sending
    environment: RunEnvironment
    site_ids: Mapping[str, str]
    earlier: tuple[RunView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScreen:
    """How a run asks, and who watches it.

    `confirm` shows the summary and raises where the person says no. `signals` turns Ctrl-C into
    interrupts while jobs are sent and followed; before that, Ctrl-C ends the command at once, since
    nothing is under way.
    """

    confirm: Callable[[RunSummary], None]
    observers: Callable[[Ledger, tzinfo], AbstractContextManager[tuple[Observer, ...]]]
    signals: Callable[[Interrupts], AbstractContextManager[None]] = field(
        default=lambda _: contextlib.nullcontext()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended in this process, and the run by the ledger.

    `refused` says why nothing was sent, None where something might be.
    """

    view: RunView
    ending: Ending
    refused: PlanError | None = None


def checked_for_run(root: Root, options: RunOptions) -> CheckedPlan:
    """Return the plan, checked at the real present, with finished waves only.

    Raises:
        PlanError: the plan cannot be read, or is not the one of `--digest`.
        UsageError: the path is a folder.
        LedgerError: the ledger cannot be read.
    """
    ledger_path = root.ledger_path(options.ledger_file, options.plan)
    checked = checked_plan(
        root, options.plan, at=root.clock.now(), running=True, ledger=ledger_path
    )
    checked.refuse_other_digest(options.digest)
    return checked


def run_in_ledger(root: Root, options: RunOptions, screen: RunScreen) -> RunResult:
    """Carry out a plan, or go on with it, in its ledger, against the real hosts or an endpoint.

    Raises:
        PlanError, CredentialError, RemoteError, UsageError, LedgerError: nothing was sent, or the
            ledger failed in the middle (then what was sent is in it).
    """
    checked = checked_for_run(root, options)
    endpoint = root.endpoint(options.endpoint)
    accounts = root.accounts(job.account for job in checked.jobs)
    operator = root.operator(options.operator, accounts)
    with root.create_ledger(root.ledger_path(options.ledger_file, options.plan)) as ledger:
        ledger.acquire_lease(root.lease_owner(operator))

        async def carried_out() -> RunResult:
            network = NetworkOptions(endpoint=endpoint, ca_bundle=options.ca_bundle)
            async with root.network(accounts, network) as send:
                environment = RunEnvironment(
                    ledger=ledger,
                    send=send,
                    accounts=accounts,
                    operator=operator,
                    endpoint=endpoint,
                    recorded=options.recorded(),
                )
                return await run_plan(root, checked, options, environment, screen)

        result: RunResult = root.await_(carried_out())
    return result


async def run_plan(
    root: Root,
    checked: CheckedPlan,
    options: RunOptions,
    environment: RunEnvironment,
    screen: RunScreen,
) -> RunResult:
    """Carry out a plan, or go on with it; see `run_in_ledger` for the errors."""
    ledger = environment.ledger
    with screen.observers(ledger, checked.plan.zone) as observers:
        events = tuple(ledger.events())
        views = runs_of(events)
        sending = what_to_send(
            checked,
            last_run(views, checked.plan.name, stand_in=environment.endpoint is not None),
            options,
            approved=bool(approvals_for(events, checked.jobs_digest)),
            now=root.clock.now(),
        )
        if sending.finished and sending.continues is not None:
            return RunResult(view=sending.continues, ending=_as_it_was(sending.continues))
        known_ids = {} if sending.continues is None else dict(sending.continues.site_ids)
        asked = PreflightAnswers(site_ids=known_ids)
        if sending.todo:
            asked = await _ask_first(root, checked, sending, environment.send)
            screen.confirm(
                RunSummary(
                    checked=checked,
                    sending=sending,
                    environment=environment,
                    site_ids=asked.site_ids,
                    earlier=views,
                )
            )
        audience = Audience(observers)
        run = root.run_id() if sending.continues is None else sending.continues.id
        opening = _opening_events(
            root, checked, options, environment, sending=sending, asked=asked, earlier=views
        )
        for event in opening:
            audience.on_event(ledger.append(event, run=run), event)
        ports = Ports(
            send=environment.send,
            ledger=ledger,
            clock=root.clock,
            audience=audience,
            prober=root.prober(checked.plan, environment.send),
            jitter=root.random,
        )
        view = next(view for view in runs_of(ledger.events(), leased_run=run) if view.id == run)
        assignment = _assignment(view, checked, options, sending, asked.site_ids)
        interrupts = Interrupts()
        with screen.signals(interrupts):
            ending = await execute(
                replace(assignment, operator=environment.operator), ports, options.pace, interrupts
            )
    if sending.refused is not None and ending.exit_code is ExitCode.DONE:
        ending = replace(ending, exit_code=ExitCode.PLAN)
    view = next(view for view in runs_of(ledger.events()) if view.id == run)
    return RunResult(view=view, ending=ending, refused=sending.refused)


async def _ask_first(
    root: Root, checked: CheckedPlan, sending: Sending, send: Send
) -> PreflightAnswers:
    """Ask every site for its id and every account whether it is let in.

    Raises:
        PlanError: a site has another id than before, or than the plan says.
        CredentialError, RemoteError: an account is refused, or somebody does not answer.
    """
    identified = await identify_sites(checked.plan, send, root.clock)
    site_ids = {answer.site: answer.site_id for answer in identified}
    submits_to = {job.account: job.site for job in reversed(checked.jobs) if job.id in sending.todo}
    account_checks = await check_accounts(tuple(submits_to.items()), site_ids, send, root.clock)
    if sending.continues is not None:
        _refuse_other_sites(sending.continues, site_ids)
    return PreflightAnswers(identified=identified, account_checks=account_checks, site_ids=site_ids)


def _refuse_other_sites(last: RunView, site_ids: Mapping[str, str]) -> None:
    for site, site_id in last.site_ids.items():
        if site_ids.get(site, site_id) != site_id:
            raise PlanError(
                f"`{site}` says its id is `{site_ids[site]}`; when run `{last.id}` began it was `{site_id}`",
                hint="another site answers under this address: find out which before anything is sent",
            )


def _assignment(
    view: RunView,
    checked: CheckedPlan,
    options: SendOptions,
    sending: Sending,
    site_ids: Mapping[str, str],
) -> Assignment:
    """Return what this process is to do with a run, by the ledger as it is after its first events.

    The ledger is folded again after the question: a person may have spoken at another terminal.
    """
    # What is sent is what the plan says: the ledger's copy has passed through the mask.
    planned = {job.id: job for job in checked.jobs}
    chosen = [job for job in view.jobs if job.id in sending.todo]
    may_send = sending.refused is None
    still_planned = {job.id for job in view.jobs if job.state is JobState.PLANNED}
    return Assignment(
        run=view.id,
        jobs={job.id: replace(job, job=planned.get(job.id, job.job)) for job in view.jobs},
        todo=[job.id for job in chosen if job.state in SENDABLE],
        resubmit=[
            job.id for job in chosen if job.state is JobState.UNKNOWN and not job.settled_by_person
        ],
        not_selected=[job_id for job_id in sending.not_selected if job_id in still_planned],
        may_send=may_send,
        pairs=checked.pairs,
        site_ids=site_ids,
        on_unknown=options.on_unknown if may_send else "ask",
        known_until=view.last_seq,
        no_go=None if view.stop is None else view.stop[1].sentence(),
    )


def _as_it_was(view: RunView) -> Ending:
    codes = {"failed": ExitCode.JOB, "needs_person": ExitCode.UNKNOWN}
    return Ending(
        state=view.state,
        counts=view.counts(),
        exit_code=codes.get(view.state.value, ExitCode.DONE),
        detail="nothing is left to send or to follow; nothing was sent",
    )


def _opening_events(
    root: Root,
    checked: CheckedPlan,
    options: RunOptions,
    environment: RunEnvironment,
    *,
    sending: Sending,
    asked: PreflightAnswers,
    earlier: tuple[RunView, ...],
) -> Iterator[Event]:
    """Yield the events that say how a process begins or resumes a run, and who answered before it."""
    plan = checked.plan
    findings = [finding.as_json() for finding in checked.findings]
    kept_plan: dict[str, Any] = {
        "plan_text": plan.source.decode("utf-8"),
        "digest": plan.digest,
        "jobs_digest": checked.jobs_digest,
        "jobs": _jobs_json(checked),
        "findings": findings,
        "evidence": _evidence_json(plan),
    }
    of_process: dict[str, Any] = {
        "operator": environment.operator,
        "machine": root.machine,
        "tool_version": __version__,
        "options": dict(environment.recorded),
        "site_ids": dict(asked.site_ids),
    }
    if sending.continues is None:
        offset = plan.zone.utcoffset(None)
        yield RunStarted(
            plan_name=plan.name,
            plan_file=Path(plan.file).name,
            zone_minutes=int(offset.total_seconds() // 60),
            rehearsal=options.rehearsal,
            endpoint=environment.endpoint,
            earlier_runs=[view.id for view in earlier],
            **of_process,
            **kept_plan,
        )
    else:
        yield RunResumed(findings=findings, **of_process)
        if sending.difference:
            yield PlanAmended(difference=list(sending.difference), **kept_plan)
        if sending.round_jobs:
            yield RoundOpened(
                jobs=list(sending.round_jobs), reason=options.reason, by=environment.operator
            )
    yield from asked.identified
    emails = {account.profile: account.email for account in environment.accounts}
    for check in asked.account_checks:
        yield replace(check, email=emails.get(check.account, ""))


def _jobs_json(checked: CheckedPlan) -> list[dict[str, Any]]:
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


def _evidence_json(plan: Plan) -> list[dict[str, Any]]:
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
