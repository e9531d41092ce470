"""`runbook run`: submit the jobs of a plan once, or go on where it stood."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.options import (
    ledger_option,
    network_options,
    operator_option,
    plan_argument,
    yes_option,
)
from runbook.cli.wiring import Root
from runbook.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from runbook.cli.run_values import Prepared, RunOptions, Summary
    from runbook.execute.executor import Ending
    from runbook.execute.ports import Interrupts, Observer
    from runbook.ledger.store import Ledger
    from runbook.secrets import Account


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


@click.command("run", cls=TakesIds)
@plan_argument
@click.option("--dry-run", is_flag=True, help="Print what would be sent, as `preview` does.")
@yes_option
@click.option(
    "--digest", metavar="SHA", help="Run only if the jobs (or the plan) have this digest."
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep an HTML report up to date while it runs.",
)
@click.option("--only", multiple=True, metavar="ID …", help="Send only these jobs now.")
@click.option("--early", is_flag=True, help="Run before the plan's cutover.")
@click.option(
    "--again",
    multiple=True,
    metavar="[ID …]",
    help="Open the next round: these jobs, or those with a pair of waves not served yet.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why the next round; with `--again`.")
@click.option(
    "--on-unknown",
    type=click.Choice(["ask", "stop", "resubmit"]),
    default="ask",
    show_default=True,
    help="A word given beforehand on outcomes that cannot be known.",
)
@click.option(
    "--submit-interval",
    type=click.FloatRange(min=0),
    default=12.0,
    show_default=True,
    metavar="S",
    help="At most one submission every S seconds.",
)
@click.option(
    "--poll-interval",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Ask for a status every S seconds; default growing from 5 to 60.",
)
@click.option(
    "--connect-retry",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    metavar="S",
    help="Try for S seconds to reach a host that cannot be connected to.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: one object per ledger event on stdout.",
)
@operator_option
@ledger_option
@network_options
@click.pass_obj
@click.pass_context
def run(ctx: click.Context, root: Root, /, **given: Any) -> None:
    """Submit the jobs of PLAN, each exactly once; run again, it goes on where it stood."""
    if given["again"] and not given["reason"].strip():
        raise UsageError(
            "`--again` needs `--reason TEXT`",
            hint="it is kept in the ledger and shown in the report",
        )
    if given["again"] and given["only"]:
        raise UsageError(
            "`--again` and `--only` exclude each other", hint="`--again ID …` names the jobs itself"
        )
    if given["dry_run"]:
        ctx.exit(_dry_run(root, given))
    if not given["yes"] and not root.interactive:
        raise UsageError(
            "`run` asks for the plan's name before the first job, and there is no terminal to ask on",
            hint="look at `runbook preview` first, then add `--yes`, best with `--digest SHA`",
        )
    ctx.exit(_run(root, given))


def _dry_run(root: Root, given: dict[str, Any]) -> int:
    from runbook.cli.planning import planned
    from runbook.cli.preview import expected_links, show_preview
    from runbook.cli.run_values import prepare
    from runbook.cli.running import refuse_other_digest
    from runbook.findings import may_run

    path: Path = given["plan"]
    ledger_path = root.ledger_path(given["ledger_file"], path)
    judged = planned(root, path, at=root.clock.now(), running=True, ledger=ledger_path)
    refuse_other_digest(prepare(judged), given["digest"])
    show_preview(judged, given["output_format"], expected_links(judged, None))
    return int(ExitCode.DONE if may_run(judged.findings) else ExitCode.PLAN)


def _run(root: Root, given: dict[str, Any]) -> int:
    from runbook.cli.planning import planned
    from runbook.cli.run_values import RunOptions, prepare
    from runbook.cli.running import refuse_other_digest
    from runbook.execute.ports import Pace

    path: Path = given["plan"]
    ledger_path = root.ledger_path(given["ledger_file"], path)
    judged = planned(root, path, at=root.clock.now(), running=True, ledger=ledger_path)
    prepared = prepare(judged)
    refuse_other_digest(prepared, given["digest"])
    endpoint = root.endpoint(given["endpoint"])
    accounts = root.accounts(job.account for job in prepared.jobs)
    again = given["again"]
    options = RunOptions(
        plan=path,
        operator=root.operator(given["operator"], accounts),
        digest=given["digest"],
        only=given["only"],
        early=given["early"],
        again=tuple(one for one in again if one) if again else None,
        reason=given["reason"].strip(),
        on_unknown=given["on_unknown"],
        pace=Pace(
            submit_interval_s=given["submit_interval"],
            poll_interval_s=given["poll_interval"],
            connect_retry_s=given["connect_retry"],
        ),
        endpoint=endpoint,
        said={
            name: given[name]
            for name in (
                "only",
                "early",
                "again",
                "reason",
                "on_unknown",
                "submit_interval",
                "poll_interval",
            )
            if given[name]
        },
    )
    from runbook.cli.closing import closing
    from runbook.cli.progress import observers_for

    with root.create_ledger(ledger_path) as ledger:
        ledger.lead(root.me(options.operator))
        with observers_for(
            root, given["output_format"], given["report_file"], ledger, prepared.plan.zone
        ) as observers:
            run_id, ending = root.await_(
                _with_network(root, given, options, prepared, ledger, accounts, observers)
            )
        closing(ledger, run_id, ending, plan=path)
    return int(ending.exit_code)


async def _with_network(
    root: Root,
    given: dict[str, Any],
    options: "RunOptions",
    prepared: "Prepared",
    ledger: "Ledger",
    accounts: "tuple[Account, ...]",
    observers: "tuple[Observer, ...]",
) -> "tuple[str, Ending]":
    from runbook.cli.running import conduct
    from runbook.execute.ports import Interrupts

    interrupts = Interrupts()
    async with root.network(
        accounts, endpoint=given["endpoint"], ca_bundle=given["ca_bundle"]
    ) as send:
        return await conduct(
            root,
            options,
            prepared,
            ledger=ledger,
            send=send,
            accounts=accounts,
            prober=root.prober(prepared.plan, send),
            interrupts=interrupts,
            signals=signals_to(interrupts),
            observers=observers,
            confirm=asking(given["yes"]),
        )


def asking(yes: bool) -> "Callable[[Summary], None]":
    """Return what shows the summary and, without `--yes`, asks for the plan's name."""

    def confirm(summary: "Summary") -> None:
        from runbook.cli.console import say
        from runbook.cli.summary import summary_text

        say(summary_text(summary))
        if yes:
            return
        name = summary.prepared.plan.name
        with _plain_ctrl_c():
            typed = click.prompt(
                f"Type the plan's name (`{name}`) to send", err=True, default="", show_default=False
            )
        if typed.strip() != name:
            raise UsageError(
                "that is not the plan's name; nothing was sent", hint=f"its name is `{name}`"
            )

    return confirm


@contextlib.contextmanager
def _plain_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end a question at once, although an event loop would keep it for itself."""
    try:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
    except ValueError:
        # Not in the main thread, where no signal arrives.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def signals_to(interrupts: "Interrupts") -> Iterator[None]:
    """Turn Ctrl-C and a polite end of the process into interrupts while the block runs."""
    import asyncio

    loop = asyncio.get_running_loop()

    def heard(*_: object) -> None:
        interrupts.interrupt()
        loop.call_soon_threadsafe(interrupts.wake)

    # SIGTERM is there on every system that Python runs on; on Windows it never arrives.
    kinds = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {kind: signal.signal(kind, heard) for kind in kinds}
    except ValueError:
        # Not in the main thread: whoever runs us there handles signals.
        yield
        return
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
