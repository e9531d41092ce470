"""Read a plan, gather what is known around it, and have it checked: one way for every command.

`check`, `preview`, `run` and `rehearse` all come through here, so that they cannot disagree.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runbook.checks import examine
from runbook.checks.checked_plan import CheckedPlan
from runbook.checks.codes import Facts
from runbook.errors import CredentialError, PlanError, UsageError
from runbook.findings import Finding
from runbook.operations.credentials import variable_names
from runbook.operations.root import NetworkOptions, Root
from runbook.plan.model import Plan
from runbook.plan.parse import Loaded, load_plan
from runbook.preview import Expected
from runbook.remotelinks.expected import read_expected
from runbook.remotelinks.mapping import expected_counts
from runbook.secrets import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What `check` shows of one file; `facts` is None where there was nothing to check."""

    loaded: Loaded
    findings: tuple[Finding, ...]
    facts: Facts | None


def checked_plan(
    root: Root,
    path: Path,
    *,
    at: datetime | None = None,
    running: bool = False,
    ledger: Path | None = None,
) -> CheckedPlan:
    """Return a plan with its findings and jobs; the options are those of `examined_plan`.

    Raises:
        PlanError: the plan cannot be read, or has structural errors (other findings do not raise).
        UsageError: the path is a folder.
        LedgerError: the ledger cannot be read.
    """
    examined = examined_plan(root, path, at=at, running=running, ledger=ledger)
    plan = examined.loaded.whole_plan()
    if examined.facts is None:
        raise PlanError(f"`{path}` cannot be checked")
    return CheckedPlan.of(plan, examined.facts, examined.findings)


def examined_plan(
    root: Root,
    path: Path,
    *,
    at: datetime | None = None,
    running: bool = False,
    ledger: Path | None = None,
    online: bool = False,
    network: NetworkOptions | None = None,
) -> Examined:
    """Return every finding of a file at a moment, also of one that cannot be read (RB100).

    The moment is `at`, else the plan's `cutover`, else the present. `running` counts only finished
    waves. The ledger, where there is one, tells of earlier backups. `online` asks the sites; without
    a credential the finding RB690 says so.

    Raises:
        UsageError: the path is a folder.
        LedgerError: the ledger cannot be read.
    """
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder, not a plan", hint="name the plan file inside it")
    loaded = load_plan(path)
    if loaded.plan is None:
        return Examined(loaded=loaded, findings=loaded.findings, facts=None)
    plan = loaded.plan
    facts = Facts(
        at=(at or plan.cutover or root.clock.now()).astimezone(UTC),
        running=running,
        missing_files=_missing_files(plan, path),
        earlier_backups=_earlier_backups(root, plan, path, ledger, running=running),
        submitters=_submitters(plan, root.environ),
    )
    if online:
        answers, reason = _asked(root, plan, network or NetworkOptions())
        facts = replace(facts, online=answers, not_asked=reason)
    findings = examine(plan, facts, loaded.findings)
    if loaded.source.hides:
        mask = loaded.source.mask
        findings = tuple(
            replace(finding, message=mask(finding.message), hint=mask(finding.hint))
            for finding in findings
        )
    return Examined(loaded=loaded, findings=findings, facts=facts)


def planned_moment(text: str | None) -> datetime | None:
    """Return the moment of `--at`, None where it was not given.

    Raises:
        UsageError: it is no date-time with an offset.
    """
    if text is None:
        return None
    hint = "write it as `--at 2026-11-22T20:00:00+01:00`"
    given = re.sub(r"^(\d{4}-\d\d-\d\d) ", r"\1T", text.strip())
    try:
        moment = datetime.fromisoformat(given.upper())
    except ValueError:
        raise UsageError(f"`--at {text}` is no date-time", hint=hint) from None
    if moment.tzinfo is None:
        raise UsageError(f"`--at {text}` has no offset", hint=hint)
    if not 2000 <= moment.year < 3000:
        raise UsageError(f"`--at {text}` lies outside the years 2000 to 2999", hint=hint)
    return moment.astimezone(UTC)


def _missing_files(plan: Plan, path: Path) -> frozenset[str]:
    folder = path.parent
    named = {
        instance.app_link.evidence
        for instance in plan.instances
        if instance.app_link is not None and instance.app_link.evidence is not None
    }
    return frozenset(name for name in named if not _is_file(folder, name))


def _is_file(folder: Path, name: str) -> bool:
    try:
        return (folder / name).is_file()
    except (OSError, ValueError):
        # A name that no file system takes is a file that is not there.
        return False


def _submitters(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    profiles = {site.account for site in plan.sites}
    emails = {name: environ.get(variable_names(name)[0], "").strip() for name in profiles}
    return {name: email for name, email in emails.items() if email}


def _earlier_backups(
    root: Root, plan: Plan, path: Path, ledger: Path | None, *, running: bool
) -> tuple[tuple[str, datetime], ...]:
    if not any(instance.create_backup for instance in plan.instances):
        return ()
    where = root.ledger_path(ledger, path)
    if not where.exists() and (ledger is None or where.parent.is_dir()):
        return ()
    with root.open_ledger(where) as opened:
        events = opened.events(kinds=("run.started", "submit.intended"))
        return tuple(_backups_of(events, going_on=plan.name if running else None))


def _backups_of(events: Iterator[Any], *, going_on: str | None) -> Iterator[tuple[str, datetime]]:
    """Yield site and moment of each backup that was asked for, but not by the run that goes on."""
    left_out: set[str | None] = set()
    for seen in events:
        if seen.event is None:
            continue
        if seen.kind == "run.started":
            if seen.event.rehearsal or seen.event.plan_name == going_on:
                left_out.add(seen.run)
            continue
        if seen.run in left_out:
            continue
        body = json.loads(seen.event.request.get("body") or "{}")
        if body.get("createBackup") in (True, "true"):
            yield body.get("productURL", ""), seen.at


def _asked(root: Root, plan: Plan, network: NetworkOptions) -> tuple[Any, str]:
    """Return what the sites answered, or None and why nobody was asked.

    A site whose account has no credential is not asked; the answers say so.
    """
    found: list[Account] = []
    missing = ""
    for profile in dict.fromkeys(site.account for site in plan.sites):
        try:
            found += root.accounts([profile])
        except CredentialError as problem:
            missing = missing or str(problem)
    if not found:
        return None, missing or "the plan has no sites"
    accounts = tuple(found)

    async def ask_all() -> Any:
        from runbook.atlassian.facts import ask

        async with root.network(accounts, network) as send:
            return await ask(plan, send, root.clock)

    return root.await_(ask_all()), ""


def expected_links(checked: CheckedPlan, links_file: Path | None) -> Expected | None:
    """Return how many links each job and pair of waves is expected to recreate.

    The links are those of `--links`, else of the plan's `expected` where that file is there; None
    without either.

    Raises:
        UsageError: the CSV cannot be read.
    """
    plan = checked.plan
    if links_file is None and plan.expected is not None:
        beside = Path(plan.file).parent / plan.expected
        links_file = beside if beside.is_file() else None
    return None if links_file is None else expected_counts(plan, read_expected(links_file))
