"""Evenings that reach every branch of the report: one of everything, and one of each rare case.

The evenings of `evenings.py` are such as people have; these are for the golden pages, which have to
notice a change anywhere in the report.
"""

from dataclasses import replace
from itertools import permutations
from typing import Any

from runbook.ledger.events import (
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunResumed,
    RunStarted,
    SiteIdentified,
    StopRequested,
    SubmitAnswered,
    SubmitLost,
    SubmitNotSent,
)
from runbook.ledger.events.handover import ApprovalGiven, LogKept
from runbook.ledger.events.links import (
    LinksEnded,
    LinksListed,
    VerifyEnded,
    VerifyFound,
    VerifyStarted,
    WriteEnded,
    WriteIntended,
)
from runbook.report.states import KINDS, KINDS_BESIDE
from tests.report.evenings import Evening, clean, due, finding_of_link, plan_text, settled

FOUR = ("eng", "ops", "svc", "hr")
TWO = ("eng", "ops")
UUID = "11111111-2222-4333-8444-555555555555"
PROBE = [{"issue": "ENG-12", "target": "OPS-7"}]
# Harmless to a reader, hostile to a page that does not escape: short, so that the page stays small.
POISON = (
    "<script>window.hit=1</script> \"><img src=x onerror='window.hit=1'> &amp; {{ 7 * 7 }}"
    " \u202egnp.exe\u2066 \x1b[31m ]]><!-- `code` "
)


def varied_plan() -> str:
    """Return a plan of four sites and twelve jobs in which hardly two jobs are alike."""
    lines = [
        "format: 1",
        "name: contoso-split",
        "customer: Contoso Ltd & Söhne",
        "change: CHG-20481",
        "cutover: 2026-11-22T20:00:00+01:00",
        "sites:",
        "  - url: https://contoso-eng.atlassian.net",
        "    siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a00",
        "    tokenExpires: 2026-11-24",
        "    projects: [ENG, PLT]",
        "    migrations:",
        "      - name: wave-1",
        "        projects: [ENG]",
        "        started: 2026-11-13T18:00:00+01:00",
        "        finished: 2026-11-14T02:30:00+01:00",
        "      - {name: wave-2, projects: [PLT], planned: 2026-11-27T06:00:00+01:00}",
        "  - url: https://contoso-ops.atlassian.net",
        "    account: contoso-ops",
        "    tokenExpires: 2027-03-01",
        "    projects: [OPS]",
        "    migrations:",
        "      - {started: 2026-11-14T18:00:00+01:00, finished: 2026-11-15T02:30:00+01:00}",
        "  - url: https://contoso-svc.atlassian.net",
        "    account: contoso-svc",
        "    tokenExpires: 2026-11-20",
        "    projects: [SVC]",
        "    migrations:",
        "      - {started: 2026-11-05T18:00:00+01:00, finished: 2026-11-06T02:30:00+01:00}",
        "  - url: https://contoso-hr.atlassian.net",
        "    projects: [HR]",
        "instances:",
    ]
    app_links = [
        "{authorized: true, as: a@contoso.example, at: 2026-11-20T09:15:00+01:00, evidence: 1.png}",
        "{authorized: true, by: J. Doe, at: 2026-11-20T00:15:00+01:00}",
        "{authorized: false}",
        "{authorized: true, as: admin@contoso.example, evidence: evidence/unlisted.png}",
        None,
    ]
    for number, (source, destination) in enumerate(permutations(FOUR, 2)):
        lines += [
            f"  - id: {source}-to-{destination}",
            f"    productURL: https://contoso-{source}.atlassian.net",
            f"    destinationURL: https://contoso-{destination}.atlassian.net",
            "    migratedFrom: https://jira.contoso.example",
        ]
        if number == 3:
            lines.append("    needs: [eng-to-ops, eng-to-svc]")
        if number == 4:
            lines.append("    migratedFromOverride: https://jira-staging.contoso.example")
        if number == 5:
            lines.append("    createBackup: true")
        app_link = app_links[number % len(app_links)]
        if app_link is not None:
            lines.append(f"    appLink: {app_link}")
    return "\n".join(lines) + "\n"


