"""The rehearsed evening: check, look, run, verify, repair, take back; on virtual time, real sockets.

The same functions as on the night carry it out. Where the night needs a person, the rehearsal plays
that person and says so, with what really happened on the simulated side as the person's knowledge.
"""

import contextlib
import dataclasses
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runbook.atlassian.facts import ask
from runbook.atlassian.limits import Limits
from runbook.checks import examine
from runbook.cli.closing import closing
from runbook.cli.console import say
from runbook.cli.linkwork import outcome_code, scratch
from runbook.cli.planning import Planned, refuse_unless_may_run
from runbook.cli.progress import Lines, write_report
from runbook.cli.run_values import Prepared, RunOptions, Summary, prepare
from runbook.cli.running import conduct
from runbook.cli.summary import summary_text
from runbook.cli.wiring import Root, process_mask
from runbook.clock import VirtualClock, parse_utc
from runbook.errors import ExitCode, foremost
from runbook.execute.executor import Ending
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Pace
from runbook.findings import Finding, counts
from runbook.http import Send
from runbook.ledger.events import JobResolved
from runbook.ledger.store import Ledger, create_ledger
from runbook.plan.model import Plan
from runbook.remotelinks.compare import KINDS
from runbook.remotelinks.expected import read_expected
from runbook.remotelinks.scope import scope_of
from runbook.remotelinks.snapshot import take
from runbook.remotelinks.snapshot_file import create_snapshot
from runbook.remotelinks.staging import Stage
from runbook.remotelinks.steps import LinkPorts, list_repair, list_rollback, verify_run
from runbook.secrets import Account, Secret
from runbook.simulator.levels import Level, faults_for
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
    """What is to be rehearsed."""

    path: Path
    seed: int = 0
    faults: Level = "light"
    report: Path | None = None
    repair: bool = False
    rollback: bool = False


def rehearse_in_file(
    root: Root, judged: Planned, plan: Plan, options: RehearsalOptions, ledger_file: Path | None
) -> ExitCode:
    """Rehearse in a ledger of its own, kept only where a file is named.

    Raises:
        PlanError: the plan may not run at its planned moment.
    """
    refuse_unless_may_run(judged)
    clock = VirtualClock(judged.facts.at)
    # The evening's chance is the seed's, so that the same seed is the same evening.
    chance = random.Random(options.seed)  # noqa: S311 - a game, not a secret
    inner = Root(environ={}, clock=clock, interactive=False, random=chance.random)
    with (
        scratch() as folder,
        create_ledger(
            ledger_file or folder / "rehearsal.ledger", clock=clock, mask=process_mask()
        ) as ledger,
    ):
        evening = _Evening(
            root=inner,
            clock=clock,
            judged=judged,
            plan=plan,
            options=options,
            ledger=ledger,
            folder=folder,
        )
        return ExitCode(root.await_(evening.play()))


