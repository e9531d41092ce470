"""What starting costs: `runbook --help` and `--version` against a process that only imports click.

Each ratio is one of minima of interleaved runs, so that a busy machine slows all of them alike.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 1.5
RUNS = 15
PROCESSES = {
    "import click": ["-c", "import click"],
    "runbook --help": ["-m", "runbook", "--help"],
    "runbook --version": ["-m", "runbook", "--version"],
}


def seconds_of(arguments: list[str]) -> float:
    """Return how long one process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - began


def measure() -> list[dict[str, Any]]:
    """Return `{name, ratio, limit, detail}` of each process against the bare one."""
    fastest = dict.fromkeys(PROCESSES, float("inf"))
    for _ in range(RUNS):
        for name, arguments in PROCESSES.items():
            fastest[name] = min(fastest[name], seconds_of(arguments))
    bare = fastest.pop("import click")
    return [
        {
            "name": name,
            "ratio": took / bare,
            "limit": LIMIT,
            "detail": f"{took * 1000:.0f} ms, `import click` {bare * 1000:.0f} ms, least of {RUNS} interleaved runs",
        }
        for name, took in fastest.items()
    ]
