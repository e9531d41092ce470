"""Make a practice copy of a plan, with its moments moved to the present, and serve the simulator.

`run` judges a plan at the present and counts only finished waves, even against a stand-in, so it
would refuse a plan for next week or for last year. The requests contain no moments, so the copy has
the same `jobs_digest`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runbook.atomic_file import write_atomically
from runbook.clock import isoformat_utc
from runbook.errors import PlanError
from runbook.jobs import jobs_digest, jobs_of
from runbook.operations.check_plan import checked_plan
from runbook.operations.rehearse import RehearsalOptions
from runbook.operations.root import Root
from runbook.plan import load_plan_bytes, read_plan
from runbook.plan.model import Plan
from runbook.simulator.faults import faults_for
from runbook.simulator.populate import world_of
from runbook.simulator.server import run_server

_MOMENT = re.compile(
    r"""(["']?)(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:?\d{2}))\1"""
)
# Practice runs on the real clock, so its jobs are short.
JOB_MINUTES = (0.05, 0.4)
BACKUP_MINUTES = 0.3
_FIELDS = ("cutover", "started", "finished", "planned", "at")


def practice_copy(plan: Plan, moved: timedelta) -> bytes:
    """Return the plan's text with every moment moved and every planned wave finished.

    Raises:
        PlanError: the copy would send something else than the plan.
    """
    lines = plan.source.decode("utf-8-sig").splitlines(keepends=True)
    edits: list[tuple[int, int, int, str]] = []
    for path in plan.locations:
        name = path.rpartition(".")[2]
        location = plan.location(path)
        line = lines[location.line - 1]
        start = location.column - 1
        if name == "planned!key" and path.startswith("sites["):
            edits.append((location.line - 1, start, start + len("planned"), "finished"))
        elif name in _FIELDS and (found := _MOMENT.match(line, start)):
            edits.append((location.line - 1, start, found.end(), _moved(found.group(2), moved)))
    # From the end, so that an edit does not move the positions of those before it.
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


def serve_practice(
    root: Root, options: RehearsalOptions, ready: Callable[[str, Path], None]
) -> None:
    """Serve the simulator for practice by hand until Ctrl-C; writes a practice copy of the plan.

    `ready` learns the endpoint and the copy's path once the server listens.

    Raises:
        PlanError: the plan has structural errors, or no copy could be made that sends the same.
        UsageError: the copy cannot be written.
    """
    checked = checked_plan(root, options.plan)
    copy = practice_path(options.plan)
    # One minute back, so that the cutover is past when the first command is typed.
    moved = root.clock.now() - checked.facts.at - timedelta(minutes=1)
    write_atomically(copy, practice_copy(checked.plan, moved))
    world = world_of(read_plan(copy), clock=root.clock, seed=options.seed, job_minutes=JOB_MINUTES)
    world.settings.backup_minutes = BACKUP_MINUTES
    world.faults.add(*faults_for(options.faults, checked.plan, seed=options.seed))
    run_server(world, options.port, ready=lambda endpoint: ready(endpoint, copy))
