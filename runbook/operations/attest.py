"""Write one attestation into the plan's file: read, change, read again, replace."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from runbook.atomic_file import write_atomically
from runbook.errors import PlanError, UsageError
from runbook.operations.evidence import evidence_name
from runbook.operations.root import Root
from runbook.plan import load_plan_bytes
from runbook.plan.edit import edit_plan_bytes
from runbook.plan.model import Instance, Plan
from runbook.text import printable

Values = dict[str, str | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistOptions:
    """What is attested without asking (`set_ids`), or how the checklist is listed."""

    plan: Path
    set_ids: tuple[str, ...]
    by: str | None
    at: str | None
    as_account: str | None
    evidence: Path | None
    output_format: str | None
    output: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What was written: the plan as it is now, and for each job the fields that were kept as they were."""

    plan: Plan
    values: Values
    in_future: bool
    kept: Mapping[str, tuple[str, ...]]


def attest_given(root: Root, plan: Plan, options: ChecklistOptions) -> Attested:
    """Write the attestation that the options give into the `appLink` of every named job.

    Raises:
        PlanError: the plan cannot be changed safely; it is left as it is.
        UsageError: who or when is missing or odd, or the plan has no such job.
    """
    if not options.by or not options.at:
        raise UsageError(
            "`--set` needs `--by NAME` and `--at TIME`",
            hint="for example `--set eng-to-ops --by 'J. Doe' --at 2026-11-20T09:15:00+01:00`",
        )
    values = attestation(root, plan, by=options.by, at=options.at, as_account=options.as_account)
    if options.evidence is not None:
        values["evidence"] = evidence_name(options.plan, options.evidence)
    links = {job: plan.instance(job) for job in options.set_ids}
    kept = {
        job: tuple(
            name
            for name, value in (
                ("as", instance.app_link.as_account),
                ("evidence", instance.app_link.evidence),
            )
            if value and name not in values
        )
        for job, instance in links.items()
        if instance is not None and instance.app_link is not None
    }
    after = attest(options.plan, options.set_ids, values)
    return Attested(plan=after, values=values, in_future=lies_ahead(root, values), kept=kept)


def attestation(root: Root, plan: Plan, *, by: str, at: str, as_account: str | None) -> Values:
    """Return the values of an `appLink`, in the order in which they are written.

    Raises:
        UsageError: a name is empty, or `at` is no moment.
    """
    values: Values = {"authorized": True}
    if as_account:
        values["as"] = named_person(as_account, "--as")
    values["by"] = named_person(by, "--by")
    values["at"] = attested_moment(root, plan, at).isoformat(timespec="seconds")
    return values


def lies_ahead(root: Root, values: Values) -> bool:
    """Return whether the attested moment is later than the present."""
    return datetime.fromisoformat(str(values["at"])) > root.clock.now()


def named_person(text: str, option: str) -> str:
    """Return a name on one line, without invisible characters.

    Raises:
        UsageError: nothing is left of it.
    """
    name = " ".join(printable(text).split())
    if not name:
        raise UsageError(f"`{option}` is empty")
    return name


def attested_moment(root: Root, plan: Plan, text: str) -> datetime:
    """Return the moment that `--at` or an answer names; `now` is the present at the plan's offset.

    Raises:
        UsageError: it is no date-time with an offset.
    """
    if text.strip().lower() == "now":
        return root.clock.now().astimezone(plan.zone)
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise UsageError(
            f"{text!r} is no moment with an offset",
            hint="write it like 2026-11-20T09:15:00+01:00, or `now`",
        )
    return when


def attest(path: Path, ids: tuple[str, ...], values: Values) -> Plan:
    """Put `values` into the `appLink` of these jobs, in the file, and return the plan as it is now.

    The file is read anew, so that what an editor saved in the meantime stays.

    Raises:
        PlanError: the plan has structural errors, or cannot be changed safely; it is left as it is.
        UsageError: the plan has no job of that id any more, or cannot be written.
    """
    data = _bytes(path)
    plan = load_plan_bytes(data, str(path)).whole_plan()
    for job in ids:
        data = edit_plan_bytes(data, _index(_instance(plan, job)), values)
    after = load_plan_bytes(data, str(path)).whole_plan()
    write_atomically(path, data)
    return after


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise PlanError(f"cannot read `{path}`: {problem.strerror or problem}") from problem


def _instance(plan: Plan, job: str) -> Instance:
    instance = plan.instance(job)
    if instance is None:
        near = get_close_matches(job, [instance.id for instance in plan.instances], n=1)
        raise UsageError(
            f"the plan has no job `{job}`",
            hint=f"did you mean `{near[0]}`?" if near else "`runbook checklist PLAN` lists them",
        )
    return instance


def _index(instance: Instance) -> int:
    return int(instance.path.removeprefix("instances[").removesuffix("]"))