def _findings() -> list[dict[str, Any]]:
    common = {"file": "contoso-split.yaml", "column": 3}
    waivers = (None, {"by": "", "reason": "nobody said"}, {"by": "J. Doe", "reason": "by phone"})
    severities = ("error", "warning", "note")
    return [
        *(
            {
                **common,
                "code": f"RB{200 + 10 * number + other}",
                "severity": severity,
                "message": f"the {severity} number {other} says `something` & more",
                "hint": "do this\nand that" if other else "",
                "instance": "eng-to-ops" if other == 1 else None,
                "path": "instances[0].appLink" if other == 2 else "",
                "line": 12 if other else None,
                "waived": waiver,
            }
            for number, severity in enumerate(severities)
            for other, waiver in enumerate(waivers)
        ),
        {**common, "code": "RB690", "severity": "note", "message": "not asked", "hint": ""},
        {**common, "code": "RB690", "severity": "strange", "message": "m" * 600, "hint": "h" * 600},
    ]


def _evidence() -> list[dict[str, Any]]:
    return [
        {"path": "1.png", "sha256": "a1" * 32, "bytes": 123_456, "instance": "one"},
        {"path": "evidence/gone.png", "sha256": None, "bytes": None, "instance": None},
    ]


def _poll(evening: Evening, job: str, state: str | None, word: str | None, **changes: Any) -> None:
    exchange = evening.exchange("GET", "https://api.example/status", 200, f'{{"status":"{word}"}}')
    answer = changes.pop("answer", exchange["answer"])
    whole = {**exchange, "answer": answer, "error": changes.pop("error", None)}
    evening.add(
        JobPolled(state=state, word=word, warning=changes.get("warning"), exchange=whole),
        job=job,
        after_s=changes.get("after_s", 20),
    )


def _probe(evening: Evening, job: str, phase: str, result: str, detail: str = "") -> None:
    evening.add(
        ProbeRead(
            phase=phase, issue="ENG-12", target="OPS-7", result=result, detail=detail, exchanges=[]
        ),
        job=job,
    )