@dataclass(slots=True, kw_only=True)
class _Evening:
    root: Root
    clock: VirtualClock
    judged: Planned
    plan: Plan
    options: RehearsalOptions
    ledger: Ledger
    folder: Path

    async def play(self) -> ExitCode:
        world = self._world()
        # Verification maps keys to sites by projects, which a plan may leave out.
        self.plan = world.with_projects(self.plan)
        accounts = tuple(
            Account(profile, f"{profile}@rehearsal.invalid", Secret(f"rehearsal-{profile}"))
            for profile in dict.fromkeys(site.account for site in self.plan.sites)
        )
        say(
            f"REHEARSAL of `{self.plan.name}` at {moment(self.clock.now(), self.plan.zone)}; nothing reaches Atlassian"
        )
        async with (
            serving(world) as endpoint,
            self.root.network(accounts, endpoint=endpoint) as send,
        ):
            judged = await self._asked(send)
            world.faults.add(*faults_for(self.options.faults, self.plan, seed=self.options.seed))
            links = self._link_ports(send)
            before = await self._looked_before(world, links, send)
            ending = await self._run(world, judged, send, accounts, endpoint)
            codes = [ending.exit_code, *await self._after(links, before)]
        view = self._view()
        self._summary(world, view)
        if self.options.report is not None:
            write_report(self.options.report, self.ledger, view.id)
            say(f"report: {self.options.report}")
        return foremost(codes)

    def _world(self) -> World:
        return World.from_plan(
            self.plan,
            clock=self.clock,
            seed=self.options.seed,
            leave_out=LEFT_OUT if self.options.repair else 0.0,
        )

    def _link_ports(self, send: Send) -> LinkPorts:
        return LinkPorts(
            plan=self.plan,
            ledger=self.ledger,
            clock=self.clock,
            limits=Limits(self.clock),
            folder=self.folder,
            send=send,
            random=self.root.random,
        )

    async def _asked(self, send: Send) -> Planned:
        """Ask the sites what `check --online` asks; the findings go into the run."""
        facts = dataclasses.replace(
            self.judged.facts, online=await ask(self.plan, send, self.clock), not_asked=""
        )
        findings = examine(self.judged.plan, facts, _structural(self.judged))
        asked = dataclasses.replace(self.judged, facts=facts, findings=findings)
        say(f"check --online: {_counted(findings)}")
        return asked

    async def _looked_before(self, world: World, links: LinkPorts, send: Send) -> Path:
        csv = self.folder / EXPECTED
        csv.write_text(world.expected_csv(), encoding="utf-8")
        before = self.folder / "before.snapshot"
        scope = scope_of(self.plan, links=csv)
        with create_snapshot(
            before,
            plan=self.plan.name,
            digest=self.plan.digest,
            scope=scope.as_json(),
            at=self.clock.now(),
        ) as file:
            taken = await take(
                self.plan,
                file,
                scope,
                send=send,
                clock=self.clock,
                limits=links.limits,
                random=self.root.random,
            )
        issues = sum(taken.states.values())
        say(
            f"snapshot: {plural(issues, 'issue')} with {plural(taken.links, 'remote link')} before the run"
        )
        return before

    async def _after(self, links: LinkPorts, before: Path) -> list[ExitCode]:
        """Verify, and where wanted repair, verify again and take back; return the exit codes."""
        verified = await self._verified(links, before)
        codes = [verified]
        if self.options.repair and verified is ExitCode.DIFFERENCES:
            codes = [await self._repaired(links), await self._verified(links, before)]
        if self.options.rollback:
            codes.append(await self._rolled_back(links, before))
        return codes

    async def _verified(self, links: LinkPorts, before: Path) -> ExitCode:
        with Stage(self.plan, folder=self.folder) as stage:
            verified = await verify_run(
                links,
                self._view().id,
                stage,
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
        say(f"verify: {verified.result}, {total} expected = {found}")
        return verified.exit_code

    async def _repaired(self, links: LinkPorts) -> ExitCode:
        with Stage(self.plan, folder=self.folder) as stage:
            work = await list_repair(
                links,
                self._view(),
                stage,
                expected=read_expected(self.folder / EXPECTED),
                after=None,
            )
            outcomes = await work.carry_out(OPERATOR)
        results = outcomes.counts(work.plan_list.orders)
        say(f"repair: {added_up(results)}, {len(work.plan_list.left)} left alone")
        return outcome_code(outcomes, results)

    async def _rolled_back(self, links: LinkPorts, before: Path) -> ExitCode:
        work = await list_rollback(links, self._view(), read_view=self._view, before=before)
        outcomes = await work.carry_out(OPERATOR)
        results = outcomes.counts(work.plan_list.orders)
        say(f"rollback: {added_up(results)}, {len(work.plan_list.left)} left alone")
        return outcome_code(outcomes, results)

    async def _run(
        self,
        world: World,
        judged: Planned,
        send: Send,
        accounts: tuple[Account, ...],
        endpoint: str,
    ) -> Ending:
        prepared = prepare(judged, self.plan)
        run_options = RunOptions(
            plan=self.options.path,
            operator=OPERATOR,
            pace=Pace(submit_interval_s=0.0),
            endpoint=endpoint,
            rehearsal=True,
            said={"seed": self.options.seed, "faults": self.options.faults},
        )
        for _ in range(TAKES):
            run, ending = await conduct(
                self.root,
                run_options,
                prepared,
                ledger=self.ledger,
                send=send,
                accounts=accounts,
                prober=self.root.prober(self.plan, send),
                interrupts=Interrupts(),
                signals=contextlib.nullcontext(),
                observers=(Lines(self.plan.zone),),
                confirm=self._confirm,
            )
            if not self._play_person(world, prepared) and ending.exit_code is not ExitCode.REMOTE:
                break
            say("the same command again, as on the night:")
        closing(self.ledger, run, ending, plan=self.options.path)
        return ending

    def _confirm(self, summary: Summary) -> None:
        say(summary_text(summary))
        say("")

    def _play_person(self, world: World, prepared: Prepared) -> bool:
        """Settle unknown outcomes with what truly happened; return whether there was any."""
        view = self._view()
        bodies = {job.id: job.body for job in prepared.jobs}
        unknown = [j for j in view.jobs if j.state is JobState.UNKNOWN and not j.spoken]
        for job in unknown:
            truth = world.true_outcome(bodies[job.id])
            word = "send_again" if truth is None else "accepted"
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
            say(f"{job.id}: a person says {word.replace('_', ' ')} (`runbook resolve`)")
        return bool(unknown)

    def _view(self) -> RunView:
        return runs_of(self.ledger.events())[-1]

    def _summary(self, world: World, view: RunView) -> None:
        began, ended = parse_utc(view.started_at), parse_utc(view.ended_at or view.last_at)
        say("")
        say(
            f"the evening will take about {span(ended - began)} if jobs take as long as simulated; Atlassian documents no duration"
        )
        pauses = max(0, len(view.jobs) - 1) * timedelta(seconds=Pace().submit_interval_s)
        say(
            f"  besides, {plural(len(view.jobs), 'submission')} at most one every {Pace().submit_interval_s:.0f} s: {span(pauses)}"
        )
        if world.faults.fired:
            say("faults that were met, and what one would have done:")
            for fired in world.faults.fired:
                say(f"  {fired.fault.sentence}: {fired.fault.advice}")
        else:
            say("no faults were met")


def _counted(findings: tuple[Finding, ...]) -> str:
    return (
        ", ".join(plural(count, name) for name, count in counts(findings).items() if count)
        or "nothing found"
    )


def _structural(judged: Planned) -> tuple[Finding, ...]:
    return tuple(finding for finding in judged.findings if finding.code.startswith("RB1"))
