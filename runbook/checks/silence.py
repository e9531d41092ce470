"""RB690 where nobody asked the sites; importing it costs nothing, unlike the checks of answers."""

from collections.abc import Iterator

from runbook.checks.codes import finding
from runbook.checks.facts import Facts
from runbook.findings import Finding
from runbook.plan.model import Plan
from runbook.text import printable


def nobody_asked(plan: Plan, facts: Facts) -> Finding:
    """Return the note that the sites were not asked, with the reason."""
    return finding(
        "RB690",
        plan,
        "sites",
        f"the sites were not asked: {printable(facts.not_asked)}",
        hint="`runbook check PLAN --online` asks them; it only reads",
    )


def judge_online(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB601 to RB690: what the sites said, or that nobody asked them."""
    if facts.online is None:
        yield nobody_asked(plan, facts)
        return
    from runbook.checks.online import ONLINE_CHECKS

    for check in ONLINE_CHECKS:
        yield from check(plan, facts)
