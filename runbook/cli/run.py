"""`runbook run`: submit the jobs of a plan once, or resume its run."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import click

from runbook.cli.console import say
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    operator_option,
    path_option,
    plan_argument,
    with_options,
    yes_option,
)
from runbook.cli.preview import show_preview
from runbook.cli.summary import say_closing, summary_text
from runbook.cli.watching import observers_for
from runbook.errors import ExitCode, UsageError
from runbook.execute.ports import Interrupts
from runbook.jobs import SUBMIT_INTERVAL_S
from runbook.operations.check_plan import expected_links
from runbook.operations.root import Root
from runbook.operations.run import RunOptions, RunScreen, RunSummary, checked_for_run, run_in_ledger


class TakesIds(click.Command):
    """A command whose `--only` and `--again` take any number of ids: `--only a b c`."""

    _LISTS = ("--only", "--again")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite `--only a b` as `--only a --only b`; a bare `--again` means "choose for me"."""
        return super().parse_args(ctx, spread(args, self._LISTS))


def spread(args: list[str], lists: tuple[str, ...]) -> list[str]:
    """Return the arguments with one option per id.

    An id has neither dot nor slash, so that a plan's file name after the ids ends the list.
    """
    result: list[str] = []
    position = 0
    while position < len(args):
        word = args[position]
        position += 1
        if word not in lists:
            result.append(word)
            continue
        taken = 0
        while position < len(args) and _is_id(args[position]):
            result += [word, args[position]]
            position, taken = position + 1, taken + 1
        if not taken:
            result += [word, ""]
    return result


def _is_id(word: str) -> bool:
    return bool(word) and not word.startswith("-") and not any(c in word for c in "./\\")


def _again(_: click.Context, __: click.Parameter, words: tuple[str, ...]) -> Any:
    return tuple(word for word in words if word) if words else None


_seconds = partial(click.option, type=click.FloatRange(min=0), metavar="S", show_default=True)


def _stripped(_: click.Context, __: click.Parameter, text: str) -> str:
    return text.strip()


@click.command("run", cls=TakesIds)
@plan_argument
@click.option("--dry-run", is_flag=True, help="Print what would be sent, as `preview` does.")
@yes_option
@click.option(
    "--digest", metavar="SHA", help="Run only if the jobs (or the plan) have this digest."
)
@path_option(
    "--report", "report_file", help="Keep an HTML report up to date while it runs.", dir_okay=False
)
@click.option("--only", multiple=True, metavar="ID …", help="Send only these jobs now.")
@click.option("--early", is_flag=True, help="Run before the plan's cutover.")
@click.option(
    "--again",
    multiple=True,
    metavar="[ID …]",
    callback=_again,
    help="Open the next round: these jobs, or those with a pair of waves not served yet.",
)
@click.option(
    "--reason",
    default="",
    metavar="TEXT",
    callback=_stripped,
    help="Why the next round; with `--again`.",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["ask", "stop", "resubmit"]),
    default="ask",
    show_default=True,
    help="A word given beforehand on outcomes that cannot be known.",
)
@_seconds(
    "--submit-interval",
    "submit_interval_s",
    default=SUBMIT_INTERVAL_S,
    help="At most one submission every S seconds.",
)
@_seconds(
    "--poll-interval",
    "poll_interval_s",
    help="Ask for a status every S seconds; default growing from 5 to 60.",
)
@_seconds(
    "--connect-retry",
    "connect_retry_s",
    default=600.0,
    help="Try for S seconds to reach a host that cannot be connected to.",
)
@format_option("text", "json", help_text="json: one object per ledger event on stdout.")
@operator_option
@ledger_option
@network_options
@with_options(RunOptions)
def run(root: Root, options: RunOptions) -> ExitCode:
    """Submit the jobs of PLAN, each exactly once; run again, it resumes."""
    if options.again is not None and not options.reason:
        raise UsageError(
            "`--again` needs `--reason TEXT`",
            hint="it is kept in the ledger and shown in the report",
        )
    if options.again is not None and options.only:
        raise UsageError(
            "`--again` and `--only` exclude each other", hint="`--again ID …` names the jobs itself"
        )
    if options.dry_run:
        checked = checked_for_run(root, options)
        show_preview(checked, options.output_format, expected_links(checked, None))
        return ExitCode.DONE if checked.may_run else ExitCode.PLAN
    if not options.yes and not root.interactive:
        raise UsageError(
            "`run` asks for the plan's name before the first job, and there is no terminal to ask on",
            hint="look at `runbook preview` first, then add `--yes`, best with `--digest SHA`",
        )

    screen = RunScreen(
        observers=partial(observers_for, root, options.output_format, options.report_file),
        confirm=asking(yes=options.yes),
        signals=signals_to,
    )
    result = run_in_ledger(root, options, screen)
    say_closing(result, options.plan)
    return result.ending.exit_code


def asking(*, yes: bool) -> Callable[[RunSummary], None]:
    """Return what shows the summary and, without `--yes`, asks for the plan's name."""

    def confirm(summary: RunSummary) -> None:
        say(summary_text(summary))
        if yes:
            return
        name = summary.checked.plan.name
        # An event loop would keep Ctrl-C for itself; a question ends at once.
        with _handled_by(signal.default_int_handler, signal.SIGINT):
            typed = click.prompt(
                f"Type the plan's name (`{name}`) to send", err=True, default="", show_default=False
            )
        if typed.strip() != name:
            raise UsageError(
                "that is not the plan's name; nothing was sent", hint=f"its name is `{name}`"
            )

    return confirm


def signals_to(interrupts: Interrupts) -> AbstractContextManager[None]:
    """Turn Ctrl-C and a polite end of the process into interrupts; called inside the event loop."""
    loop = asyncio.get_running_loop()

    def heard(*_: object) -> None:
        interrupts.interrupt()
        loop.call_soon_threadsafe(interrupts.wake)

    # SIGTERM is there on every system that Python runs on; on Windows it never arrives.
    return _handled_by(heard, signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def _handled_by(handler: Any, *kinds: signal.Signals) -> Iterator[None]:
    try:
        before = {kind: signal.signal(kind, handler) for kind in kinds}
    except ValueError:
        # Not in the main thread: whoever runs us there handles signals.
        yield
        return
    try:
        yield
    finally:
        for kind, handled in before.items():
            signal.signal(kind, handled)
