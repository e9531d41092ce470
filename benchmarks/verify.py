"""`verify` of 1 000 000 links against as many expected ones: time and peak memory of a child process.

The files are made first (not measured). The child reads the CSV, joins it with the snapshot, and
writes every single finding and every link that arrived, as `runbook verify --after FILE` does.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LINKS = 1_000_000
LIMIT_S = 60.0
LIMIT_MIB = 300.0
SITES = ("https://one.atlassian.net", "https://two.atlassian.net")


def make_files(folder: Path, links: int = LINKS, *, left_out: int = 50) -> None:
    """Write a plan's CSV and a snapshot in which every `left_out`-th link is missing."""
    import sqlite3
    from datetime import UTC, datetime

    from runbook.remotelinks.snapshot_file import create_snapshot

    at = datetime(2026, 11, 22, tzinfo=UTC)
    path = folder / "after.snapshot"
    create_snapshot(path, plan="bench", digest="0" * 64, scope={}, at=at).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA synchronous = OFF")
    half = links // 2
    with (folder / "expected.csv").open("w", encoding="utf-8") as csv:
        csv.write("source_key,destination_key,link_type,direction\n")
        for n in range(1, half + 1):
            csv.write(f"ONE-{n},TWO-{n},blocks,outward\nTWO-{n},ONE-{n},is blocked by,inward\n")
    for here, there, (mine, theirs), label in (
        (SITES[0], SITES[1], ("ONE", "TWO"), "blocks"),
        (SITES[1], SITES[0], ("TWO", "ONE"), "is blocked by"),
    ):
        db.execute(
            "INSERT INTO site VALUES (?, ?, ?, 'default', 'site', '', '')", (here, here, here)
        )
        db.executemany(
            "INSERT INTO issue VALUES (?, ?, ?, ?, 'read', '')",
            ((here, f"{mine}-{n}", f"{mine}-{n}", n) for n in range(1, half + 1)),
        )
        db.executemany(
            "INSERT INTO resolved VALUES (?, ?, ?, ?, 'found')",
            ((there, f"{theirs}-{n}", f"{theirs}-{n}", n) for n in range(1, half + 1)),
        )
        db.executemany(
            "INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    here,
                    f"{mine}-{n}",
                    n,
                    f"appId=55f82c15-c230-365f-b5ec-d9d6971f5d1f&issueId={n}",
                    label,
                    f"{there}/browse/{theirs}-{n}",
                    f"{theirs}-{n}",
                    json.dumps(
                        {
                            "id": n,
                            "globalId": f"appId=55f82c15-c230-365f-b5ec-d9d6971f5d1f&issueId={n}",
                            "application": {"type": "com.atlassian.jira", "name": "x"},
                            "relationship": label,
                            "object": {
                                "url": f"{there}/browse/{theirs}-{n}",
                                "title": f"{theirs}-{n}",
                            },
                        }
                    ),
                    f"{n:064x}",
                )
                for n in range(1, half + 1)
                if n % left_out
            ),
        )
    db.execute("INSERT INTO meta VALUES ('finished_at', '2026-11-22T00:00:00Z')")
    db.commit()
    db.close()


CHILD = """
import sys, time
from pathlib import Path
from benchmarks.verify import plan
from runbook.remotelinks.expected import read_expected
from runbook.remotelinks.staging import Stage

start = time.perf_counter()
folder = Path(sys.argv[1])
with Stage(plan(), folder=folder) as stage:
    stage.add_expected(read_expected(folder / "expected.csv"))
    stage.compare(folder / "after.snapshot")
    findings = sum(1 for _ in stage.findings())
    arrivals = sum(1 for _ in stage.arrivals())
    total = stage.expected_total()
seconds = time.perf_counter() - start
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
except ImportError:
    peak = 0.0
import json
print(json.dumps({"s": seconds, "mib": peak, "findings": findings, "arrivals": arrivals, "total": total}))
"""


def plan() -> Any:
    """Return the plan of the benchmark: two sites, two jobs."""
    from runbook.plan.model import Instance, Plan, Project, Site

    names = (("ONE", "TWO"), ("TWO", "ONE"))
    return Plan(
        name="bench",
        sites=tuple(
            Site(url=url, projects=(Project(key=key, was=key),))
            for url, (key, _) in zip(SITES, names, strict=True)
        ),
        instances=(
            Instance(
                id="one-to-two",
                product_url=SITES[0],
                destination_url=SITES[1],
                migrated_from="https://jira.example",
            ),
            Instance(
                id="two-to-one",
                product_url=SITES[1],
                destination_url=SITES[0],
                migrated_from="https://jira.example",
            ),
        ),
    )


def measure(links: int = LINKS) -> list[dict[str, Any]]:
    """Return time and peak memory beside their limits."""
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), links)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, name],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
    seen = json.loads(done.stdout)
    detail = f"{seen['total']} expected, {seen['findings']} findings, {seen['arrivals']} arrived"
    return [
        {
            "name": f"verify {links} links: seconds",
            "value": seen["s"],
            "limit": LIMIT_S,
            "detail": detail,
        },
        {
            "name": f"verify {links} links: MiB",
            "value": seen["mib"],
            "limit": LIMIT_MIB,
            "detail": detail,
        },
    ]


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else LINKS):
        print(row)
