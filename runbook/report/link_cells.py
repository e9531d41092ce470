"""Statements about remote links as cells: the issue that holds one, and where it points."""

from runbook.ledger.events import Json
from runbook.report.exchanges import as_text
from runbook.report.page import Cell, Link
from runbook.report.text import DASH, clip, site_label, web_address


def issue_cell(finding: Json) -> Cell:
    """Return the issue of a statement about a link, with its site."""
    issue, site = as_text(finding.get("issue")), as_text(finding.get("site"))
    href = web_address(f"{site}/browse/{issue}") if site and issue.isascii() else None
    return Link(text=clip(issue, 60), href=href, note=clip(site_label(site), 60))


def target_cell(finding: Json) -> Cell:
    """Return where the link of a statement points."""
    target = as_text(finding.get("target"))
    return Link(text=clip(target, 160) or DASH, href=web_address(target))


def arrow(finding: Json, bases: dict[str, str]) -> str:
    """Return a statement as `issue→target`; a target on its job's destination is its key alone."""
    target = as_text(finding.get("target"))
    base = bases.get(as_text(finding.get("job")))
    if base is not None:
        target = target.removeprefix(f"{base}/browse/")
    return f"{clip(as_text(finding.get('issue')), 40)}→{clip(target, 160) or DASH}"
