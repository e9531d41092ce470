"""The rehearsed evening: check, look, run, verify, repair, take back; on virtual time, real sockets.

The same functions as on the night carry it out. Where the night needs a person, the rehearsal plays
that person and says so, with what really happened on the simulated side as the person's knowledge.
"""

import contextlib
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runbook.cli.console import say
from runbook.cli.planning import Planned, refuse_unless_may_run
from runbook.cli.progress import Lines, closing, write_report
from runbook.cli.running import Prepared, RunOptions, Summary, conduct, prepare
from runbook.cli.summary import summary_text
from runbook.cli.wiring import Root, process_mask
from runbook.clock import VirtualClock, parse_utc
from runbook.errors import ExitCode
from runbook.execute.executor import Ending
from runbook.execute.interrupts import Interrupts
from runbook.execute.ports import Pace
from runbook.ledger.events import JobResolved
from runbook.ledger.store import Ledger, create_ledger
from runbook.plan.model import Plan
from runbook.secrets import Account, Secret
from runbook.simulator.server import serving
from runbook.simulator.world import World
from runbook.text import moment, plural, span
from runbook.view import JobState, RunView, runs_of
from runbook.wire import Send

TAKES = 6
PERSON = "the rehearsal, in your place"


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOptions:
    """What is to be rehearsed."""

    path: Path
    seed: int = 0
    faults: str = "light"
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
        _ledger_path(ledger_file) as path,
        create_ledger(path, clock=clock, mask=process_mask()) as ledger,
    ):
        evening = _Evening(
            root=inner, clock=clock, judged=judged, plan=plan, options=options, ledger=ledger
        )
        return ExitCode(root.await_(evening.play()))


@contextlib.contextmanager
def _ledger_path(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        yield wanted
        return
    with tempfile.TemporaryDirectory(
        prefix="runbook-rehearsal-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder) / "rehearsal.ledger"


@dataclass(slots=True, kw_only=True)
class _Evening:
    root: Root
    clock: VirtualClock
    judged: Planned
    plan: Plan
    options: RehearsalOptions
    ledger: Ledger

    async def play(self) -> int:
        world = self._world()
        accounts = tuple(
            Account(profile, f"{profile}@rehearsal.invalid", Secret(f"rehearsal-{profile}"))
            for profile in dict.fromkeys(site.account for site in self.plan.sites)
        )
        zone = self.plan.zone
        say(
            f"REHEARSAL of `{self.plan.name}` at {moment(self.clock.now(), zone)}; nothing reaches Atlassian"
        )
        async with (
            serving(world) as endpoint,
            self.root.network(accounts, endpoint=endpoint) as send,
        ):
            ending = await self._run(world, send, accounts, endpoint)
        view = self._view()
        self._summary(world, view)
        if self.options.report is not None:
            write_report(self.options.report, self.ledger, view.id)
            say(f"report: {self.options.report}")
        return int(ending.exit_code)

    def _world(self) -> World:
        return World.from_plan(
            self.plan,
            clock=self.clock,
            seed=self.options.seed,
            leave_out=0.02 if self.options.repair else 0.0,
        )

    async def _run(
        self, world: World, send: Send, accounts: tuple[Account, ...], endpoint: str
    ) -> Ending:
        prepared = prepare(self.judged, self.plan)
        run_options = RunOptions(
            plan=self.options.path,
            operator="rehearsal",
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
                observers=(Lines(),),
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
