"""`repair`: create the links that are missing, nothing else."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from runbook.cli.console import say, show, show_json
from runbook.cli.link_text import confirmed, listed_line, next_round, progress_line, say_bad_rows
from runbook.cli.options import (
    expected_option,
    format_option,
    ledger_option,
    network_options,
    operator_option,
    run_argument,
    yes_option,
)
from runbook.cli.snapshot_progress import watching
from runbook.errors import ExitCode, UsageError, foremost
from runbook.operations.find_run import find_run, runs_in
from runbook.operations.link_steps import RepairWork, list_repair
from runbook.operations.links import (
    accounts_of,
    expected_of,
    outcome_code,
    plan_of,
    ports_of,
    scratch,
)
from runbook.operations.root import Root
from runbook.plan.model import Plan
from runbook.remotelinks.occasion import check_after
from runbook.remotelinks.repair import RepairList
from runbook.remotelinks.staging import Stage
from runbook.text import added_up, plural, printable
from runbook.view import AT_ATLASSIAN, JobState


@click.command("repair")
@run_argument
@expected_option
@click.option(
    "--after",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A snapshot from after the run; without it one is taken now.",
)
@click.option(
    "--like",
    "likes",
    multiple=True,
    metavar="SITE:ISSUE",
    help="Learn the links' shape from those made by hand on this issue, where no job made any; may be repeated.",
)
@click.option(
    "--as-weblink",
    is_flag=True,
    help="Where no shape is known, create plain web links.",
)
@click.option(
    "--also-unserved",
    is_flag=True,
    help="Create links that the next round of the run can still recreate, too; by default they are left to it.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be created, and write nothing.")
@yes_option
@operator_option
@format_option("text", "json")
@ledger_option
@network_options
@click.pass_context
def repair(
    ctx: click.Context,
    run: str,
    expected_file: Path | None,
    after: Path | None,
    likes: tuple[str, ...],
    as_weblink: bool,
    also_unserved: bool,
    dry_run: bool,
    yes: bool,
    operator: str | None,
    output_format: str,
    ledger_file: Path | None,
    endpoint: str | None,
    ca_bundle: Path | None,
) -> None:
    """Create the links of RUN that are missing, and nothing else; also after the two weeks.

    A link that is there is never changed. The shape comes from a link that Atlassian's job made.
    """
    root: Root = ctx.obj

    path = root.ledger_path(ledger_file)
    with root.open_ledger(path, read_only=False) as ledger:
        view = find_run(runs_in(root, ledger), run)
        plan = plan_of(view)
        expected = expected_of(plan, expected_file, path)
        if expected is None:
            raise UsageError(
                "nothing says what is missing: the plan names no expected links",
                hint="name the Data Center's issue links with `--expected CSV`",
            )
        named = tuple(_like(text, plan) for text in likes)
        if after is not None:
            check_after(after, view)
        root.endpoint(endpoint)
        if not (dry_run or yes or root.interactive):
            confirmed(root, "", yes=False)
        accounts = accounts_of(root, plan)
        by = root.operator(operator, accounts)
        if not dry_run:
            ledger.lead(root.me(by))
        _say_still_running(view)

        async def work(folder: Path, stage: Stage) -> int:
            async with ports_of(
                root,
                plan,
                ledger,
                folder,
                accounts,
                endpoint=endpoint,
                ca_bundle=ca_bundle,
                watching=partial(watching, root),
            ) as ports:
                job = await list_repair(
                    ports,
                    view,
                    stage,
                    expected=expected,
                    after=after,
                    likes=named,
                    as_weblink=as_weblink,
                    also_unserved=also_unserved,
                    dry_run=dry_run,
                    progress=progress_line(),
                )
                for note in stage.notes:
                    say(f"note: {printable(note)}")
                say_bad_rows(stage)
                code = await _carried_out(
                    root, job, by, dry_run=dry_run, yes=yes, output_format=output_format
                )
                _say_left(job.plan_list, view.started.plan_file)
                return code

        with scratch() as folder, Stage(plan, folder=folder) as stage:
            code = root.await_(work(folder, stage))
    ctx.exit(code)


async def _carried_out(
    root: Root, job: "RepairWork", by: str, *, dry_run: bool, yes: bool, output_format: str
) -> int:
    """Show the list, ask, write, and return the exit code."""
    todo = job.plan_list
    if job.settled:
        say(f"{plural(job.settled, 'write')} of an earlier process looked up first")
    left_code = ExitCode.DIFFERENCES if todo.left else ExitCode.DONE
    if job.not_looked_at:
        say(
            f"warning: {plural(job.not_looked_at, 'expected link')} could not be looked at, and may be missing: run it again later"
        )
        left_code = foremost([left_code, ExitCode.REMOTE])
    if dry_run or not todo.orders:
        _show(todo, None, output_format)
        return int(ExitCode.DONE if dry_run else left_code)
    if output_format == "text":
        _show(todo, None, output_format)
    confirmed(root, f"create {plural(len(todo.orders), 'link')}?", yes=yes)
    outcomes = await job.carry_out(by)
    counts = outcomes.counts(todo.orders)
    if output_format == "json":
        _show(todo, counts, output_format)
    for order in todo.orders:
        if order.name in outcomes.replaced:
            say(
                f"warning: {printable(order.issue)} -> {printable(order.target)}: somebody had made a link of the same globalId by then, and it was replaced; rollback leaves it"
            )
    say(f"repair: {added_up(counts)}")
    if not todo.left and counts["done"] == len(todo.orders):
        say(f"  `runbook verify {job.run}` shows whether everything is there now")
    return int(foremost([outcome_code(outcomes, counts, say), left_code]))


def _like(text: str, plan: "Plan") -> tuple[str, str]:
    """Return (site URL, issue key) of a `SITE:ISSUE`; the site by its address or its host."""
    site, colon, issue = text.rpartition(":")
    wanted = site.rstrip("/").lower()
    for one in plan.sites:
        if colon and wanted in (one.url.lower(), one.url.lower().partition("://")[2]):
            return one.url, issue.strip().upper()
    raise UsageError(
        f"`--like {text}` does not begin with a site of the plan",
        hint=f"for example `--like {plan.sites[0].url}:ENG-1`" if plan.sites else "",
    )


def _say_still_running(view: Any) -> None:

    states = AT_ATLASSIAN | {JobState.UNKNOWN}
    names = [f"`{job.id}` ({job.state.value})" for job in view.jobs if job.state in states]
    if names:
        say(
            f"warning: Atlassian may still create links: {', '.join(names[:5])}{' and more' * (len(names) > 5)}"
        )


def _show(todo: "RepairList", counts: dict[str, int] | None, output_format: str) -> None:

    if output_format == "json":
        show_json(
            {
                "format": 1,
                "planned": [order.listed() for order in todo.orders],
                "left": [one.listed() for one in todo.left],
                "counts": counts,
            }
        )
        return
    for order in todo.orders:
        label = printable(str(order.record["relationship"]))
        show(f"{listed_line('create', order.listed())} as `{label}`, {todo.shapes[order.job]}")
    for one in todo.left:
        show(f"{listed_line('left', one.listed())}: {printable(one.reason)}")
    if not todo.orders and not todo.left:
        show("nothing is missing")


def _say_left(todo: "RepairList", plan_file: str) -> None:

    others = len(todo.left) - todo.for_later
    if any("shape is not known" in one.reason for one in todo.left):
        say(
            f"{plural(others, 'link')} left: no link shows how Atlassian writes them in that direction. Make one by hand and name it with `--like SITE:ISSUE`, or add `--as-weblink`"
        )
    elif others:
        say(f"{plural(others, 'link')} left, each with the reason")
    if todo.for_later:
        say(next_round(todo.for_later, plan_file))
        say("  `--also-unserved` creates them now")
