"""`runbook report` over 1 000 jobs and 100 000 findings: time, peak memory and size of the HTML.

The ledger is made first (not measured): a whole evening with requests, answers, three looks at each
job's status and a verification. The child process calls the command as a user would, start-up and
the check of the whole hash chain included.
"""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

JOBS = 1_000
FINDINGS = 100_000
LIMIT_S = 10.0
LIMIT_MIB = 300.0
LIMIT_BYTES = 5_000_000
SITES, EACH = 40, 25
START = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
RUN = "bench-20261122-0001"
KINDS = ("missing", "wrong_target", "old_url", "target_absent")
DETAILS = {
    "missing": "no remote link to this target; both issues are there",
    "wrong_target": "points to another issue than expected",
    "old_url": "still points to the old address",
    "target_absent": "the target issue is not on the site",
}


def plan_text(jobs: int = JOBS) -> str:
    """Return a plan of forty sites, each linked to the next twenty-five."""
    lines = ["format: 1", "name: bench", "sites:"]
    for site in range(SITES):
        lines += [
            f"  - url: https://site-{site:02}.atlassian.net",
            f"    siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a{site:02}",
            f"    projects: [PRJ{site:02}]",
            "    migrations: [{finished: 2026-11-14T02:30:00+01:00}]",
        ]
    lines.append("instances:")
    pairs = [(a, (a + step) % SITES) for a in range(SITES) for step in range(1, EACH + 1)]
    for source, destination in pairs[:jobs]:
        lines += [
            f"  - id: site-{source:02}-to-site-{destination:02}",
            f"    productURL: https://site-{source:02}.atlassian.net",
            f"    destinationURL: https://site-{destination:02}.atlassian.net",
            "    migratedFrom: https://jira.contoso.example",
            "    appLink: {authorized: true, by: J. Doe, at: 2026-11-20T09:15:00+01:00}",
        ]
    return "\n".join(lines) + "\n"


def make_ledger(path: Path, jobs: int = JOBS, findings: int = FINDINGS) -> None:
    """Write the ledger of one evening; rows go in by one transaction, chained as the store does."""
    import sqlite3

    from runbook.clock import VirtualClock, isoformat_utc
    from runbook.ledger.codec import FIRST_HASH, chain_hash, encode
    from runbook.ledger.store import create_ledger
    from runbook.secrets import Mask

    create_ledger(path, clock=VirtualClock(START), mask=Mask()).close()
    db = sqlite3.connect(path)
    previous = FIRST_HASH
    seq, at = 0, START
    for job, event in events(jobs, findings):
        seq, at = seq + 1, at + timedelta(seconds=1)
        payload, moment = encode(event), isoformat_utc(at)
        digest = chain_hash(
            previous, seq=seq, at=moment, kind=event.KIND, run=RUN, job=job, payload=payload
        )
        db.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)",
            (seq, moment, event.KIND, RUN, job, payload, digest),
        )
        previous = digest
    db.execute("UPDATE head SET seq = ?, hash = ?", (seq, previous))
    db.commit()
    db.close()


def exchange(method: str, url: str, body: str) -> dict[str, Any]:
    """Return a request and its answer with the headers that Atlassian usually sends."""
    return {
        "request": {
            "method": method,
            "url": url,
            "headers": {"Accept": "application/json"},
            "body": None,
            "account": "default",
        },
        "answer": {
            "status": 200,
            "headers": [
                ["date", "Sun, 22 Nov 2026 19:00:00 GMT"],
                ["content-type", "application/json"],
                ["atl-traceid", "7c1f000000001de4b29a51"],
                ["x-ratelimit-limit", "60"],
                ["x-ratelimit-remaining", "58"],
                ["x-ratelimit-reset", "2026-11-22T19:01:00Z"],
            ],
            "at": "2026-11-22T19:00:00Z",
            "body": body,
        },
        "error": None,
    }


