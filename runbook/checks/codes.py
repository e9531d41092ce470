"""Every code with its severity and its one-line meaning, what a check may know, and how it reports.

`docs/checks.md`, which a wheel carries as `checks/catalog.md`, explains each code at length.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from runbook.findings import Finding, Severity
from runbook.plan.model import Instance, Plan

_SHIPPED = Path(__file__).with_name("catalog.md")
_IN_CHECKOUT = Path(__file__).parents[2] / "docs" / "checks.md"
_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES: dict[str, tuple[Severity, str]] = {
    "RB100": (_E, "the plan cannot be read"),
    "RB101": (_E, "unknown key"),
    "RB102": (_E, "missing field"),
    "RB103": (_E, "wrong type or value"),
    "RB104": (_E, "duplicate key"),
    "RB105": (_E, "duplicate instance id"),
    "RB106": (_E, "same job twice"),
    "RB107": (_E, "a secret in the plan"),
    "RB108": (_E, "unsupported format"),
    "RB109": (_E, "needs that cannot be met"),
    "RB201": (_E, "no migration date for a site of the job"),
    "RB202": (_E, "the window is closed at the planned moment"),
    "RB203": (_E, "a migration is not finished at the planned moment"),
    "RB204": (_W, "the last open window nears its safe end"),
    "RB205": (_E, "no pair of waves ever overlaps"),
    "RB206": (_W, "some pairs of waves are not served"),
    "RB207": (_W, "past the safe end of a window"),
    "RB208": (_N, "a wave is planned, not finished"),
    "RB301": (_E, "app link not authorized"),
    "RB302": (_E, "authorization lacks who or when"),
    "RB303": (_W, "authorized later than the planned moment"),
    "RB304": (_W, "evidence file is not there"),
    "RB305": (_W, "authorized as another account than the one that submits"),
    "RB401": (_E, "not a base URL"),
    "RB402": (_E, "no Atlassian Cloud site of the plan"),
    "RB403": (_E, "recreateAsRemote with Confluence"),
    "RB404": (_E, "recreateAsRemote onto the same site"),
    "RB405": (_E, "recreateAsRemote from a cloud site"),
    "RB406": (_E, "createBackup with Confluence"),
    "RB407": (_W, "override equal to migratedFrom"),
    "RB408": (_W, "migratedFrom looks like staging or backup"),
    "RB409": (_W, "more than one backup for one site"),
    "RB410": (_W, "backup not on the first job of its site"),
    "RB501": (_W, "a pair of sites is linked in one direction only"),
    "RB502": (_W, "a pair of sites is not linked at all"),
    "RB503": (_W, "migratedFrom differs between jobs of one split"),
    "RB504": (_E, "one project on two sites"),
    "RB505": (_W, "a project re-migrated by a later wave"),
    "RB506": (_W, "a waiver that waives nothing"),
    "RB601": (_E, "siteId is not what the site says"),
    "RB602": (_E, "site does not answer"),
    "RB603": (_E, "credential refused"),
    "RB604": (_E, "not an administrator"),
    "RB605": (_E, "issue linking is off"),
    "RB606": (_W, "issues near the limit of 2000 remote links"),
    "RB607": (_W, "the clock of this machine is off"),
    "RB608": (_W, "token expires before the evidence is fetched"),
    "RB609": (_W, "a project of the plan is not usable on its site"),
    "RB610": (_W, "migratedFrom reports another base URL"),
    "RB690": (_N, "not asked"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The moment a plan is judged at, and what was found around it, as plain values.

    `at` is the planned moment (`--at`, else `cutover`, else the present; in `run` the real present).
    `running` says that only finished waves count. `missing_files` are evidence files that are named
    and not there, as the plan writes them. `earlier_backups` are (site URL, moment) of backups that
    earlier runs asked for. `submitters` maps a credential profile to its e-mail where known.
    `online` holds what the sites answered, None where nobody asked; `not_asked` says why.
    """

    at: datetime
    running: bool = False
    missing_files: frozenset[str] = frozenset()
    earlier_backups: tuple[tuple[str, datetime], ...] = ()
    submitters: Mapping[str, str] = field(default_factory=dict)
    online: Any = None
    not_asked: str = "`--online` was not given"


Check: TypeAlias = Callable[[Plan, Facts], Iterator[Finding]]


def finding(
    code: str,
    plan: Plan,
    path: str,
    message: str,
    *,
    hint: str = "",
    instance: Instance | None = None,
    severity: Severity | None = None,
    sites: tuple[str, str] | None = None,
) -> Finding:
    """Return a finding at the value of `path`; severity is the code's own by default."""
    location = plan.location(path)
    if sites is None and instance is not None:
        sites = instance.sites
    return Finding(
        code=code,
        severity=CODES[code][0] if severity is None else severity,
        message=message,
        hint=hint,
        instance=None if instance is None else instance.id,
        path=path,
        file=plan.file,
        line=location.line,
        column=location.column,
        sites=sites,
    )


def few(names: list[str], *, shown: int = 4) -> str:
    """Return names in backticks, the first few of many."""
    quoted = ", ".join(f"`{name}`" for name in names[:shown])
    more = len(names) - shown
    return quoted if more <= 0 else f"{quoted} and {more} more"


def lacks(plan: Plan, *parts: str) -> bool:
    """Return whether any of the named parts of a plan holds a value that could not be read."""
    return any(path.startswith(parts) for path in plan.broken)


def catalog() -> str:
    """Return the whole document, in Markdown."""
    path = _SHIPPED if _SHIPPED.is_file() else _IN_CHECKOUT
    return path.read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    """Return the section of every code, with its heading."""
    result: dict[str, list[str]] = {}
    current: list[str] | None = None
    fenced = False
    for line in catalog().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            current = None
        if line.startswith("### RB") and not fenced:
            current = result.setdefault(line[4:9], [])
        if current is not None:
            current.append(line)
    return {code: "\n".join(lines).strip() for code, lines in result.items()}
