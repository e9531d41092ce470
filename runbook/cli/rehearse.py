"""`runbook rehearse`: the whole evening against the built-in simulator."""

import contextlib
from collections.abc import Iterator
from datetime import tzinfo
from functools import partial
from pathlib import Path

import click

from runbook.cli.console import say, show
from runbook.cli.link_text import say_outcomes
from runbook.cli.options import path_option, plan_argument, with_options
from runbook.cli.summary import say_closing, summary_text
from runbook.cli.watching import Lines
from runbook.errors import ExitCode, UsageError
from runbook.execute.ports import Observer
from runbook.ledger.store import Ledger
from runbook.operations.practice import serve_practice
from runbook.operations.rehearse import RehearsalOptions, RehearsalScreen, rehearse_in_file
from runbook.operations.root import Root
from runbook.operations.run import RunScreen, RunSummary


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
@path_option("--report", "report_file", help="Write the rehearsal's report.", dir_okay=False)
@click.option("--repair", is_flag=True, help="Leave links out, and repair them after verification.")
@click.option("--rollback", is_flag=True, help="Remove everything at the end.")
@click.option("--serve", is_flag=True, help="Leave the simulator running, to practise by hand.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="With `--serve`."
)
@path_option(
    "--ledger",
    "ledger_file",
    help="Keep the rehearsal's own ledger in a file that is not there yet.",
    dir_okay=False,
)
@with_options(RehearsalOptions)
def rehearse(root: Root, options: RehearsalOptions) -> ExitCode:
    """Play the whole evening of PLAN against the built-in simulator, on loopback, in minutes.

    The plan's planned moment is taken as the present and planned waves as finished, so a rehearsal
    never goes out of date. Nothing reaches Atlassian.
    """
    if options.ledger_file is not None and options.ledger_file.exists():
        raise UsageError(
            f"`{options.ledger_file}` is there already, and a rehearsal begins a ledger of its own",
            hint="name a new file, or leave `--ledger` out",
        )
    if options.serve:
        _refuse_with_serve(options)
        serve_practice(root, options, _show_practice)
        return ExitCode.DONE
    screen = RehearsalScreen(
        say=say,
        run=RunScreen(confirm=_show_summary, observers=_lines),
        closing=partial(say_closing, plan=options.plan),
        outcomes=say_outcomes,
    )
    return rehearse_in_file(root, options, screen)


@contextlib.contextmanager
def _lines(_: Ledger, zone: tzinfo) -> Iterator[tuple[Observer, ...]]:
    yield (Lines(zone),)


def _show_summary(summary: RunSummary) -> None:
    say(summary_text(summary))
    say("")


def _refuse_with_serve(options: RehearsalOptions) -> None:
    given = {
        "--report": options.report_file,
        "--repair": options.repair,
        "--rollback": options.rollback,
        "--ledger": options.ledger_file,
    }
    used = [f"`{name}`" for name, value in given.items() if value]
    if used:
        raise UsageError(
            f"{' and '.join(used)} and `--serve` exclude each other: with `--serve` nothing is played",
            hint="leave it out here; the commands that you practise with take it",
        )


def _show_practice(endpoint: str, copy: Path) -> None:
    show(endpoint)
    say(
        "the simulator answers for every host of the plan, with any e-mail and token; Ctrl-C ends it\n"
        "practise in another terminal, in a ledger of its own:\n"
        f"  export RUNBOOK_ENDPOINT={endpoint} RUNBOOK_LEDGER=practice.ledger\n"
        "  export RUNBOOK_EMAIL=me@example.invalid RUNBOOK_API_TOKEN=dummy\n"
        f"  runbook run {copy}\n"
        f"`{copy}` is the plan with its moments moved to now; what it sends is the same"
    )
