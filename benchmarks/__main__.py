"""`python -m benchmarks [--quick] [--write] [NAME …]`: measure, compare with the limits, exit 1 on a miss.

Each module has `measure()`, which returns rows `{name, ratio or value, limit, detail}`; a row with
`at_least` true has to reach its limit, any other has to stay within it.
"""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

MODULES = ("startup", "check_plan", "report", "verify", "snapshot")
QUICK = ("startup", "check_plan")
README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def value_of(row: dict[str, Any]) -> float:
    """Return what was measured."""
    return float(row["ratio"] if "ratio" in row else row["value"])


def holds(row: dict[str, Any]) -> bool:
    """Return whether a row keeps its limit."""
    value, limit = value_of(row), row["limit"]
    if limit is None:
        return True
    return value >= limit if row.get("at_least") else value <= limit


def shown(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return a row as words: name, measured, limit, verdict, detail."""
    unit = "x" if "ratio" in row else ""
    limit = row["limit"]
    sign = "at least" if row.get("at_least") else "at most"
    bound = "-" if limit is None else f"{sign} {limit:g}{unit}"
    return (
        row["name"],
        f"{value_of(row):.4g}{unit}",
        bound,
        "holds" if holds(row) else "MISSED",
        str(row.get("detail", "")),
    )


def measured(names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the rows of each module that is there, with a line on stderr before each."""
    for name in names:
        if find_spec(f"benchmarks.{name}") is None:
            print(f"{name}: not there, not measured", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        yield from importlib.import_module(f"benchmarks.{name}").measure()


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| what | measured | limit | verdict | detail |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(shown(row)) + " |" for row in rows]
    return "\n".join(lines)


def write(rows: list[dict[str, Any]]) -> None:
    """Keep the numbers in `README.md`, between its two marks."""
    text = README.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    where = (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()} on "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )
    kept = f"{BEGIN}\n{where}\n\n{table(rows)}\n{END}"
    README.write_text(before + kept + after, encoding="utf-8")


def main() -> int:
    """Measure, print, and say by the exit code whether every limit holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MODULES, []], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="only start-up and checking")
    parser.add_argument("--write", action="store_true", help="keep the numbers in README.md")
    given = parser.parse_args()
    names = tuple(given.names) or (QUICK if given.quick else MODULES)
    rows = list(measured(names))
    print(table(rows))
    if given.write:
        write(rows)
    return 0 if all(holds(row) for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
