"""What `verify`, `repair` and `rollback` share: the run's plan, its files, and their ports."""

import contextlib
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from runbook.atlassian.limits import Limits
from runbook.errors import CredentialError, ExitCode, LedgerError, UsageError, foremost
from runbook.ledger.store import Ledger
from runbook.operations.link_steps import LinkPorts
from runbook.operations.root import Root
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.remotelinks.expected import ExpectedFile, read_expected
from runbook.remotelinks.snapshot import Progress
from runbook.remotelinks.writing import Outcomes
from runbook.secrets import Account
from runbook.text import plural, printable
from runbook.view import RunView


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder for temporary files that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="runbook-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def plan_of(view: RunView) -> Plan:
    """Return the plan of a run, from its own words in the ledger.

    Raises:
        LedgerError: they are no plan.
    """
    plan = load_plan_bytes(view.plan_text.encode(), view.started.plan_file).plan
    if plan is None:
        raise LedgerError(
            f"the plan that run `{view.id}` keeps cannot be read",
            hint="`runbook ledger verify` names the rows that were changed",
        )
    return plan


def expected_of(plan: Plan, option: Path | None, ledger: Path) -> ExpectedFile | None:
    """Return the expected links: the option, else the plan's, beside the plan or the ledger.

    Raises:
        UsageError: the file is not there or cannot be read.
    """
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


def accounts_of(root: Root, plan: Plan) -> tuple[Account, ...]:
    """Return the account of every site of the plan.

    Raises:
        CredentialError: one has no complete credential.
    """
    return root.accounts([site.account for site in plan.sites])


def accounts_if_any(root: Root, plan: Plan) -> tuple[tuple[Account, ...], str]:
    """Return the accounts, or none and the reason: for work that can also be done on files alone."""
    quiet = dataclasses.replace(root, interactive=False)
    try:
        return accounts_of(quiet, plan), ""
    except CredentialError as problem:
        return (), str(problem)


@contextlib.asynccontextmanager
async def ports_of(
    root: Root,
    plan: Plan,
    ledger: Ledger,
    folder: Path,
    accounts: tuple[Account, ...],
    *,
    why_not: str = "",
    endpoint: str | None = None,
    ca_bundle: Path | None = None,
    watching: Callable[[], AbstractContextManager[Progress]],
) -> AsyncIterator[LinkPorts]:
    """Yield the ports of the steps; without accounts no site is asked.

    `watching` shows the progress of a snapshot while sites are asked.
    """
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
        with watching() as progress:
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


def outcome_code(
    outcomes: Outcomes, counts: dict[str, int], say: Callable[[str], None]
) -> ExitCode:
    """Say what went wrong with writes, and return the exit code that it asks for."""
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
