"""`runbook rehearse`: the whole evening against the built-in simulator."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.options import plan_argument
from runbook.cli.wiring import Root
from runbook.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from runbook.plan.model import Plan, Wave


# Practice by hand runs on the real clock, so that its jobs are short.
PRACTICE_JOB_MINUTES = (0.05, 0.4)
PRACTICE_BACKUP_MINUTES = 0.3


@click.command("rehearse")
@plan_argument
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed, the same evening."
)
@click.option(
    "--faults",
    type=click.Choice(["none", "light", "heavy"]),
    default="light",
    show_default=True,
    help="How much goes wrong on the way.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the rehearsal's report.",
)
@click.option("--repair", is_flag=True, help="Leave links out, and repair them after verification.")
@click.option("--rollback", is_flag=True, help="Take everything back at the end.")
@click.option("--serve", is_flag=True, help="Leave the simulator running, to practise by hand.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="With `--serve`."
)
@click.option(
    "--ledger",
    "ledger_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep the rehearsal's own ledger in a file that is not there yet.",
)
@click.pass_obj
@click.pass_context
def rehearse(ctx: click.Context, root: Root, /, **given: Any) -> None:
    """Play the whole evening of PLAN against the built-in simulator, on loopback, in minutes.

    The plan's planned moment is taken as the present and planned waves as finished, so a rehearsal
    never goes out of date. Nothing reaches Atlassian.
    """
    from runbook.cli.planning import planned

    ledger_file: Path | None = given["ledger_file"]
    if ledger_file is not None and ledger_file.exists():
        raise UsageError(
            f"`{ledger_file}` is there already, and a rehearsal begins a ledger of its own",
            hint="name a new file, or leave `--ledger` out",
        )
    judged = planned(root, given["plan"])
    if given["serve"]:
        _refuse_with_serve(given)
        ctx.exit(_serve(given["plan"], judged.plan, root, judged.facts.at, given))
    from runbook.cli.rehearsal import RehearsalOptions, rehearse_in_file

    plan = as_if_finished(judged.plan, judged.facts.at)

    options = RehearsalOptions(
        path=given["plan"],
        seed=given["seed"],
        faults=given["faults"],
        report=given["report_file"],
        repair=given["repair"] or given["rollback"],
        rollback=given["rollback"],
    )
    ctx.exit(int(rehearse_in_file(root, judged, plan, options, ledger_file)))


def as_if_finished(plan: "Plan", at: "datetime") -> "Plan":
    """Return the plan with every planned wave finished, at the latest at the rehearsal's present."""
    return dataclasses.replace(
        plan,
        sites=tuple(
            dataclasses.replace(site, waves=tuple(_finished(wave, at) for wave in site.waves))
            for site in plan.sites
        ),
    )


def _finished(wave: "Wave", at: "datetime") -> "Wave":
    if wave.finished is not None or wave.planned is None:
        return wave
    finished = min(wave.planned, at)
    started = None if wave.started is None else min(wave.started, finished)
    return dataclasses.replace(wave, finished=finished, started=started, planned=None)


def _refuse_with_serve(given: dict[str, Any]) -> None:
    names = ("report_file", "repair", "rollback", "ledger_file")
    used = [f"`--{name.removesuffix('_file')}`" for name in names if given[name]]
    if used:
        raise UsageError(
            f"{' and '.join(used)} and `--serve` exclude each other: with `--serve` nothing is played",
            hint="leave it out here; the commands that you practise with take it",
        )


def _serve(path: Path, plan: "Plan", root: Root, at: "datetime", given: dict[str, Any]) -> int:
    from datetime import timedelta

    from runbook.cli.console import say, show
    from runbook.cli.files import write_atomically
    from runbook.cli.practice import practice_copy, practice_path
    from runbook.plan import read_plan
    from runbook.simulator.levels import faults_for
    from runbook.simulator.populate import world_of
    from runbook.simulator.server import run_server

    copy = practice_path(path)
    # A minute early, so that the evening has begun when the first command is typed.
    write_atomically(copy, practice_copy(plan, root.clock.now() - at - timedelta(minutes=1)))
    world = world_of(
        read_plan(copy), clock=root.clock, seed=given["seed"], job_minutes=PRACTICE_JOB_MINUTES
    )
    world.settings.backup_minutes = PRACTICE_BACKUP_MINUTES
    world.faults.add(*faults_for(given["faults"], plan, seed=given["seed"]))

    def ready(endpoint: str) -> None:
        show(endpoint)
        say(
            "the simulator answers for every host of the plan, with any e-mail and token; Ctrl-C ends it\n"
            "practise in another terminal, in a ledger of its own:\n"
            f"  export RUNBOOK_ENDPOINT={endpoint} RUNBOOK_LEDGER=practice.ledger\n"
            "  export RUNBOOK_EMAIL=me@example.invalid RUNBOOK_API_TOKEN=dummy\n"
            f"  runbook run {copy}\n"
            f"`{copy}` is the plan with its moments moved to now; what it sends is the same"
        )

    run_server(world, given["port"], ready=ready)
    return int(ExitCode.DONE)
