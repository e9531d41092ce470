"""`repair`: create the links that are missing, nothing else."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runbook.cli.linkwork import expected_option
from runbook.cli.options import (
    format_option,
    ledger_option,
    network_options,
    operator_option,
    run_argument,
    yes_option,
)
from runbook.cli.wiring import Root

if TYPE_CHECKING:
    from runbook.plan.model import Plan
    from runbook.remotelinks.repair import RepairList
    from runbook.remotelinks.writes import Writer


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
    from runbook.cli.console import say
    from runbook.cli.linkwork import (
        accounts_of,
        confirmed,
        expected_of,
        plan_of,
        ports_of,
        progress_line,
        say_bad_rows,
        scratch,
    )
    from runbook.cli.runs_lookup import find_run, runs_in
    from runbook.errors import UsageError
    from runbook.remotelinks.comparison_store import ComparisonStore
    from runbook.remotelinks.occasion import check_after
    from runbook.remotelinks.steps import list_repair
    from runbook.text import printable

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

        async def work(folder: Path, store: ComparisonStore) -> int:
            async with ports_of(
                root, plan, ledger, folder, accounts, endpoint=endpoint, ca_bundle=ca_bundle
            ) as ports:
                todo, writer = await list_repair(
                    ports,
                    view,
                    store,
                    expected=expected,
                    after=after,
                    likes=named,
                    as_weblink=as_weblink,
                    also_unserved=also_unserved,
                    dry_run=dry_run,
                    progress=progress_line(),
                )
                for note in store.notes:
                    say(f"note: {printable(note)}")
                say_bad_rows(store)
                code = await _carried_out(
                    root, todo, writer, by, dry_run=dry_run, yes=yes, output_format=output_format
                )
                _say_left(todo, view.started.plan_file)
                return code

        with scratch() as folder, ComparisonStore(plan, folder=folder) as store:
            code = root.await_(work(folder, store))
    ctx.exit(code)


async def _carried_out(
    root: Root,
    todo: "RepairList",
    writer: "Writer",
    by: str,
    *,
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> int:
    """Show the list, ask, write, and return the exit code."""
    from runbook.cli.console import say
    from runbook.cli.linkwork import confirmed, outcome_code
    from runbook.errors import ExitCode, foremost
    from runbook.text import added_up, plural, printable

    if todo.settled:
        say(f"{plural(todo.settled, 'write')} of an earlier process looked up first")
    left_code = ExitCode.DIFFERENCES if todo.left else ExitCode.DONE
    if todo.not_looked_at:
        say(
            f"warning: {plural(todo.not_looked_at, 'expected link')} could not be looked at, and may be missing: run it again later"
        )
        left_code = foremost([left_code, ExitCode.REMOTE])
    if dry_run or not todo.orders:
        _show(todo, None, output_format)
        return int(ExitCode.DONE if dry_run else left_code)
    if output_format == "text":
        _show(todo, None, output_format)
    confirmed(root, f"create {plural(len(todo.orders), 'link')}?", yes=yes)
    outcomes = await writer.carry_out(todo, by)
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
        say(f"  `runbook verify {writer.log.run}` shows whether everything is there now")
    return int(foremost([outcome_code(outcomes, counts), left_code]))


def _like(text: str, plan: "Plan") -> tuple[str, str]:
    """Return (site URL, issue key) of a `SITE:ISSUE`; the site by its address or its host."""
    from runbook.errors import UsageError

    site, colon, issue = text.rpartition(":")
    wanted = site.rstrip("/").lower()
    for known in plan.sites:
        if colon and wanted in (known.url.lower(), known.url.lower().partition("://")[2]):
            return known.url, issue.strip().upper()
    raise UsageError(
        f"`--like {text}` does not begin with a site of the plan",
        hint=f"for example `--like {plan.sites[0].url}:ENG-1`" if plan.sites else "",
    )


def _say_still_running(view: Any) -> None:
    from runbook.cli.console import say
    from runbook.view import AT_ATLASSIAN, JobState

    states = AT_ATLASSIAN | {JobState.UNKNOWN}
    names = [f"`{job.id}` ({job.state.value})" for job in view.jobs if job.state in states]
    if names:
        say(
            f"warning: Atlassian may still create links: {', '.join(names[:5])}{' and more' * (len(names) > 5)}"
        )


def _show(todo: "RepairList", counts: dict[str, int] | None, output_format: str) -> None:
    from runbook.cli.console import show, show_json
    from runbook.cli.linkwork import listed_line
    from runbook.text import printable

    if output_format == "json":
        show_json(
            {
                "format": 1,
                "planned": [order.listed() for order in todo.orders],
                "left": [left.listed() for left in todo.left],
                "counts": counts,
            }
        )
        return
    for order in todo.orders:
        label = printable(str(order.record["relationship"]))
        show(f"{listed_line('create', order.listed())} as `{label}`, {todo.shapes[order.job]}")
    for left in todo.left:
        show(f"{listed_line('left', left.listed())}: {printable(left.reason)}")
    if not todo.orders and not todo.left:
        show("nothing is missing")


def _say_left(todo: "RepairList", plan_file: str) -> None:
    from runbook.cli.console import say
    from runbook.cli.linkwork import next_round
    from runbook.text import plural

    others = len(todo.left) - todo.for_later
    if any("shape is not known" in left.reason for left in todo.left):
        say(
            f"{plural(others, 'link')} left: no link shows how Atlassian writes them in that direction. Make one by hand and name it with `--like SITE:ISSUE`, or add `--as-weblink`"
        )
    elif others:
        say(f"{plural(others, 'link')} left, each with the reason")
    if todo.for_later:
        say(next_round(todo.for_later, plan_file))
        say("  `--also-unserved` creates them now")
