"""`verify` of 1 000 000 links against as many expected ones: time and peak memory of a child process.

The files are made first (not measured). The child is `runbook verify --after FILE --format json`: it
reads the CSV, joins it with the snapshot, and writes every finding and every arrived link to the ledger.
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


PLAN = f"""format: 1
name: bench
sites:
  - {{url: {SITES[0]}, projects: [ONE]}}
  - {{url: {SITES[1]}, projects: [TWO]}}
instances:
  - {{id: one-to-two, productURL: {SITES[0]}, destinationURL: {SITES[1]}, migratedFrom: https://jira.example}}
  - {{id: two-to-one, productURL: {SITES[1]}, destinationURL: {SITES[0]}, migratedFrom: https://jira.example}}
"""

CHILD = """
import json, sys, time
from runbook.cli.app import main

start = time.perf_counter()
code = main(sys.argv[1:])
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
except ImportError:
    peak = 0.0
print(json.dumps({"s": time.perf_counter() - start, "mib": peak, "code": code}), file=sys.stderr)
"""


def make_ledger(folder: Path) -> None:
    """Write a ledger that holds one run of the plan."""
    from runbook.clock import SystemClock
    from runbook.jobs import jobs_digest, jobs_of
    from runbook.ledger.events import RunStarted
    from runbook.ledger.store import create_ledger
    from runbook.plan import load_plan_bytes
    from runbook.secrets import Mask

    plan = load_plan_bytes(PLAN.encode(), "plan.yaml").plan
    assert plan is not None
    jobs = jobs_of(plan)
    started = RunStarted(
        plan_name=plan.name,
        plan_file="plan.yaml",
        plan_text=PLAN,
        digest=plan.digest,
        jobs_digest=jobs_digest(jobs),
        jobs=[{**job.as_json(), "windows": []} for job in jobs],
        findings=[],
        evidence=[],
        site_ids={},
        operator="bench",
        machine="bench",
        tool_version="0",
        zone_minutes=0,
        rehearsal=False,
        endpoint=None,
        options={},
    )
    with create_ledger(folder / "runbook.ledger", clock=SystemClock(), mask=Mask()) as ledger:
        ledger.append(started, run="bench")


def measure(links: int = LINKS) -> list[dict[str, Any]]:
    """Return time and peak memory beside their limits."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_files(folder, links)
        make_ledger(folder)
        words = ["verify", "latest", "--format", "json"]
        words += ["--after", str(folder / "after.snapshot")]
        words += ["--expected", str(folder / "expected.csv")]
        words += ["--ledger", str(folder / "runbook.ledger")]
        with (folder / "out.json").open("w", encoding="utf-8") as out:
            done = subprocess.run(
                [sys.executable, "-c", CHILD, *words],
                check=True,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parent.parent,
            )
        document = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    seen = json.loads(done.stderr.splitlines()[-1])
    expected = sum(job["expected"] for job in document["jobs"])
    assert (seen["code"], expected) == (8, links), done.stderr
    detail = f"{expected} expected, {len(document['findings'])} findings, ledger and JSON written"
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
