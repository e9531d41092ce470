"""A run from its plan to its end: the sequence that `run` and `rehearse` share.

Everything that is refused is refused before the first request; the first POST comes after the plan,
the sites, the accounts and a person have all said yes.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

from runbook.cli.console import say
from runbook.cli.opening import Opening
from runbook.cli.planning import refuse_unless_may_run
from runbook.cli.run_values import Confirm, Prepared, RunOptions, Summary
from runbook.cli.wiring import Root
from runbook.errors import ExitCode, PlanError, UsageError
from runbook.execute.audience import Audience
from runbook.execute.books import Assignment
from runbook.execute.executor import Ending, execute
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Observer, Ports, Prober
from runbook.execute.preflight import Asked, identify_sites, probe_accounts
from runbook.execute.resume import (
    Decision,
    GoOn,
    NothingToDo,
    decide,
    last_run,
    refuse_stopped,
)
from runbook.http import Send
from runbook.ledger.codec import Recorded
from runbook.ledger.handover_events import ApprovalGiven
from runbook.ledger.store import Ledger
from runbook.secrets import Account
from runbook.text import moment, span
from runbook.view import AT_ATLASSIAN, SENDABLE, JobState, JobView, RunView, runs_of


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
    plan = prepared.plan
    if plan.cutover is not None and now < plan.cutover and not options.early:
        raise PlanError(
            f"it is {moment(now, plan.zone)}, {span(plan.cutover - now)} before the cutover at {moment(plan.cutover, plan.zone)}",
            hint="wait, correct `cutover`, or say `--early`",
        )
    approved = any(one.jobs_digest == prepared.jobs_digest for one in approvals)
    # A rehearsal has a ledger of its own, and comes before anybody approves.
    if plan.require_approval and not approved and not options.rehearsal:
        raise PlanError(
            f"the plan needs an approval of its jobs ({prepared.jobs_digest}), and the ledger holds none",
            hint=f"`runbook approve {options.plan} --by NAME` in the same ledger",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a process takes up: the decision, what it may send, and what the ledger knew before.

    `refused` is why nothing may be sent although there are jobs to look after, None where it may.
    """

    decision: Decision
    views: tuple[RunView, ...]
    last: RunView | None
    todo: tuple[str, ...]
    not_selected: tuple[str, ...]
    refused: PlanError | None


def start_of(
    prepared: Prepared, options: RunOptions, events: Sequence[Recorded], now: datetime
) -> Start:
    """Return what a process takes up, from what the ledger knows; no network is touched.

    Raises:
        PlanError: the plan may not run, is too early, not approved, stopped or changed.
        UsageError: an option names a job that is not there, or a round without anything to send.
    """
    _refuse_unknown_ids(prepared, options)
    views = runs_of(events)
    last = last_run(views, prepared.plan.name, stand_in=options.endpoint is not None)
    if last is not None and last.stop is not None and options.again is None and _still_out(last):
        return _looked_after(views, last)
    decision = decide(
        prepared.plan,
        prepared.jobs,
        prepared.jobs_digest,
        last,
        again=options.again,
        pairs=prepared.pairs,
        now=now,
    )
    todo, not_selected = _selection(prepared, decision, options)
    refused: PlanError | None = None
    if not isinstance(decision, NothingToDo):
        approvals = tuple(e.event for e in events if isinstance(e.event, ApprovalGiven))
        try:
            refuse_unready(prepared, options, approvals, now)
        except PlanError as problem:
            if not (isinstance(decision, GoOn) and _still_out(decision.view)):
                raise
            # What is at Atlassian, or unknown, is so whatever the plan says now: it is looked after.
            refused, todo, not_selected = problem, (), ()
    return Start(
        decision=decision,
        views=views,
        last=last,
        todo=todo,
        not_selected=not_selected,
        refused=refused,
    )


