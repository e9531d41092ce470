"""Record in the plan file who authorized an app link, when, and with which evidence.

The file is read, changed, read again and replaced, so that an attestation never breaks a plan.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from runbook.atomic_file import write_atomically
from runbook.errors import PlanError, UsageError
from runbook.operations.root import Root, read_whole
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
    """What was written: the plan as it is now, and the fields of each job that were left unchanged."""

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
    kept: dict[str, tuple[str, ...]] = {}
    for job in options.set_ids:
        instance = plan.instance(job)
        if instance is not None and instance.app_link is not None:
            before = {"as": instance.app_link.as_account, "evidence": instance.app_link.evidence}
            kept[job] = tuple(name for name in before if before[name] and name not in values)
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

    The file is read again first, so that changes saved by an editor in the meantime are kept.

    Raises:
        PlanError: the plan has structural errors, or cannot be changed safely; it is left as it is.
        UsageError: the plan has no job of that id any more, or cannot be written.
    """
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise PlanError(f"cannot read `{path}`: {problem.strerror or problem}") from problem
    plan = load_plan_bytes(data, str(path)).whole_plan()
    for job in ids:
        index = _instance(plan, job).path.removeprefix("instances[").removesuffix("]")
        data = edit_plan_bytes(data, int(index), values)
    after = load_plan_bytes(data, str(path)).whole_plan()
    write_atomically(path, data)
    return after


def _instance(plan: Plan, job: str) -> Instance:
    instance = plan.instance(job)
    if instance is None:
        near = get_close_matches(job, [instance.id for instance in plan.instances], n=1)
        raise UsageError(
            f"the plan has no job `{job}`",
            hint=f"did you mean `{near[0]}`?" if near else "`runbook checklist PLAN` lists them",
        )
    return instance


LIMIT_BYTES = 64 * 1024 * 1024


def evidence_name(
    plan: Path, given: Path, *, such_as: str = "a screenshot of the authorization"
) -> str:
    """Return how the plan names an evidence file: relative to its folder, with `/`.

    `given` may be relative to the working directory or to the plan's folder; `such_as` is an example
    for the hint.

    Raises:
        UsageError: it is no file, or it lies outside the plan's folder.
    """
    folder = plan.resolve().parent
    candidates = [given.resolve(), (folder / given).resolve()]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UsageError(
            f"no evidence file `{given}`", hint=f"name a file that is there, such as {such_as}"
        )
    if not found.is_relative_to(folder):
        raise UsageError(
            f"the evidence file `{given}` lies outside the plan's folder",
            hint=f"copy it below `{folder}`, so that plan and evidence travel together",
        )
    return found.relative_to(folder).as_posix()


def read_evidence(plan: Path, name: str) -> dict[str, Any]:
    """Return `{path, sha256, bytes}` of an evidence file that a plan names.

    Raises:
        UsageError: it cannot be read, or is larger than 64 MiB.
    """
    too_large = UsageError(
        f"the evidence file `{name}` is larger than 64 MiB",
        hint="a screenshot or a signed PDF is enough",
    )
    path = plan.resolve().parent / name
    what = f"the evidence file `{name}`"
    data = read_whole(path, what, limit=LIMIT_BYTES, too_large=too_large)
    return {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
