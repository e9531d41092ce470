"""Write one attestation into the plan's file: read, change, read again, replace."""

from collections.abc import Mapping
from pathlib import Path

from runbook.cli.files import write_atomically
from runbook.errors import PlanError, UsageError
from runbook.plan import load_plan_bytes
from runbook.plan.edit import edit_plan_bytes
from runbook.plan.model import Instance, Plan


def attest(path: Path, ids: tuple[str, ...], values: Mapping[str, str | bool]) -> Plan:
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
        from difflib import get_close_matches

        near = get_close_matches(job, [one.id for one in plan.instances], n=1)
        raise UsageError(
            f"the plan has no job `{job}`",
            hint=f"did you mean `{near[0]}`?" if near else "`runbook checklist PLAN` lists them",
        )
    return instance


def _index(instance: Instance) -> int:
    return int(instance.path.removeprefix("instances[").removesuffix("]"))