def everything() -> Evening:
    """Return an evening on which each thing happened that the ledger can tell, and each look of it."""
    probes = dict.fromkeys(("eng-to-ops", "svc-to-eng", "svc-to-ops"), PROBE)
    evening = Evening(
        text=varied_plan(),
        probe=probes,
        changes={
            "findings": _findings(),
            "evidence": _evidence(),
            "earlier_runs": ["contoso-split-20261120-0001", "contoso-split-20261121-0002"],
        },
    ).begin()
    ids = [job.id for job in evening.jobs]
    evening.add(
        SiteIdentified(
            site="https://contoso-hr.atlassian.net",
            site_id="0b9f6f0e-6d0f-4a53-9f6e-7d3f0a1c2b44",
            exchange={"request": {}, "answer": None, "error": "the certificate is not trusted"},
        )
    )
    _complete_after_a_long_wait(evening, ids[0])
    _sent_four_times(evening, ids[1])
    evening.answer(
        ids[2],
        evening.submit(ids[2]),
        meaning="refused",
        status=400,
        body=f'{{"message":"{"App link is not authorized. " * 200}"}}',
        detail="App link is not authorized. " * 40,
        causes=("the app link is not authorized in this direction", "another site is meant"),
    )
    evening.submit(ids[3])
    evening.add(SubmitLost(reason="the connection was lost"), job=ids[3], after_s=60)
    word = JobResolved(resolution="accepted", uuid=UUID, by="J. Doe", note="seen in the audit log")
    evening.add(word, job=ids[3], after_s=300)
    _poll(evening, ids[3], "in_progress", "In_progress")
    stalled = JobStalled(since="2026-11-22T19:40:00Z", advice="ask Atlassian with the trace id")
    evening.add(stalled, job=ids[3], after_s=3_600)
    evening.submit(ids[4])
    lost = SubmitLost(reason="the answer was cut off after 12 bytes: " + "x" * 5_000)
    evening.add(lost, job=ids[4], after_s=60)
    evening.submit(ids[5])
    evening.add(SubmitLost(reason="the connection was lost"), job=ids[5], after_s=60)
    word = JobResolved(resolution="accepted_no_id", uuid=None, by="J. Doe", note="n" * 400)
    evening.add(word, job=ids[5], after_s=300)
    for job, result in ((ids[6], "not_arrived"), (ids[7], None)):
        evening.complete(job)
        if result:
            _probe(evening, job, "after", result, "no such link on ENG-12")
    evening.add(
        JobNotAttempted(why="need", detail=f"it needs `{ids[4]}`, which is unknown"), job=ids[8]
    )
    request = evening.submit(ids[9])
    evening.answer(ids[9], request, meaning="unknown", status=502, body="", detail="502 from Jira")
    _request_without_account(evening, ids[10])
    evening.add(
        RunResumed(
            operator="M. Muster",
            machine="jump-host-8",
            tool_version="0.1.1",
            findings=_findings(),
            options={},
            site_ids={},
        ),
        after_s=900,
    )
    _amend(evening)
    evening.add(
        RoundOpened(jobs=[ids[0], ids[11]], reason="wave two is in", by="M. Muster"), after_s=60
    )
    evening.complete(ids[11])
    _probe(evening, ids[0], "later", "not_asked", "phase of another version")
    evening.add(StopRequested(reason="", by="M. Muster"))
    evening.end(7, "one outcome is unknown")
    _verify_in_every_way(evening)
    _write_in_every_way(evening)
    _keep_logs(evening)
    return evening


def _complete_after_a_long_wait(evening: Evening, job: str) -> None:
    for phase, result in (("before", "absent"), ("before", "present"), ("before", "not_asked")):
        _probe(evening, job, phase, result, "the credential was refused" * (result == "not_asked"))
    evening.answer(job, evening.submit(job))
    _poll(evening, job, "pending", "Pending")
    _poll(evening, job, "backup", "Backup")
    odd = {"warning": "the answer has no status", "after_s": 5}
    for _ in range(3):
        _poll(evening, job, None, None, **odd)
    _poll(evening, job, None, None, **odd, answer=None, error="the connection was lost")
    _poll(evening, job, None, "Odd", **odd, answer=None)
    _poll(evening, job, "retry", "Retry")
    evening.add(
        JobStalled(since="2026-11-22T19:10:00Z", advice="it may be slow tonight"),
        job=job,
        after_s=600,
    )
    bare = {"status": 200, "headers": None, "at": None, "body_base64": "/w=="}
    _poll(evening, job, "in_progress", "In_progress", answer=bare)
    _poll(evening, job, "complete", "Complete", after_s=4_000)
    for result in ("arrived", "already_there"):
        _probe(evening, job, "after", result)


def _sent_four_times(evening: Evening, job: str) -> None:
    request = evening.submit(job)
    evening.answer(job, request, meaning="rate_limited", status=429, body="slow down")
    evening.submit(job, after_s=60)
    evening.add(SubmitNotSent(reason="connection refused"), job=job)
    evening.answer(job, evening.submit(job))
    _poll(evening, job, "error", "Error")
    evening.add(RoundOpened(jobs=[job], reason="the app link is mended", by="J. Doe"), after_s=60)
    evening.answer(job, evening.submit(job))
    _poll(evening, job, "error", "Error", answer={"status": 200, "body": "", "headers": []})


def _request_without_account(evening: Evening, job: str) -> None:
    request = evening.submit(job)
    evening.add(
        SubmitAnswered(
            meaning="accepted",
            uuid="",
            detail="accepted without an id",
            trace_id="trace-1",
            causes=[],
            wait_s=2.5,
            exchange={"request": request, "answer": None, "error": "the answer was no JSON"},
        ),
        job=job,
    )
    _poll(evening, job, "backup", "Backup")


