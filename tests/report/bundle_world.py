"""A ledger with one finished run that has everything a bundle can hold."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from runbook.clock import VirtualClock
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.events import (
    JobPolled,
    ProbeRead,
    RunEnded,
    RunStarted,
    SubmitAnswered,
    SubmitIntended,
)
from runbook.ledger.events.handover import ApprovalGiven, LogKept
from runbook.ledger.store import create_ledger
from runbook.plan import load_plan_bytes
from runbook.secrets import Mask

START = datetime(2026, 11, 22, 19, tzinfo=UTC)
RUN = "run-0001"
PLAN = """\
format: 1
name: split
customer: Contoso Ltd
cutover: 2026-11-22T20:00:00+01:00
sites:
  - {url: https://a.atlassian.net, siteId: site-a, migrations: [{finished: 2026-11-14T02:30:00+01:00}]}
  - {url: https://b.atlassian.net, siteId: site-b, migrations: [{finished: 2026-11-15T23:10:00+01:00}]}
instances:
  - productURL: https://a.atlassian.net
    destinationURL: https://b.atlassian.net
    migratedFrom: https://jira.contoso.example
    appLink: {authorized: true, as: admin@contoso.example, by: J. Doe, at: 2026-11-20T09:15:00+01:00, evidence: evidence/shot.png}
  - productURL: https://b.atlassian.net
    destinationURL: https://a.atlassian.net
    migratedFrom: https://jira.contoso.example
    appLink: {authorized: true, by: J. Doe, at: 2026-11-20T09:15:00+01:00, evidence: gone.png}
"""
SHOT = b"\x89PNG a screenshot"
LOG = b"issue,old,new\nENG-1,https://jira.contoso.example/browse/OPS-1,https://b.atlassian.net/browse/OPS-1\n"
TITLE = "Dismissal of a colleague"
ACCOUNT_ID = "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077"


def exchange(status: int, body: object) -> dict:
    answer = {
        "status": status,
        "headers": [["date", "Sun, 22 Nov 2026 19:00:01 GMT"]],
        "at": "2026-11-22T19:00:01Z",
        "body": body if isinstance(body, str) else json.dumps(body),
    }
    url = "https://api.atlassian.com/links/v1/site-a/jobs/cma"
    request = {
        "method": "POST",
        "url": url,
        "headers": {"Accept": "application/json"},
        "body": "{}",
    }
    return {"request": {**request, "account": "default"}, "answer": answer, "error": None}


def make_ledger(folder: Path) -> Path:
    """Write plan, evidence and ledger below `folder` and return the ledger's path."""
    plan_file = folder / "plan.yaml"
    plan_file.write_text(PLAN)
    (folder / "evidence").mkdir()
    (folder / "evidence" / "shot.png").write_bytes(SHOT)
    plan = load_plan_bytes(PLAN.encode(), str(plan_file)).whole_plan()
    jobs = jobs_of(plan)
    sha256 = hashlib.sha256(SHOT).hexdigest()
    shot = {"path": "evidence/shot.png", "sha256": sha256, "bytes": len(SHOT)}
    clock = VirtualClock(START)
    path = folder / "runbook.ledger"
    with create_ledger(path, clock=clock, mask=Mask()) as ledger:
        ledger.append(
            ApprovalGiven(
                plan_name="split",
                digest=plan.digest,
                jobs_digest=jobs_digest(jobs),
                by="Jane Roe",
                evidence=shot,
                operator="keyboard",
            )
        )
        clock.advance(60)
        ledger.append(
            RunStarted(
                plan_name="split",
                plan_file=str(plan_file),
                plan_text=PLAN,
                digest=plan.digest,
                jobs_digest=jobs_digest(jobs),
                jobs=[{**job.as_json(), "windows": []} for job in jobs],
                findings=[],
                evidence=[
                    {**shot, "instance": "a-to-b"},
                    {"path": "gone.png", "sha256": None, "bytes": None, "instance": "b-to-a"},
                ],
                site_ids={"https://a.atlassian.net": "site-a", "https://b.atlassian.net": "site-b"},
                operator="admin@contoso.example",
                machine="laptop",
                tool_version="0.1.0",
                zone_minutes=60,
                rehearsal=False,
                endpoint=None,
                options={},
            ),
            run=RUN,
        )
        for number, job in enumerate(jobs):
            clock.advance(12)
            intended = SubmitIntended(number=1, request=exchange(200, "")["request"])
            ledger.append(intended, run=RUN, job=job.id)
            uuid = f"{number:08}-0000-4000-8000-000000000000"
            ledger.append(
                SubmitAnswered(
                    meaning="accepted",
                    uuid=uuid,
                    detail="",
                    trace_id="trace",
                    causes=[],
                    wait_s=None,
                    exchange=exchange(200, {"uuid": uuid}),
                ),
                run=RUN,
                job=job.id,
            )
            clock.advance(30.5)
            ledger.append(
                JobPolled(
                    state="complete",
                    word="Complete",
                    warning=None,
                    exchange=exchange(200, {"status": "Complete", "by": ACCOUNT_ID}),
                ),
                run=RUN,
                job=job.id,
            )
        ledger.append(
            ProbeRead(
                phase="after",
                issue="ENG-1",
                target="OPS-1",
                result="arrived",
                detail="",
                exchanges=[exchange(200, [{"object": {"title": TITLE}}]), exchange(200, [])],
            ),
            run=RUN,
            job="a-to-b",
        )
        ledger.append(
            RunEnded(state="complete", counts={"complete": 2}, exit_code=0, detail=""), run=RUN
        )
        ledger.append(
            LogKept(
                log="audit",
                site="https://a.atlassian.net",
                source="audit log.csv",
                sha256=hashlib.sha256(LOG).hexdigest(),
                raw_bytes=len(LOG),
                raw_base64=base64.b64encode(LOG).decode(),
                columns={"issue": "issue"},
                rows=1,
                attribution={"jobs": {"a-to-b": 1}},
                notes=[],
            ),
            run=RUN,
        )
    return path
