"""A plan to practise with now: the same plan, its moments moved so that its evening is the present.

`run` judges a plan at the real present and counts only finished waves, also against a stand-in; a
plan for next week, or for last year, would be refused. What is sent holds no moment, so the copy
has the same `jobs_digest`.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook.clock import isoformat_utc
from runbook.errors import PlanError
from runbook.jobs import jobs_digest, jobs_of
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan

_MOMENT = re.compile(
    r"""(["']?)(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:?\d{2}))\1"""
)
_FIELDS = ("cutover", "started", "finished", "planned", "at")


def practice_copy(plan: Plan, moved: timedelta) -> bytes:
    """Return the plan's text with every moment moved and every planned wave finished.

    Raises:
        PlanError: the copy would send anything else than the plan.
    """
    lines = plan.source.decode("utf-8-sig").splitlines(keepends=True)
    edits: list[tuple[int, int, int, str]] = []
    for path in plan.places:
        name = path.rpartition(".")[2]
        place = plan.place(path)
        line = lines[place.line - 1]
        start = place.column - 1
        if name == "planned!key" and path.startswith("sites["):
            edits.append((place.line - 1, start, start + len("planned"), "finished"))
        elif name in _FIELDS and (found := _MOMENT.match(line, start)):
            edits.append((place.line - 1, start, found.end(), _moved(found.group(2), moved)))
    # From the end, so that an edit does not move the places of those before it.
    for number, start, end, text in sorted(edits, reverse=True):
        lines[number] = lines[number][:start] + text + lines[number][end:]
    copy = "".join(lines).encode()
    read = load_plan_bytes(copy, plan.file).plan
    if read is None or jobs_digest(jobs_of(read)) != jobs_digest(jobs_of(plan)):
        raise PlanError(
            f"no practice copy of `{plan.file}` could be made that sends the same",
            hint="write its moments on one line each, as 2026-11-22T20:00:00+01:00",
        )
    return copy


def _moved(text: str, by: timedelta) -> str:
    moment = datetime.fromisoformat(text.upper().replace(" ", "T"))
    return f'"{isoformat_utc((moment + by).astimezone(UTC).replace(microsecond=0))}"'


def practice_path(path: Path) -> Path:
    """Return where the practice copy of a plan is written: beside it, so that its files are found."""
    return path.with_name(f"{path.stem}.practice{path.suffix or '.yaml'}")
