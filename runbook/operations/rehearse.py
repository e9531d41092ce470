"""The rehearsed evening: check, snapshot, run, verify, repair, roll back; virtual time, real sockets.

The same functions as on the night carry it out. Where the night needs a person, the rehearsal plays
that person and says so, with what really happened on the simulated side as the person's knowledge.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from runbook.atlassian.facts import ask
from runbook.atlassian.limits import Limits
from runbook.checks import examine
from runbook.checks.checked_plan import CheckedPlan
from runbook.clock import VirtualClock
from runbook.errors import ExitCode, foremost
from runbook.execute.executor import Ending
from runbook.execute.ports import Pace
from runbook.findings import Finding, counts
from runbook.http import Send
from runbook.ledger.events import JobResolved
from runbook.ledger.events.kinds import Resolution
from runbook.ledger.store import Ledger, create_ledger
from runbook.operations.check_plan import checked_plan
from runbook.operations.link_steps import (
    LinkPorts,
    clients_of,
    list_repair,
    list_rollback,
    verify_run,
)
from runbook.operations.links import outcome_code, scratch
from runbook.operations.reports import write_report
from runbook.operations.root import NetworkOptions, Root, process_mask
from runbook.operations.run import RunEnvironment, RunOptions, RunResult, RunScreen, run_plan
from runbook.plan.model import Plan, Wave
from runbook.remotelinks.compare import KINDS
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.expected import read_expected
from runbook.remotelinks.snapshot import scope_of, snapshot_of, take
from runbook.remotelinks.writes import Order, Outcomes, WriteList, Writer
from runbook.secrets import Account, Secret
from runbook.simulator.faults import Level, faults_for
from runbook.simulator.populate import world_of
from runbook.simulator.server import serving
from runbook.simulator.world import World
from runbook.text import added_up, moment, plural, span
from runbook.view import JobState, RunView, runs_of

TAKES = 6
OPERATOR = "rehearsal"
PERSON = "the rehearsal, in your place"
EXPECTED = "expected.csv"
# So many of the lost links are left out where a repair is to be rehearsed.
LEFT_OUT = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOptions:
    """What is to be rehearsed; `ledger_file` keeps the rehearsal's own ledger."""

    plan: Path
    seed: int = 0
    faults: Level = "light"
    report_file: Path | None = None
    repair: bool = False
    rollback: bool = False
    serve: bool = False
    port: int = 0
    ledger_file: Path | None = None

    @property
    def repairs(self) -> bool:
        """Whether links are left out and repaired: a rollback has something to remove then."""
        return self.repair or self.rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalScreen:
    """What a rehearsal shows on its way; built by the command line."""

    say: Callable[[str], None]
    run: RunScreen
    closing: Callable[[RunResult], None]
    outcomes: Callable[[Outcomes, Mapping[str, int]], None]


def rehearse_in_file(root: Root, options: RehearsalOptions, screen: RehearsalScreen) -> ExitCode:
    """Rehearse in a ledger of its own, kept only where a file is named.

    Raises:
        PlanError: the plan may not run at its planned moment.
    """
    checked = checked_plan(root, options.plan)
    checked.refuse_unless_may_run()
    at = checked.facts.at
    clock = VirtualClock(at)
    # The evening's chance is the seed's, so that the same seed is the same evening.
    chance = random.Random(options.seed)  # noqa: S311 - a game, not a secret
    inner = Root(environ={}, clock=clock, interactive=False, random=chance.random)
    with (
        scratch() as folder,
        create_ledger(
            options.ledger_file or folder / "rehearsal.ledger", clock=clock, mask=process_mask()
        ) as ledger,
    ):
        evening = _Evening(
            root=inner,
            clock=clock,
            checked=checked,
            plan=as_if_finished(checked.plan, at),
            options=options,
            screen=screen,
            ledger=ledger,
            folder=folder,
        )
        return ExitCode(root.await_(evening.play()))


def as_if_finished(plan: Plan, at: datetime) -> Plan:
    """Return the plan with every planned wave finished, at the latest at the rehearsal's present."""
    return replace(
        plan,
        sites=tuple(
            replace(site, waves=tuple(_finished(wave, at) for wave in site.waves))
            for site in plan.sites
        ),
    )


