"""How long checking takes: a plan of 10 000 instances against PyYAML reading it, and a whole process.

`measure()` returns one row per claim, each a ratio of minima of interleaved runs on this machine:

- `check 10 000 instances`: reading and checking the plan, against PyYAML's C loader reading it; at most 4.
- `check growth`: that ratio at 10 000 instances against the one at 2 500; at most 1.3 (linear as PyYAML is).
- `check process`: `runbook check` of the example against `import click` in a bare process; at most 3.
- `help process`: `runbook --help` against the same; at most 1.5.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from runbook.checks import Facts, examine
from runbook.plan import load_plan_bytes

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "plans" / "contoso-split.yaml"
SITES = 200
AT = datetime(2026, 11, 20, 20, tzinfo=UTC)


def big_plan(instances: int, sites: int = SITES) -> bytes:
    """Return a plan of that many instances, each of a direction of its own."""
    lines = ["format: 1", "name: big", "cutover: 2026-11-20T20:00:00Z", "sites:"]
    for number in range(sites):
        lines += [
            f"  - url: https://site-{number}.atlassian.net",
            f"    projects: [P{number}A, P{number}B]",
            "    migrations:",
            f"      - {{projects: [P{number}A], started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z}}",
            f"      - {{projects: [P{number}B], started: 2026-11-14T18:00:00Z, finished: 2026-11-15T02:00:00Z}}",
        ]
    lines.append("instances:")
    directions = (
        (a, b) for step in range(1, sites) for a in range(sites) for b in [(a + step) % sites]
    )
    for number, (source, destination) in zip(range(instances), directions, strict=False):
        lines += [
            f"  - id: job-{number}",
            f"    productURL: https://site-{source}.atlassian.net",
            f"    destinationURL: https://site-{destination}.atlassian.net",
            "    migratedFrom: https://jira.contoso.example",
            "    recreateAsRemote: true",
            f"    probe: [{{issue: P{source}A-1, target: P{destination}A-2}}]",
            "    appLink:",
            "      authorized: true",
            "      by: J. Doe",
            "      at: 2026-11-19T09:15:00Z",
        ]
    return ("\n".join(lines) + "\n").encode()


def check(data: bytes) -> int:
    """Read and check a plan as `runbook check` does; return the number of findings."""
    loaded = load_plan_bytes(data, "big.yaml")
    assert loaded.plan is not None
    return len(examine(loaded.plan, Facts(at=AT), loaded.findings))


def interleaved(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each task in seconds, all tasks taking turns."""
    best = dict.fromkeys(tasks, float("inf"))
    for _ in range(rounds):
        for name, task in tasks.items():
            begin = time.perf_counter()
            task()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def _process(*arguments: str) -> Callable[[], Any]:
    command = [sys.executable, *arguments]
    return lambda: subprocess.run(command, check=True, capture_output=True, cwd=ROOT)


def measure() -> list[dict[str, Any]]:
    """Return `{name, ratio, limit, detail}` of each claim."""
    big, small = big_plan(10_000), big_plan(2_500)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    took = interleaved(
        {
            "ours": lambda: check(big),
            "small": lambda: check(small),
            "yaml": lambda: yaml.load(big, Loader=loader),
            "small yaml": lambda: yaml.load(small, Loader=loader),
        },
        rounds=3,
    )
    begun = interleaved(
        {
            "click": _process("-c", "import click"),
            "check": _process("-m", "runbook", "check", str(EXAMPLE)),
            "help": _process("-m", "runbook", "--help"),
        },
        rounds=15,
    )
    return [
        _row(
            "check 10 000 instances",
            took["ours"] / took["yaml"],
            4.0,
            f"{took['ours']:.2f} s, PyYAML {took['yaml']:.2f} s",
        ),
        _row(
            "check growth",
            (took["ours"] / took["yaml"]) / (took["small"] / took["small yaml"]),
            1.3,
            f"10 000: {took['ours']:.2f} s, 2 500: {took['small']:.2f} s",
        ),
        _row(
            "check process",
            begun["check"] / begun["click"],
            3.0,
            f"{begun['check'] * 1000:.0f} ms, `import click` {begun['click'] * 1000:.0f} ms",
        ),
        _row(
            "help process",
            begun["help"] / begun["click"],
            1.5,
            f"{begun['help'] * 1000:.0f} ms, `import click` {begun['click'] * 1000:.0f} ms",
        ),
    ]


def _row(name: str, ratio: float, limit: float, detail: str) -> dict[str, Any]:
    return {"name": name, "ratio": round(ratio, 2), "limit": limit, "detail": detail}


if __name__ == "__main__":
    for row in measure():
        print(f"{row['name']}: {row['ratio']} (limit {row['limit']}), {row['detail']}")
