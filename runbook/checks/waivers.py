"""Waivers: a finding that somebody accepts stays visible and no longer counts (and RB506)."""

from collections.abc import Iterable
from dataclasses import replace

from runbook.checks.codes import CODES, finding
from runbook.checks.facts import Facts
from runbook.findings import Finding, Severity, Waived
from runbook.plan.model import Plan, Waiver

_Key = tuple[str, str | None, frozenset[str] | None]


def apply_waivers(plan: Plan, facts: Facts, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, waived where the plan waives them, and RB506 for idle waivers."""
    waivers: dict[_Key, Waiver] = {}
    for waiver in plan.waivers:
        waivers.setdefault(_key(waiver), waiver)
    used: set[str] = set()
    result = [_judged(problem, waivers, used) for problem in findings]
    if plan.broken:
        # Something was not looked at, so nobody can say that a waiver waives nothing.
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
    return finding(
        "RB506",
        plan,
        waiver.path,
        f"this waives {waiver.code}, {words}".replace(", and", " and"),
        hint=hint,
    )