def _amend(evening: Evening) -> None:
    start = next(row.event for row in evening.rows if isinstance(row.event, RunStarted))
    evening.add(
        PlanAmended(
            difference=["`eng-to-ops`: attested by M. Muster", "the cutover is later"],
            plan_text=evening.text.replace("20:00:00+01:00", "21:00:00+01:00"),
            digest="ee" * 32,
            jobs_digest=start.jobs_digest,
            jobs=start.jobs,
            findings=_findings(),
            evidence=_evidence(),
        )
    )


def _verify_in_every_way(evening: Evening) -> None:
    started = VerifyStarted(
        verification="open", after=None, before=None, expected=None, sample=None, operator=""
    )
    evening.add(started, after_s=60)
    evening.verify({}, [], "partial")
    counts = {
        job.id: {
            kind: (number + 1) * 7 + other
            for other, kind in enumerate((*KINDS, *KINDS_BESIDE))
            if (number + other) % 3
        }
        for number, job in enumerate(evening.jobs)
    }
    findings = [
        finding_of_link(evening.jobs[number % 12].id, number, kind)
        for number, kind in enumerate((*KINDS[1:], *KINDS_BESIDE, "strange"))
    ]
    findings[0] = {**findings[0], "job": None, "link_id": "10021", "detail": "", "target": "OPS-1"}
    findings[1] = {**findings[1], "site": "no address", "issue": ""}
    evening.add(replace(started, verification="whole", sample=40, operator="J. Doe"), after_s=60)
    evening.add(VerifyFound(verification="whole", findings=findings))
    jobs = [
        {"id": name, "expected": sum(kinds.values()), **kinds} for name, kinds in counts.items()
    ]
    pairs = [
        {"from": job.site, "to": job.destination, **counted}
        for job, counted in zip(evening.jobs, jobs, strict=True)
    ]
    evening.add(
        VerifyEnded(
            verification="whole",
            result="differences",
            jobs=[*jobs, {"id": None, "expected": 3, "no_job": 2}],
            pairs=pairs,
            sample={"size": 40, "looked_at": 38, "at_most": 0.07},
            notes=["no changelog was read", "two rows could not be read " * 40],
        ),
        after_s=120,
    )


def _write_in_every_way(evening: Evening) -> None:
    left = {
        "site": "https://contoso-eng.atlassian.net",
        "issue": "ENG-9",
        "target": "https://contoso-ops.atlassian.net/browse/OPS-9",
    }
    number = 0
    for purpose, action in (("repair", "create"), ("rollback", "delete"), ("links", "update")):
        results = ("done", "skipped", "refused", "unknown", None)
        names = [f"{purpose}-{other}" for other in range(len(results) + 1)]
        planned = [{**left, "write": name, "action": action} for name in names]
        kept = [
            {**left, "link_id": "10", "reason": "changed since"},
            {**left, "link_id": None, "reason": "r" * 400},
        ]
        operator = "" if purpose == "links" else "J. Doe"
        listed = LinksListed(
            purpose=purpose, listing=purpose, planned=planned, left=kept, operator=operator
        )
        evening.add(listed, after_s=60)
        for name, result in zip(names, results, strict=False):
            number += 1
            url = f"https://contoso-ops.atlassian.net/browse/OPS-{number}"
            record = {"object": {"url": url, "title": "OPS"}}
            evening.add(
                WriteIntended(
                    purpose=purpose,
                    write=name,
                    action=action,
                    site="https://contoso-eng.atlassian.net",
                    issue=f"ENG-{number}",
                    link_id=None if action == "create" else str(10_000 + number),
                    global_id=None,
                    before=None if action == "create" else record,
                    after={"object": None} if action == "delete" else record,
                    request={},
                )
            )
            if result is not None:
                evening.add(
                    WriteEnded(
                        purpose=purpose,
                        write=name,
                        result=result,
                        link_id=str(20_000 + number) if result == "done" else None,
                        detail="" if result == "done" else f"{result}: 403 from Jira",
                        exchange=None,
                    )
                )
        if purpose != "links":
            evening.add(LinksEnded(purpose=purpose, listing=purpose, counts={"done": 1}))
    evening.add(LinksListed(purpose="strange", listing="n", planned=[], left=[], operator="J. Doe"))
    evening.add(
        WriteIntended(
            purpose="links",
            write="bare",
            action="create",
            site="no address",
            issue="ENG-1",
            link_id=None,
            global_id=None,
            before=None,
            after={"object": {"url": ""}},
            request={},
        )
    )