def _finished(wave: Wave, at: datetime) -> Wave:
    if wave.finished is not None or wave.planned is None:
        return wave
    finished = min(wave.planned, at)
    started = None if wave.started is None else min(wave.started, finished)
    return replace(wave, finished=finished, started=started, planned=None)


@dataclass(slots=True, kw_only=True)
class _Evening:
    root: Root
    clock: VirtualClock
    checked: CheckedPlan
    plan: Plan
    options: RehearsalOptions
    screen: RehearsalScreen
    ledger: Ledger
    folder: Path

    async def play(self) -> ExitCode:
        leave_out = LEFT_OUT if self.options.repairs else 0.0
        world = world_of(self.plan, clock=self.clock, seed=self.options.seed, leave_out=leave_out)
        # Verification maps keys to sites by projects, which a plan may leave out.
        self.plan = world.with_projects(self.plan)
        accounts = tuple(
            Account(profile, f"{profile}@rehearsal.invalid", Secret(f"rehearsal-{profile}"))
            for profile in dict.fromkeys(site.account for site in self.plan.sites)
        )
        self.screen.say(
            f"REHEARSAL of `{self.plan.name}` at {moment(self.clock.now(), self.plan.zone)}; nothing reaches Atlassian"
        )
        async with (
            serving(world) as endpoint,
            self.root.network(accounts, NetworkOptions(endpoint=endpoint)) as send,
        ):
            checked = await self._asked(send)
            world.faults.add(*faults_for(self.options.faults, self.plan, seed=self.options.seed))
            links = LinkPorts(
                plan=self.plan,
                ledger=self.ledger,
                clock=self.clock,
                folder=self.folder,
                connect=partial(
                    clients_of,
                    self.plan.sites,
                    send,
                    self.clock,
                    Limits(self.clock),
                    self.root.random,
                ),
            )
            before = await self._looked_before(world, links)
            ending = await self._run(world, checked, send, accounts, endpoint)
            codes = [ending.exit_code, *await self._after(links, before)]
        view = self._view()
        self._summary(world, view)
        if self.options.report_file is not None:
            write_report(self.options.report_file, self.ledger, view.id)
            self.screen.say(f"report: {self.options.report_file}")
        return foremost(codes)

    async def _asked(self, send: Send) -> CheckedPlan:
        """Ask the sites what `check --online` asks; the findings go into the run."""
        facts = replace(
            self.checked.facts, online=await ask(self.plan, send, self.clock), not_asked=""
        )
        structural = tuple(
            finding for finding in self.checked.findings if finding.code.startswith("RB1")
        )
        findings = examine(self.checked.plan, facts, structural)
        self.screen.say(f"check --online: {_counted(findings)}")
        return CheckedPlan.of(self.plan, facts, findings)

    async def _looked_before(self, world: World, links: LinkPorts) -> Path:
        csv = self.folder / EXPECTED
        csv.write_text(world.expected_csv(), encoding="utf-8")
        before = self.folder / "before.snapshot"
        scope = scope_of(self.plan, links=csv)
        with snapshot_of(before, self.plan, scope, self.clock.now()) as file:
            taken = await take(self.plan, file, scope, sites=links.connect(), clock=self.clock)
        issues = sum(taken.states.values())
        self.screen.say(
            f"snapshot: {plural(issues, 'issue')} with {plural(taken.links, 'remote link')} before the run"
        )
        return before

    async def _after(self, links: LinkPorts, before: Path) -> list[ExitCode]:
        """Verify, and where wanted repair, verify again and take back; return the exit codes."""
        verified = await self._verified(links, before)
        codes = [verified]
        if self.options.repairs and verified is ExitCode.DIFFERENCES:
            codes = [await self._repaired(links), await self._verified(links, before)]
        if self.options.rollback:
            codes.append(await self._rolled_back(links, before))
        return codes

    async def _verified(self, links: LinkPorts, before: Path) -> ExitCode:
        with ComparisonStore(self.plan, folder=self.folder) as store:
            verified = await verify_run(
                links,
                self._view(),
                store,
                expected=read_expected(self.folder / EXPECTED),
                after=None,
                before=before,
                sample=None,
                operator=OPERATOR,
            )
        total = sum(job["expected"] for job in verified.jobs)
        found = ", ".join(
            f"{verified.total(kind)} {kind.value.replace('_', ' ')}"
            for kind in KINDS
            if verified.total(kind)
        )
        self.screen.say(f"verify: {verified.result}, {total} expected = {found}")
        return verified.exit_code

    async def _repaired(self, links: LinkPorts) -> ExitCode:
        expected = read_expected(self.folder / EXPECTED)
        todo, writer = await list_repair(links, self._view(), expected=expected, after=None)
        return await self._carried_out("repair", todo, writer)

    async def _rolled_back(self, links: LinkPorts, before: Path) -> ExitCode:
        todo, writer = await list_rollback(links, self._view(), read_view=self._view, before=before)
        return await self._carried_out("rollback", todo, writer)

    async def _carried_out(self, kind: str, todo: WriteList[Order], writer: Writer) -> ExitCode:
        outcomes = await writer.carry_out(todo, OPERATOR)
        results = outcomes.counts(todo.orders)
        self.screen.say(f"{kind}: {added_up(results)}, {len(todo.left)} left alone")
        self.screen.outcomes(outcomes, results)
        return outcome_code(outcomes, results)

    async def _run(
        self,
        world: World,
        checked: CheckedPlan,
        send: Send,
        accounts: tuple[Account, ...],
        endpoint: str,
    ) -> Ending:
        options = RunOptions(plan=self.options.plan, submit_interval_s=0.0, rehearsal=True)
        environment = RunEnvironment(
            ledger=self.ledger,
            send=send,
            accounts=accounts,
            operator=OPERATOR,
            endpoint=endpoint,
            recorded={"seed": self.options.seed, "faults": self.options.faults},
        )
        for _ in range(TAKES):
            result = await run_plan(self.root, checked, options, environment, self.screen.run)
            settled = self._play_person(world, checked)
            if not settled and result.ending.exit_code is not ExitCode.REMOTE:
                break
            self.screen.say("the same command again, as on the night:")
        self.screen.closing(replace(result, view=self._view()))
        return result.ending

    def _play_person(self, world: World, checked: CheckedPlan) -> bool:
        """Settle unknown outcomes with what truly happened; return whether there was any."""
        view = self._view()
        bodies = {job.id: job.body for job in checked.jobs}
        unknown = [j for j in view.jobs if j.state is JobState.UNKNOWN and not j.settled_by_person]
        for job in unknown:
            truth = world.true_outcome(bodies[job.id])
            word: Resolution = "send_again" if truth is None else "accepted"
            self.ledger.append(
                JobResolved(
                    resolution=word,
                    uuid=None if truth is None else truth.uuid,
                    by=PERSON,
                    note="a person would look at Atlassian's own pages and logs, or send again",
                ),
                run=view.id,
                job=job.id,
            )
            self.screen.say(f"{job.id}: a person says {word.replace('_', ' ')} (`runbook resolve`)")
        return bool(unknown)

    def _view(self) -> RunView:
        return runs_of(self.ledger.events())[-1]

    def _summary(self, world: World, view: RunView) -> None:
        began, ended = view.started_at, view.ended_at or view.last_at
        self.screen.say("")
        self.screen.say(
            f"the evening will take about {span(ended - began)} if jobs take as long as simulated; Atlassian documents no duration"
        )
        pauses = max(0, len(view.jobs) - 1) * timedelta(seconds=Pace().submit_interval_s)
        self.screen.say(
            f"  besides, {plural(len(view.jobs), 'submission')} at most one every {Pace().submit_interval_s:.0f} s: {span(pauses)}"
        )
        if world.faults.fired:
            self.screen.say("faults that were met, and what one would have done:")
            for fault in world.faults.fired:
                self.screen.say(f"  {fault.sentence}: {fault.advice}")
        else:
            self.screen.say("no faults were met")


def _counted(findings: tuple[Finding, ...]) -> str:
    return (
        ", ".join(plural(count, name) for name, count in counts(findings).items() if count)
        or "nothing found"
    )
