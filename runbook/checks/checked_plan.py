"""A plan that was read and checked: the input of every later step."""

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.checks.codes import Facts
from runbook.errors import PlanError
from runbook.findings import Finding, open_errors
from runbook.jobs import CmaJob, jobs_digest, jobs_of
from runbook.plan.model import Plan
from runbook.windows import Pair, pairs_of

LISTED_ERRORS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlan:
    """A plan without structural errors, its findings, and its jobs.

    `pairs` are the finished windows of each job: planned ends never let a job run.
    """

    plan: Plan
    facts: Facts
    findings: tuple[Finding, ...]
    jobs: tuple[CmaJob, ...]
    jobs_digest: str
    pairs: Mapping[str, tuple[Pair, ...]]

    @classmethod
    def of(cls, plan: Plan, facts: Facts, findings: tuple[Finding, ...]) -> "CheckedPlan":
        """Return a plan with its jobs and their finished windows."""
        jobs = jobs_of(plan)
        return cls(
            plan=plan,
            facts=facts,
            findings=findings,
            jobs=jobs,
            jobs_digest=jobs_digest(jobs),
            pairs={job.id: pairs_of(plan, job, use_planned=False) for job in plan.instances},
        )

    @property
    def may_run(self) -> bool:
        """Return whether no error is left that nobody waived."""
        return not open_errors(self.findings)

    def refuse_unless_may_run(self) -> None:
        """Raise the errors that nobody waived.

        Raises:
            PlanError: there is one; the message lists the first of them.
        """
        errors = open_errors(self.findings)
        if not errors:
            return
        lines = "".join(f"\n  {error.sentence()}" for error in errors[:LISTED_ERRORS])
        left = len(errors) - LISTED_ERRORS
        more = f"\n  and {left} more" if left > 0 else ""
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        hint = f"`runbook check {self.plan.file}` shows each with its line and what to do"
        raise PlanError(f"the plan may not run, it has {count}:{lines}{more}", hint=hint)

    def refuse_other_digest(self, digest: str | None) -> None:
        """Raise `PlanError` where `--digest` names another plan or other jobs; None names none."""
        if digest is None:
            return
        if digest.strip().lower() not in (self.jobs_digest, self.plan.digest):
            message = f"the plan is not the one of `--digest`: its jobs have the digest {self.jobs_digest}, the plan {self.plan.digest}"
            hint = "look at `runbook preview` again: something that is sent has changed since"
            raise PlanError(message, hint=hint)