def _keep_logs(evening: Evening) -> None:
    attributions: tuple[Any, ...] = (
        {"jobs": {"eng-to-ops": 460, "eng-to-svc": 2}, "none": 8, "outside": 3},
        {"eng-to-ops": 4},
        {},
    )
    for log, attribution in zip(("audit", "history", "strange"), attributions, strict=True):
        evening.add(
            LogKept(
                log=log,
                site="https://contoso-eng.atlassian.net",
                source=f"{log}.csv",
                sha256="99" * 32,
                raw_bytes=18_221,
                raw_base64="",
                columns={"issue": "Issue key"},
                rows=468,
                attribution=attribution,
                notes=["8 rows lie outside every job's time", "two are empty"],
            ),
            after_s=60,
        )
    approval = next(row.event for row in evening.rows if isinstance(row.event, ApprovalGiven))
    evening.add(replace(approval, by="A. Berg", evidence=None), run=False)


def live() -> Evening:
    """Return an evening in the middle: jobs at Atlassian, one stalled, one on its way, one unknown."""
    evening = Evening(text=varied_plan(), running=True).begin()
    ids = [job.id for job in evening.jobs]
    evening.complete(ids[0])
    for job, state in zip(ids[1:5], ("pending", "backup", "in_progress", "retry"), strict=True):
        evening.answer(job, evening.submit(job))
        _poll(evening, job, state, state.title())
    stalled = JobStalled(since="2026-11-22T19:10:00Z", advice="it may be slow tonight")
    evening.add(stalled, job=ids[3], after_s=600)
    evening.answer(ids[5], evening.submit(ids[5]), meaning="refused", status=400, body="no")
    evening.submit(ids[6])
    evening.add(SubmitLost(reason="the connection was lost"), job=ids[6], after_s=60)
    evening.add(JobNotAttempted(why="window", detail="its window is closed"), job=ids[7])
    evening.submit(ids[8])
    return evening


def not_attempted() -> Evening:
    """Return an evening on which each job was left out for another reason."""
    evening = Evening().begin()
    whys = ("window", "need", "account", "probe", "not_selected", "strange")
    for job, why in zip(evening.jobs, whys, strict=True):
        evening.add(JobNotAttempted(why=why, detail=f"{why}: in the words of the run"), job=job.id)
    return evening.end(6)


def not_selected() -> Evening:
    """Return an evening for which some jobs were not selected, and nobody stopped it."""
    evening = Evening().begin()
    for job in evening.jobs[:4]:
        evening.complete(job.id)
    for job in evening.jobs[4:]:
        evening.add(JobNotAttempted(why="not_selected", detail=""), job=job.id)
    return evening.end().verify({}, [], "partial")


def not_arrived() -> Evening:
    """Return an evening whose only open question is a known link that did not arrive."""
    evening = Evening(text=plan_text(TWO), probe={"eng-to-ops": PROBE}).begin()
    for job in evening.jobs:
        evening.complete(job.id)
    _probe(evening, "eng-to-ops", "after", "not_arrived", "no such link on ENG-12")
    return evening.end(7).verify({}, [], "clean")