def _looked_after(views: tuple[RunView, ...], last: RunView) -> Start:
    """Return a start that sends nothing: the run was stopped, and what is out is followed."""
    try:
        refuse_stopped(last)
    except PlanError as problem:
        refused = problem
    return Start(
        decision=GoOn(view=last, difference=()),
        views=views,
        last=last,
        todo=(),
        not_selected=(),
        refused=refused,
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
    signals: AbstractContextManager[None],
    observers: tuple[Observer, ...],
    confirm: Confirm,
) -> tuple[str, Ending]:
    """Carry out a plan, or go on with it, and return the run's id and how it ended.

    `signals` turns Ctrl-C into interrupts while jobs are sent and followed; before that, Ctrl-C ends
    the command at once, since nothing is under way.

    Raises:
        PlanError, CredentialError, RemoteError, UsageError, LedgerError: nothing was sent, or the
            ledger failed in the middle (then what was sent is in it).
    """
    start = start_of(prepared, options, tuple(ledger.events()), root.clock.now())
    if isinstance(start.decision, NothingToDo):
        return start.decision.view.id, _as_it_was(start.decision.view)
    asked = Asked(
        identified=(), probed=(), site_ids=dict(start.last.site_ids) if start.last else {}
    )
    if start.todo:
        asked = await _ask_first(root, prepared, start, send)
        confirm(
            Summary(
                prepared=prepared,
                todo=start.todo,
                accounts=accounts,
                site_ids=asked.site_ids,
                earlier=start.views,
                going_on=start.decision.view if isinstance(start.decision, GoOn) else None,
                difference=start.decision.difference if isinstance(start.decision, GoOn) else (),
                endpoint=options.endpoint,
            )
        )
    audience = Audience(observers)
    opening = Opening(
        root=root,
        options=options,
        prepared=prepared,
        ledger=ledger,
        views=start.views,
        audience=audience,
    )
    run = opening.open(start.decision, asked.site_ids)
    opening.keep_asked(run, asked, accounts)
    ports = Ports(
        send=send,
        recorder=ledger,
        clock=root.clock,
        audience=audience,
        prober=prober,
        jitter=root.random,
    )
    assignment = _assignment(run, prepared, options, start, asked, ledger)
    with signals:
        ending = await execute(assignment, ports, options.pace, interrupts)
    if start.refused is not None:
        say(f"nothing was sent: {start.refused}")
        if ending.exit_code is ExitCode.DONE:
            ending = replace(ending, exit_code=ExitCode.PLAN)
    return run, ending


async def _ask_first(root: Root, prepared: Prepared, start: Start, send: Send) -> Asked:
    """Ask every site for its id and every account whether it is let in.

    Raises:
        PlanError: a site has another id than before, or than the plan says.
        CredentialError, RemoteError: an account is refused, or somebody does not answer.
    """
    identified = await identify_sites(prepared.plan, send, root.clock)
    site_ids = {one.site: one.site_id for one in identified}
    submits_to = {job.account: job.site for job in reversed(prepared.jobs) if job.id in start.todo}
    probed = await probe_accounts(tuple(submits_to.items()), site_ids, send, root.clock)
    _refuse_other_sites(start.decision, site_ids)
    return Asked(identified=identified, probed=probed, site_ids=site_ids)


def _assignment(
    run: str,
    prepared: Prepared,
    options: RunOptions,
    start: Start,
    asked: Asked,
    ledger: Ledger,
) -> Assignment:
    view = next(one for one in runs_of(ledger.events(), led=run) if one.id == run)
    # What is sent is what the plan says: the ledger's copy has passed through the mask.
    planned = {job.id: job for job in prepared.jobs}
    jobs = {one.id: replace(one, job=planned.get(one.id, one.job)) for one in view.jobs}
    chosen = [one for one in view.jobs if one.id in start.todo]
    may_send = start.refused is None
    return Assignment(
        run=run,
        jobs=jobs,
        todo=[one.id for one in chosen if one.state in SENDABLE],
        resubmit=[one.id for one in chosen if one.state is JobState.UNKNOWN and not one.spoken],
        not_selected=[
            job_id for job_id in start.not_selected if jobs[job_id].state is JobState.PLANNED
        ],
        may_send=may_send,
        pairs=prepared.pairs,
        site_ids=asked.site_ids,
        on_unknown=options.on_unknown if may_send else "ask",
        operator=options.operator,
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


def _still_out(view: RunView) -> bool:
    return any(
        job.state in AT_ATLASSIAN or job.needs_person() or job.unprobed() for job in view.jobs
    )


def _refuse_unknown_ids(prepared: Prepared, options: RunOptions) -> None:
    known = {job.id for job in prepared.jobs}
    for job_id in options.only:
        if job_id not in known:
            raise UsageError(
                f"`--only {job_id}`: the plan has no such job",
                hint=f"its jobs: {', '.join(sorted(known))}",
            )


def _selection(
    prepared: Prepared, decision: Decision, options: RunOptions
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids that may be sent now, and those that `--only` leaves alone."""
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