def events(jobs: int, findings: int) -> Any:
    """Yield (job, event) of the whole evening."""
    from runbook.jobs import jobs_digest, jobs_of
    from runbook.ledger.events import (
        JobPolled,
        RunEnded,
        RunStarted,
        SubmitAnswered,
        SubmitIntended,
    )
    from runbook.ledger.events.links import VerifyEnded, VerifyFound, VerifyStarted
    from runbook.plan import load_plan_bytes
    from runbook.report.planned import windows_json

    text = plan_text(jobs)
    plan = load_plan_bytes(text.encode(), "bench.yaml").plan
    assert plan is not None
    sent = jobs_of(plan)
    yield (
        None,
        RunStarted(
            plan_name="bench",
            plan_file="bench.yaml",
            plan_text=text,
            digest=plan.digest,
            jobs_digest=jobs_digest(sent),
            jobs=[{**job.as_json(), "windows": windows_json(plan, job)} for job in sent],
            findings=[],
            evidence=[],
            site_ids={site.url: site.site_id for site in plan.sites if site.site_id},
            operator="J. Doe",
            machine="jump-host-7",
            tool_version="0.1.0",
            zone_minutes=60,
            rehearsal=False,
            endpoint=None,
            options={},
        ),
    )
    for number, job in enumerate(sent):
        uuid = f"0c1f6e2b-7a10-4d3e-9a51-{number:012x}"
        request = {
            "method": "POST",
            "url": job.url,
            "headers": {"Accept": "application/json", "Content-Type": "application/json"},
            "body": job.body_bytes().decode(),
            "account": "default",
        }
        yield job.id, SubmitIntended(number=1, request=request)
        answer = exchange("POST", job.url, f'{{"uuid":"{uuid}"}}')
        yield (
            job.id,
            SubmitAnswered(
                meaning="accepted",
                uuid=uuid,
                detail="",
                trace_id="7c1f000000001de4b29a51",
                causes=[],
                wait_s=None,
                exchange=answer,
            ),
        )
        url = job.url.replace("/cma", f"/status/{uuid}")
        for state, word in (
            ("pending", "Pending"),
            ("in_progress", "In_progress"),
            ("complete", "Complete"),
        ):
            poll = exchange("GET", url, f'{{"status":"{word}"}}')
            yield job.id, JobPolled(state=state, word=word, warning=None, exchange=poll)
    yield (None, RunEnded(state="complete", counts={"complete": len(sent)}, exit_code=0, detail=""))
    yield (
        None,
        VerifyStarted(
            verification="v1",
            after=None,
            before=None,
            expected=None,
            sample=None,
            operator="J. Doe",
        ),
    )
    found = []
    for number in range(findings):
        job, kind = sent[number % len(sent)], KINDS[number % len(KINDS)]
        source, destination = job.site[8:15], job.destination[8:15]
        found.append(
            {
                "job": job.id,
                "kind": kind,
                "site": job.site,
                "issue": f"PRJ{source[-2:]}-{number + 1}",
                "target": f"{job.destination}/browse/PRJ{destination[-2:]}-{number * 3 + 1}",
                "link_id": None,
                "detail": DETAILS[kind],
            }
        )
    for start in range(0, findings, 500):
        yield None, VerifyFound(verification="v1", findings=found[start : start + 500])
    counts: dict[str, dict[str, int]] = {job.id: {"recreated": 900} for job in sent}
    for one in found:
        counts[one["job"]][one["kind"]] = counts[one["job"]].get(one["kind"], 0) + 1
    per_job = [
        {"id": job.id, "expected": sum(counts[job.id].values()), **counts[job.id]} for job in sent
    ]
    pairs = [
        {"from": job.site, "to": job.destination, **{k: v for k, v in row.items() if k != "id"}}
        for job, row in zip(sent, per_job, strict=True)
    ]
    ended = VerifyEnded(
        verification="v1", result="differences", jobs=per_job, pairs=pairs, sample=None, notes=[]
    )
    yield None, ended


CHILD = """
import json, sys, time
start = time.perf_counter()
from runbook.cli.app import main
code = main(["report", "latest", "-o", sys.argv[2], "--ledger", sys.argv[1]])
seconds = time.perf_counter() - start
try:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
except ImportError:
    peak = 0.0
print(json.dumps({"s": seconds, "mib": peak, "code": code}))
"""


def measure(jobs: int = JOBS, findings: int = FINDINGS) -> list[dict[str, Any]]:
    """Return time, peak memory and size beside their limits."""
    with tempfile.TemporaryDirectory() as name:
        ledger, page = Path(name) / "bench.ledger", Path(name) / "report.html"
        make_ledger(ledger, jobs, findings)
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(ledger), str(page)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        seen = json.loads(done.stdout.splitlines()[-1])
        if seen["code"] != 0:
            raise RuntimeError(done.stderr)
        size_bytes = page.stat().st_size
        ledger_bytes = ledger.stat().st_size
    detail = f"{jobs} jobs, {findings} findings, ledger of {ledger_bytes / 1e6:.0f} MB"
    rows = (
        ("seconds", seen["s"], LIMIT_S),
        ("MiB at most", seen["mib"], LIMIT_MIB),
        ("bytes of HTML", float(size_bytes), LIMIT_BYTES),
    )
    return [
        {"name": f"report: {what}", "value": value, "limit": limit, "detail": detail}
        for what, value, limit in rows
    ]


if __name__ == "__main__":
    for row in measure():
        print(row)
