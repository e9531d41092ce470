"""Every check in one tuple, and one function that asks them all.

In: a plan and what is known around it. Out: all findings in file order, waivers applied. Nothing
here reads a clock, a file or the network.
"""

from collections.abc import Callable, Iterator

from runbook.checks.app_link import APP_LINK_CHECKS
from runbook.checks.codes import finding
from runbook.checks.coverage import COVERAGE_CHECKS
from runbook.checks.facts import Facts
from runbook.checks.request import REQUEST_CHECKS
from runbook.checks.waivers import apply_waivers
from runbook.checks.window import WINDOW_CHECKS
from runbook.findings import Finding
from runbook.plan.model import Plan
from runbook.text import printable

Check = Callable[[Plan, Facts], Iterator[Finding]]


def judge_online(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB601 to RB690: what the sites said, or that nobody asked them."""
    if facts.online is None:
        message = f"the sites were not asked: {printable(facts.not_asked)}"
        hint = "`runbook check PLAN --online` asks them; it only reads"
        yield finding("RB690", plan, "sites", message, hint=hint)
        return
    # Most runs of `check` are offline and need not pay for importing these.
    from runbook.checks.online import ONLINE_CHECKS

    for check in ONLINE_CHECKS:
        yield from check(plan, facts)


ALL_CHECKS: tuple[Check, ...] = (
    *WINDOW_CHECKS,
    *APP_LINK_CHECKS,
    *REQUEST_CHECKS,
    *COVERAGE_CHECKS,
    judge_online,
)


def examine(
    plan: Plan,
    facts: Facts,
    structural: tuple[Finding, ...] = (),
    checks: tuple[Check, ...] = ALL_CHECKS,
) -> tuple[Finding, ...]:
    """Return every finding of a plan in file order, waived where the plan waives it.

    `structural` are the findings of reading it; where they left something out, findings that only
    follow from the gap are left out, too.
    """
    if any(problem.code == "RB108" for problem in structural):
        return structural
    found = [*structural]
    above = {path for path in plan.broken for path in _upwards(path)}
    for check in checks:
        found.extend(
            problem for problem in check(plan, facts) if not _follows(problem, plan.broken, above)
        )
    judged = apply_waivers(plan, facts, found)
    return tuple(sorted(judged, key=lambda problem: (problem.line, problem.column, problem.code)))


def _follows(problem: Finding, broken: frozenset[str], above: set[str]) -> bool:
    """Return whether a problem speaks of a value that could not be read, or of what holds one."""
    if not broken:
        return False
    return problem.path in above or any(path in broken for path in _upwards(problem.path))


def _upwards(path: str) -> Iterator[str]:
    """Yield a path and every path above it."""
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
