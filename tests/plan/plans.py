"""A small right plan, and ways to make it wrong."""

from runbook.plan import load_plan_bytes
from runbook.plan.parse import Loaded

PLAN = """\
format: 1
name: contoso-split
cutover: 2026-11-20T20:00:00+01:00
sites:
  - url: https://contoso-eng.atlassian.net
    projects: [ENG, PLT]
    migrations:
      - {started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z}
  - url: https://contoso-ops.atlassian.net
    migrations:
      - {started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z}
instances:
  - id: eng-to-ops
    productURL: https://contoso-eng.atlassian.net
    destinationURL: https://contoso-ops.atlassian.net
    migratedFrom: https://jira.contoso.example
    appLink: {authorized: true, by: J. Doe, at: 2026-11-19T09:15:00+01:00}
  - id: ops-to-eng
    productURL: https://contoso-ops.atlassian.net
    destinationURL: https://contoso-eng.atlassian.net
    migratedFrom: https://jira.contoso.example
    appLink: {authorized: true, by: J. Doe, at: 2026-11-19T09:20:00+01:00}
"""


def load(text: str = PLAN, *edits: tuple[str, str]) -> Loaded:
    """Return a plan with each `old` replaced once by its `new`; `old` must be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return load_plan_bytes(text.encode(), "plan.yaml")


def said(loaded: Loaded) -> list[tuple[str, int, int]]:
    """Return code, line and column of every structural finding."""
    return [(finding.code, finding.line, finding.column) for finding in loaded.findings]