def interrupted() -> Evening:
    """Return an evening whose process is gone, without an end in the ledger."""
    evening = Evening(text=plan_text(TWO)).begin()
    evening.answer("eng-to-ops", evening.submit("eng-to-ops"))
    _poll(evening, "eng-to-ops", "in_progress", "In_progress")
    evening.submit("ops-to-eng")
    return evening


def failed() -> Evening:
    """Return an evening on which jobs ended in error and refusal, and nothing is unknown."""
    evening = Evening(text=plan_text(TWO)).begin()
    evening.answer("eng-to-ops", evening.submit("eng-to-ops"))
    _poll(evening, "eng-to-ops", "error", "Error")
    request = evening.submit("ops-to-eng")
    evening.answer("ops-to-eng", request, meaning="refused", status=403, body="", detail="no")
    return evening.end(6)


def spoken_and_due(result: str = "clean") -> Evening:
    """Return an evening with a job done by a person's word, a wave to come, and a verification."""
    evening = due(TWO, result=result)
    evening.add(RoundOpened(jobs=["ops-to-eng"], reason="once more", by="J. Doe"))
    evening.submit("ops-to-eng")
    evening.add(SubmitLost(reason="the connection was lost"), job="ops-to-eng", after_s=60)
    word = JobResolved(resolution="accepted_no_id", uuid=None, by="J. Doe", note="")
    evening.add(word, job="ops-to-eng", after_s=60)
    return evening.end()


def missed() -> Evening:
    """Return an evening that came too late for one wave and in the last days of another."""
    text = plan_text(TWO).replace("2026-11-14T02:30", "2026-11-01T02:30")
    text = text.replace("2026-11-13T18:00", "2026-10-31T18:00")
    text = text.replace(
        "migrations: [{started: 2026-11-14T18:00:00+01:00, finished: 2026-11-15T02:30:00+01:00}]",
        "migrations:\n"
        "      - {name: a, started: 2026-11-08T18:00:00+01:00, finished: 2026-11-08T21:30:00+01:00}\n"
        "      - {name: b, started: 2026-11-21T18:00:00+01:00, finished: 2026-11-21T21:30:00+01:00}",
    )
    evening = Evening(text=text).begin()
    evening.complete("eng-to-ops")
    evening.add(JobNotAttempted(why="window", detail="its window is closed"), job="ops-to-eng")
    return evening.end(6)


def waves() -> Evening:
    """Return an evening whose jobs have more pairs of waves than a drawing shows."""
    dates = [
        f"      - {{name: w{day}, started: 2026-11-{day}T18:00:00+01:00,"
        f" finished: 2026-11-{day}T23:00:00+01:00}}"
        for day in range(10, 21)
    ]
    text = plan_text(TWO).replace(
        "    migrations: [{started: 2026-11-13T18:00:00+01:00, finished: 2026-11-14T02:30:00+01:00}]",
        "\n".join(["    migrations:", *dates]),
        1,
    )
    evening = Evening(text=text).begin()
    evening.complete("eng-to-ops")
    return evening


def later(hours: float) -> Evening:
    """Return an evening seen some hours after its end, when more waves have come in."""
    more = """\
    migrations:
      - {name: w1, started: 2026-11-13T18:00:00+01:00, finished: 2026-11-14T02:30:00+01:00}
      - {name: w2, started: 2026-11-22T18:00:00+01:00, finished: 2026-11-23T06:00:00+01:00}
      - {name: w3, started: 2026-11-23T18:00:00+01:00, finished: 2026-11-24T06:00:00+01:00}
      - {name: w4, started: 2026-11-23T18:00:00+01:00}
      - {name: w5}"""
    text = plan_text(TWO).replace(
        "    migrations: [{started: 2026-11-13T18:00:00+01:00, finished: 2026-11-14T02:30:00+01:00}]",
        more,
        1,
    )
    assert "w5" in text
    evening = Evening(text=text).begin()
    for job in evening.jobs:
        evening.complete(job.id)
    evening.end()
    evening.add(RoundOpened(jobs=[], reason="a look", by="J. Doe"), after_s=hours * 3_600)
    return evening


