"""Every check in one tuple, one function that runs them all, and the waivers.

In: a plan and what is known around it. Out: all findings in file order, waivers applied. Nothing
here reads a clock, a file or the network.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runbook.checks.app_link import APP_LINK_CHECKS
from runbook.checks.codes import CODES, Check, Facts, finding
from runbook.checks.coverage import COVERAGE_CHECKS
from runbook.checks.request import REQUEST_CHECKS
from runbook.checks.window import WINDOW_CHECKS
from runbook.findings import Finding, Severity, Waived
from runbook.plan.model import Plan, Waiver, upwards
from runbook.text import printable


def judge_online(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB601 to RB690: the answers of the sites, or a note that they were not asked."""
    if facts.online is None:
        message = f"the sites were not asked: {printable(facts.not_asked)}"
        hint = "`runbook check PLAN --online` asks them; it only reads"
        yield finding("RB690", plan, "sites", message, hint=hint)
        return
    # Most runs of `check` are offline and do not need these imports.
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
    above = {path for path in plan.broken for path in upwards(path)}
    for check in checks:
        found.extend(
            problem for problem in check(plan, facts) if not _follows(problem, plan.broken, above)
        )
    judged = apply_waivers(plan, facts, found)
    return tuple(sorted(judged, key=lambda problem: (problem.line, problem.column, problem.code)))


def _follows(problem: Finding, broken: frozenset[str], above: set[str]) -> bool:
    """Return whether a problem concerns a value that could not be read, or its container."""
    if not broken:
        return False
    return problem.path in above or any(path in broken for path in upwards(problem.path))


# Waivers: a finding that somebody accepts stays visible and no longer counts (and RB506)

_Key = tuple[str, str | None, frozenset[str] | None]


def apply_waivers(plan: Plan, facts: Facts, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, waived where the plan waives them, and RB506 for idle waivers."""
    waivers: dict[_Key, Waiver] = {}
    for waiver in plan.waivers:
        waivers.setdefault(_key(waiver), waiver)
    used: set[str] = set()
    result = [_judged(problem, waivers, used) for problem in findings]
    if plan.broken:
        # Part of the plan was not checked, so a waiver cannot be called idle.
        return tuple(result)
    idle = [waiver for waiver in plan.waivers if waiver.path not in used]
    result += [
        _judged(_waives_nothing(plan, waiver), waivers, used)
        for waiver in idle
        if not (waiver.code.startswith("RB6") and facts.online is None and waiver.code in CODES)
        and waiver.code != "RB506"
    ]
    result += [
        _waives_nothing(plan, waiver)
        for waiver in idle
        if waiver.code == "RB506" and waiver.path not in used
    ]
    return tuple(result)


def _key(waiver: Waiver) -> _Key:
    return (waiver.code, waiver.instance, None if waiver.sites is None else frozenset(waiver.sites))


def _judged(problem: Finding, waivers: dict[_Key, Waiver], used: set[str]) -> Finding:
    if not waivers or (problem.code.startswith("RB1") and problem.severity is Severity.ERROR):
        return problem
    pair = None if problem.sites is None else frozenset(problem.sites)
    waiver = None
    for instance, sites in (
        (problem.instance, pair),
        (problem.instance, None),
        (None, pair),
        (None, None),
    ):
        found = waivers.get((problem.code, instance, sites))
        if found is not None:
            used.add(found.path)
            waiver = waiver or found
    if waiver is None:
        return problem
    return replace(problem, waived=Waived(by=waiver.by, reason=waiver.reason))


def _waives_nothing(plan: Plan, waiver: Waiver) -> Finding:
    if waiver.code not in CODES:
        words, hint = "which is no code of runbook", "the codes are in docs/checks.md"
    elif waiver.code.startswith("RB1") and CODES[waiver.code][0] is Severity.ERROR:
        words, hint = "which cannot be waived", "correct the plan instead"
    elif waiver.instance is not None and plan.instance(waiver.instance) is None:
        words = f"for `{waiver.instance}`, which is no job of the plan"
        hint = "name the id of a job, or remove the waiver"
    elif waiver.sites is not None and any(plan.site(url) is None for url in waiver.sites):
        words, hint = "for a site that is not in the plan", "name two sites of the plan"
    else:
        words, hint = "and there is nothing to waive", "remove it, so that it hides nothing later"
    message = f"this waives {waiver.code}, {words}".replace(", and", " and")
    return finding("RB506", plan, waiver.path, message, hint=hint)
