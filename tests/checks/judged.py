"""Plans for the tests of the checks, and the findings they give."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from runbook.checks import Facts, examine
from runbook.findings import Finding
from runbook.plan import load_plan_bytes

AT = datetime(2026, 11, 20, 20, tzinfo=UTC)
DONE = "{started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z}"
LINK = "appLink: {authorized: true, by: J. Doe, at: 2026-11-19T09:15:00Z}"


def site(name: str, *waves: str, extra: str = "") -> str:
    """Return an entry of `sites`; without waves, one that is long done."""
    listed = ", ".join(waves or (DONE,))
    return f"  - {{url: https://{name}.atlassian.net, migrations: [{listed}]{extra}}}\n"


def job(
    ends: str, *fields: str, origin: str = "https://jira.contoso.example", link: str = LINK
) -> str:
    """Return an entry of `instances` for ends such as `eng>ops`; its id is `eng-to-ops` by default."""
    source, _, destination = ends.partition(">")
    parts = [
        f"productURL: https://{source}.atlassian.net",
        f"destinationURL: https://{destination}.atlassian.net",
        f"migratedFrom: {origin}",
        *fields,
        link,
    ]
    return "  - {" + ", ".join(part for part in parts if part) + "}\n"


def plan_text(sites: Iterable[str], jobs: Iterable[str], waive: Iterable[str] = ()) -> str:
    """Return the text of a plan."""
    waivers = "".join(f"  - {waiver}\n" for waiver in waive)
    return (
        "format: 1\nname: judged\nsites:\n"
        + "".join(sites)
        + "instances:\n"
        + "".join(jobs)
        + (f"waive:\n{waivers}" if waivers else "")
    )


def judged(
    sites: Iterable[str], jobs: Iterable[str], waive: Iterable[str] = (), **facts: Any
) -> tuple[Finding, ...]:
    """Return the findings of a plan, less the note that nobody asked the sites."""
    loaded = load_plan_bytes(plan_text(sites, jobs, waive).encode(), "plan.yaml")
    assert loaded.plan is not None
    known = Facts(**{"at": AT, **facts})
    return tuple(
        finding
        for finding in examine(loaded.plan, known, loaded.findings)
        if finding.code != "RB690"
    )


def codes(findings: Iterable[Finding]) -> list[str]:
    """Return the codes of the findings that are not waived, sorted."""
    return sorted(finding.code for finding in findings if finding.waived is None)
