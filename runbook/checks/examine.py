"""Every check in one tuple, and one function that asks them all.

In: a plan and what is known around it. Out: all findings in file order, waivers applied. Nothing
here reads a clock, a file or the network.
"""

from collections.abc import Callable, Iterator

from runbook.checks.app_link import APP_LINK_CHECKS
from runbook.checks.coverage import COVERAGE_CHECKS
from runbook.checks.facts import Facts
from runbook.checks.request import REQUEST_CHECKS
from runbook.checks.waivers import apply_waivers
from runbook.checks.window import WINDOW_CHECKS
from runbook.findings import Finding
from runbook.plan.model import Plan

Check = Callable[[Plan, Facts], Iterator[Finding]]

ALL_CHECKS: tuple[Check, ...] = (
    *WINDOW_CHECKS,
    *APP_LINK_CHECKS,
    *REQUEST_CHECKS,
    *COVERAGE_CHECKS,
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
    found = [*structural]
    for check in checks:
        found.extend(one for one in check(plan, facts) if not _follows(one, plan.broken))
    judged = apply_waivers(plan, facts, found)
    return tuple(sorted(judged, key=lambda one: (one.line, one.column, one.code)))


def _follows(one: Finding, broken: frozenset[str]) -> bool:
    """Return whether a finding speaks of a value that could not be read, or of what holds one."""
    return any(
        path == one.path
        or path.startswith((f"{one.path}.", f"{one.path}["))
        or one.path.startswith((f"{path}.", f"{path}["))
        for path in broken
    )
