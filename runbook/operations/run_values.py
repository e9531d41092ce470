"""What a run is given, as values: the person's options, the prepared plan, and what is shown first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.operations.check_plan import Planned
from runbook.execute.ports import Pace
from runbook.findings import Finding
from runbook.jobs import CmaJob, jobs_digest, jobs_of
from runbook.plan.model import Plan
from runbook.secrets import Account
from runbook.view import RunView
from runbook.windows import Pair, pairs_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the person asked for; `again` is None, or the ids of `--again`."""

    plan: Path
    operator: str
    digest: str | None = None
    only: tuple[str, ...] = ()
    early: bool = False
    again: tuple[str, ...] | None = None
    reason: str = ""
    on_unknown: str = "ask"
    pace: Pace = field(default_factory=Pace)
    endpoint: str | None = None
    rehearsal: bool = False
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan that was read and judged, and the jobs it stands for; no network was touched."""

    judged: Planned
    plan: Plan
    findings: tuple[Finding, ...]
    jobs: tuple[CmaJob, ...]
    jobs_digest: str
    pairs: Mapping[str, tuple[Pair, ...]]


Confirm = Callable[["Summary"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a person sees before saying yes."""

    prepared: Prepared
    todo: tuple[str, ...]
    accounts: tuple[Account, ...]
    site_ids: Mapping[str, str]
    earlier: tuple[RunView, ...]
    going_on: RunView | None
    difference: tuple[str, ...]
    endpoint: str | None


def prepare(planned: Planned, plan: Plan | None = None) -> Prepared:
    """Return the jobs of a plan that was read and checked, with their finished windows.

    A rehearsal gives `plan`, in which planned waves are finished.
    """
    plan = plan or planned.plan
    jobs = jobs_of(plan)
    return Prepared(
        judged=planned,
        plan=plan,
        findings=planned.findings,
        jobs=jobs,
        jobs_digest=jobs_digest(jobs),
        pairs={one.id: pairs_of(plan, one, use_planned=False) for one in plan.instances},
    )