def bare() -> Evening:
    """Return a run that has begun and of which nothing else is known: no wave, token, or answer."""
    kept = [
        line
        for line in plan_text(TWO).splitlines(keepends=True)
        if "migrations" not in line and "tokenExpires" not in line
    ]
    evening = Evening(text="".join(kept), changes={"findings": [], "evidence": []}).begin()
    evening.rows = [row for row in evening.rows if isinstance(row.event, RunStarted)]
    return evening


def unreadable() -> Evening:
    """Return an evening whose plan this version cannot read, named in a way no shell should see."""
    evening = clean(TWO)
    start = next(row.event for row in evening.rows if isinstance(row.event, RunStarted))
    odd = replace(
        start,
        plan_text="format: 99\n",
        plan_file="C:\\plans\\my plan; rm.yaml",
        zone_minutes=-210,
        operator="",
        machine="",
        findings=[],
        evidence=[],
    )
    evening.rows = [
        replace(row, event=odd) if isinstance(row.event, RunStarted) else row
        for row in evening.rows
        if not isinstance(row.event, ApprovalGiven)
    ]
    return evening


def poisoned() -> Evening:
    """Return an evening on which each text from outside tries to be markup, in a small page."""
    evening = settled()
    start = next(row.event for row in evening.rows if isinstance(row.event, RunStarted))
    finding = dict.fromkeys(("code", "severity", "message", "hint", "instance", "path"), POISON)
    jobs = [dict(job) for job in start.jobs]
    jobs[3] = {**jobs[3], "site": POISON, "account": POISON, "url": POISON, "body": {POISON: 1}}
    jobs[4] = {**jobs[4], "destination": "javascript:window.hit=1", "needs": [POISON]}
    jobs[5] = {**jobs[5], "windows": [{**jobs[5]["windows"][0], "from": POISON, "to": POISON}]}
    odd = replace(
        start,
        plan_name=POISON,
        plan_file=POISON,
        operator=POISON,
        machine=POISON,
        tool_version=POISON,
        endpoint=POISON,
        jobs=jobs,
        findings=[{**finding, "waived": {"by": POISON, "reason": POISON}}, finding],
        evidence=[{"path": POISON, "sha256": POISON, "bytes": 1, "instance": POISON}],
    )
    evening.rows = [
        replace(row, event=odd) if isinstance(row.event, RunStarted) else row
        for row in evening.rows
    ]
    first = evening.jobs[0].id
    exchange = {
        "request": {"method": POISON, "url": POISON, "headers": {POISON: POISON}, "body": POISON},
        "answer": {"status": POISON, "headers": [[POISON, POISON]], "at": POISON, "body": POISON},
        "error": POISON,
    }
    evening.add(
        SubmitAnswered(
            meaning=POISON,
            uuid=POISON,
            detail=POISON,
            trace_id=POISON,
            causes=[POISON],
            wait_s=None,
            exchange=exchange,
        ),
        job=first,
    )
    evening.add(JobResolved(resolution=POISON, uuid=POISON, by=POISON, note=POISON), job=first)
    evening.add(JobStalled(since=POISON, advice=POISON), job=first)
    evening.add(JobNotAttempted(why=POISON, detail=POISON), job=evening.jobs[5].id)
    evening.add(RoundOpened(jobs=[evening.jobs[5].id, POISON], reason=POISON, by=POISON))
    _probe(evening, first, POISON, POISON, POISON)
    evening.add(StopRequested(reason=POISON, by=POISON))
    found = dict.fromkeys(("kind", "site", "issue", "target", "link_id", "detail"), POISON)
    evening.verify({}, [{"job": POISON, **found}], "differences")
    left = {**found, "reason": POISON}
    evening.add(LinksListed(purpose=POISON, listing="x", planned=[], left=[left], operator=POISON))
    return evening


