"""The report: view -> page -> HTML. `build` and `render` are pure; the ledger is all they know."""

from collections.abc import Iterable
from datetime import datetime

from runbook.findings import Finding
from runbook.plan.model import Plan
from runbook.report.build import build
from runbook.report.data import report_json
from runbook.report.planned import planned_view
from runbook.report.render import render

__all__ = ["build", "planned_page", "planned_view", "render", "report_json"]


def planned_page(plan: Plan, findings: Iterable[Finding], at: datetime, *, lang: str = "en") -> str:
    """Return the HTML preview: the report's own template with every job planned, judged at `at`.

    Raises:
        UsageError: the language is not known.
    """
    return render(build(planned_view(plan, findings, at), lang=lang))
