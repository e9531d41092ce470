"""What `verify`, `repair` and `rollback` share: the run's plan, its files, and their ports."""

import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.console import say
from runbook.cli.wiring import Root
from runbook.errors import CredentialError, ExitCode, LedgerError, UsageError
from runbook.text import plural, printable, shortened

if TYPE_CHECKING:
    from runbook.ledger.store import Ledger
    from runbook.plan.model import Plan
    from runbook.remotelinks.comparison_store import ComparisonStore
    from runbook.remotelinks.expected import ExpectedFile
    from runbook.remotelinks.steps import LinkPorts
    from runbook.remotelinks.writes import Outcomes
    from runbook.secrets import Account
    from runbook.view import RunView

BAD_ROWS_SHOWN = 20

expected_option = click.option(
    "--expected",
    "expected_file",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="The Data Center's issue links; default the plan's `expected`.",
)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder for temporary files that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="runbook-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def plan_of(view: "RunView") -> "Plan":
    """Return the plan of a run, from its own words in the ledger.

    Raises:
        LedgerError: they are no plan.
    """
    from runbook.plan import load_plan_bytes

    plan = load_plan_bytes(view.plan_text.encode(), view.started.plan_file).plan
    if plan is None:
        raise LedgerError(
            f"the plan that run `{view.id}` keeps cannot be read",
            hint="`runbook ledger verify` names the rows that were changed",
        )
    return plan


def expected_of(plan: "Plan", option: Path | None, ledger: Path) -> "ExpectedFile | None":
    """Return the expected links: the option, else the plan's, beside the plan or the ledger.

    Raises:
        UsageError: the file is not there or cannot be read.
    """
    from runbook.remotelinks.expected import read_expected

    if option is not None:
        return read_expected(option)
    if plan.expected is None:
        return None
    places = (ledger.parent / plan.expected, Path(plan.expected))
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise UsageError(
            f"the expected links `{printable(plan.expected)}` that the plan names are not beside the ledger `{ledger}`",
            hint="name the file with `--expected CSV`",
        )
    return read_expected(found)


def accounts_of(root: Root, plan: "Plan") -> "tuple[Account, ...]":
    """Return the account of every site of the plan.

    Raises:
        CredentialError: one has no complete credential.
    """
    return root.accounts([site.account for site in plan.sites])


def accounts_if_any(root: Root, plan: "Plan") -> "tuple[tuple[Account, ...], str]":
    """Return the accounts, or none and the reason: for work that can also be done on files alone."""
    quiet = dataclasses.replace(root, interactive=False)
    try:
        return accounts_of(quiet, plan), ""
    except CredentialError as problem:
        return (), str(problem)


@contextlib.asynccontextmanager
async def ports_of(
    root: Root,
    plan: "Plan",
    ledger: "Ledger",
    folder: Path,
    accounts: "tuple[Account, ...]",
    *,
    why_not: str = "",
    endpoint: str | None = None,
    ca_bundle: Path | None = None,
) -> "AsyncIterator[LinkPorts]":
    """Yield the ports of the steps; without accounts no site is asked."""
    from runbook.atlassian.limits import Limits
    from runbook.cli.snapshot_progress import watching
    from runbook.remotelinks.steps import LinkPorts

    limits = Limits(root.clock)
    if not accounts:
        yield LinkPorts(
            plan=plan,
            ledger=ledger,
            clock=root.clock,
            limits=limits,
            folder=folder,
            send=None,
            why_not=why_not,
        )
        return
    async with root.network(accounts, endpoint=endpoint, ca_bundle=ca_bundle) as send:
        with watching(root) as progress:
            yield LinkPorts(
                plan=plan,
                ledger=ledger,
                clock=root.clock,
                limits=limits,
                folder=folder,
                send=send,
                random=root.random,
                progress=progress,
            )


def say_bad_rows(store: "ComparisonStore") -> None:
    """Say which rows of the expected links were not taken, with line and reason."""
    for row in store.bad[:BAD_ROWS_SHOWN]:
        say(f"warning: expected links, {printable(str(row))}")
    more = store.bad_count - min(len(store.bad), BAD_ROWS_SHOWN)
    if more:
        say(f"warning: … and {plural(more, 'more row')} that cannot be read")


def confirmed(root: Root, question: str, *, yes: bool) -> None:
    """Ask before something is written.

    Raises:
        UsageError: nobody can be asked, and `--yes` was not given.
        click.Abort: the person said no.
    """
    if yes:
        return
    if not root.interactive:
        raise UsageError(
            "this writes to the sites, and nobody can be asked",
            hint="add `--yes`, or look first with `--dry-run`",
        )
    click.confirm(question, abort=True, err=True)


def next_round(count: int, plan_file: str) -> str:
    """Return what to do about missing links that the next round of the run can still serve."""
    plan = printable(plan_file) or "PLAN"
    return (
        f"{plural(count, 'link')} for the next round: `runbook run {plan} --again --reason …`, "
        "once every wave is in and has its `finished` in the plan"
    )


def host_of(url: str) -> str:
    """Return the host of an address, for tables."""
    return printable(url.partition("://")[2] or url)


def listed_line(action: str, listed: "dict[str, object]") -> str:
    """Return one planned or left link as a line."""
    issue, target = printable(str(listed["issue"])), printable(str(listed["target"] or "?"))
    number = "" if listed.get("link_id") is None else f" (link {printable(str(listed['link_id']))})"
    return f"{action:8} {issue} on {host_of(str(listed['site']))} -> {target}{number}"


def outcome_code(outcomes: "Outcomes", counts: "dict[str, int]") -> ExitCode:
    """Return the exit code of writes: the error that stopped them, unknown, refused, else done."""
    from runbook.errors import foremost

    codes = []
    if outcomes.stopped_by is not None:
        codes.append(outcomes.stopped_by.exit_code)
        say(f"error: {printable(str(outcomes.stopped_by))}")
        if outcomes.stopped_by.hint:
            say(f"hint: {outcomes.stopped_by.hint}")
    if counts["unknown"]:
        codes.append(ExitCode.UNKNOWN)
        say(
            f"{plural(counts['unknown'], 'write')} without a known outcome: run the same command again, it looks them up first"
        )
    if counts["refused"] or (counts["not_attempted"] and outcomes.stopped_by is None):
        codes.append(ExitCode.REMOTE)
    return foremost(codes)


def progress_line() -> "Callable[[object, str, str], None]":
    """Return a listener that says every refusal at once, and how far it is every 100 writes."""
    seen = 0

    def listen(order: object, result: str, detail: str) -> None:
        nonlocal seen
        seen += 1
        if result in ("refused", "unknown"):
            issue = printable(str(getattr(order, "issue", "")))
            say(f"{result}: {issue}: {shortened(detail, 300)}")
        elif seen % 100 == 0:
            say(f"{seen} links done")

    return listen