def many_jobs() -> Evening:
    """Return an evening of twenty jobs, each third one not done, so that all lists are long."""
    evening = Evening(text=plan_text(("eng", "ops", "svc", "hr", "fin"))).begin()
    for number, job in enumerate(evening.jobs):
        if number % 3:
            evening.complete(job.id)
        elif number % 2:
            evening.submit(job.id)
            evening.add(SubmitLost(reason="the connection was lost"), job=job.id, after_s=60)
        else:
            evening.answer(job.id, evening.submit(job.id), meaning="refused", status=400, body="no")
    evening.end(7)
    findings = [finding_of_link(job.id, 7 * number) for number, job in enumerate(evening.jobs)]
    counts = {job.id: {"recreated": 99, "missing": 1} for job in evening.jobs}
    return evening.verify(counts, findings, "differences")


def lean(sites: int = 13) -> Evening:
    """Return an evening of so many jobs that the report says everything in fewer bytes."""
    evening = Evening(text=plan_text(tuple(f"s{number}" for number in range(sites)))).begin()
    for number, job in enumerate(evening.jobs[:12]):
        if number % 4:
            evening.complete(job.id)
    first, second = evening.jobs[0].id, evening.jobs[4].id
    evening.submit(first)
    evening.add(SubmitLost(reason="the connection was lost"), job=first, after_s=60)
    request = evening.submit(second)
    evening.answer(second, request, meaning="refused", status=400, body="no", detail="no app link")
    evening.add(RoundOpened(jobs=[second], reason="it is mended", by="J. Doe"))
    evening.answer(second, evening.submit(second))
    _poll(evening, second, None, "Odd", warning="an odd word")
    _poll(evening, second, "in_progress", "In_progress", answer=None)
    counts = {first: {"recreated": 5, "missing": 1}, second: {"recreated": 5, "expected": 7}}
    return evening.end(7).verify(counts, [finding_of_link(first, 3)], "differences")


def crowd(sites: int = 40) -> Evening:
    """Return an evening with more sites than a matrix holds, each with one job to the next."""
    names = tuple(f"s{number}" for number in range(sites))
    head, _, rest = plan_text(names).partition("instances:\n")
    blocks = rest.split("  - id: ")[1:]
    wanted = {f"{one}-to-{other}" for one, other in zip(names, (*names[1:], names[0]), strict=True)}
    kept = [f"  - id: {block}" for block in blocks if block.partition("\n")[0] in wanted]
    twin = kept[0].replace("s0-to-s1", "again-s0-to-s1")
    return Evening(text=f"{head}instances:\n{''.join([*kept, twin])}").begin().end()


def flood(findings: int, details: int = 3) -> Evening:
    """Return an evening with so many findings, writes and links left alone that lists are grouped."""
    evening = clean(TWO)
    found = [
        {
            **finding_of_link(evening.jobs[number % 2].id, number),
            "detail": f"detail {number % details}",
            **({"target": f"https://elsewhere.example/page/{number}"} if number % 7 == 0 else {}),
            **({"job": None} if number % 11 == 0 else {}),
        }
        for number in range(1, findings + 1)
    ]
    evening.verify({evening.jobs[0].id: {"missing": findings}}, found, "differences")
    links = [
        {"site": one["site"], "issue": one["issue"], "target": one["target"], "reason": "changed"}
        for one in found[:1_600]
    ]
    evening.add(
        LinksListed(purpose="repair", listing="r", planned=[], left=links, operator="J. Doe")
    )
    for number, link in enumerate(links):
        evening.add(
            WriteIntended(
                purpose="repair",
                write=f"w{number}",
                action="create",
                site=link["site"],
                issue=link["issue"],
                link_id=None,
                global_id=None,
                before=None,
                after={"object": {"url": link["target"] if number % 5 else ""}},
                request={},
            ),
            after_s=0.1,
        )
        if number % 2:
            evening.add(
                WriteEnded(
                    purpose="repair",
                    write=f"w{number}",
                    result="done",
                    link_id="1",
                    detail="",
                    exchange=None,
                ),
                after_s=0.1,
            )
    return evening
