"""Whole evenings as recorded events, made by hand: what the report's tests and pictures are about.

An `Evening` is a growing list of events with times; `view()` folds it as a ledger would be folded.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.clock import isoformat_utc, parse_utc
from runbook.jobs import jobs_of
from runbook.ledger.codec import FIRST_HASH, Recorded, chain_hash, encode
from runbook.ledger.events import (
    AccountProbed,
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    SiteIdentified,
    StopRequested,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
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
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.report.planned import windows_json
from runbook.report.states import KINDS
from runbook.view import RunView, run_of, runs_of

RUN = "contoso-split-20261122-7f3a"
START = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
SITES = ("eng", "ops", "svc")
API = "https://api.atlassian.com/links/v1"


def plan_text(sites: tuple[str, ...] = SITES, extra: str = "") -> str:
    """Return a full-mesh plan of these sites, with attestations and waves."""
    lines = [
        "format: 1",
        "name: contoso-split",
        "customer: Contoso Ltd",
        "change: CHG-20481",
        "cutover: 2026-11-22T20:00:00+01:00",
        "sites:",
    ]
    for number, site in enumerate(sites):
        finished = f"2026-11-{14 + number % 3}T02:30:00+01:00"
        lines += [
            f"  - url: https://contoso-{site}.atlassian.net",
            f"    siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a{number:02}",
            f"    account: {'contoso-ops' if site == 'ops' else 'default'}",
            "    tokenExpires: 2026-12-20",
            f"    projects: [{site.upper().replace('-', '')}]",
            f"    migrations: [{{started: 2026-11-{13 + number % 3}T18:00:00+01:00, finished: {finished}}}]",
        ]
    lines.append("instances:")
    for source in sites:
        for destination in sites:
            if source == destination:
                continue
            lines += [
                f"  - id: {source}-to-{destination}",
                f"    productURL: https://contoso-{source}.atlassian.net",
                f"    destinationURL: https://contoso-{destination}.atlassian.net",
                "    migratedFrom: https://jira.contoso.example",
                "    appLink:",
                "      authorized: true",
                "      as: admin@contoso.example",
                "      by: J. Doe",
                "      at: 2026-11-20T09:15:00+01:00",
                f"      evidence: evidence/{source}-to-{destination}.png",
            ]
    return "\n".join(lines) + "\n" + extra


def plan_named(text: str) -> Plan:
    """Return the plan that a text says."""
    loaded = load_plan_bytes(text.encode(), "contoso-split.yaml")
    assert loaded.plan is not None, loaded.findings
    return loaded.plan


@dataclass
class Evening:
    """Events in the order in which they happened, chained as a ledger chains them."""

    text: str = field(default_factory=plan_text)
    rehearsal: bool = False
    run: str = RUN
    changes: dict[str, Any] = field(default_factory=dict)
    probe: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    rows: list[Recorded] = field(default_factory=list)
    now: datetime = START
    running: bool = False

    def __post_init__(self) -> None:
        self.plan = plan_named(self.text)
        self.jobs = jobs_of(self.plan)

    def add(
        self, event: Any, *, job: str | None = None, after_s: float = 0.4, run: bool = True
    ) -> None:
        """Record an event some seconds after the one before."""
        self.now += timedelta(seconds=after_s)
        at, seq = isoformat_utc(self.now), len(self.rows) + 1
        named = self.run if run else None
        digest = chain_hash(
            self.rows[-1].hash if self.rows else FIRST_HASH,
            seq=seq,
            at=at,
            kind=event.KIND,
            run=named,
            job=job,
            payload=encode(event),
        )
        self.rows.append(
            Recorded(
                seq=seq,
                at=parse_utc(at),
                kind=event.KIND,
                run=named,
                job=job,
                event=event,
                hash=digest,
            )
        )

    def view(self) -> RunView:
        """Return the run as the ledger tells it."""
        view = run_of(self.rows, self.run, leased_run=self.run if self.running else None)
        assert view is not None
        assert len(runs_of(self.rows)) == 1
        return view

    def begin(self) -> "Evening":
        """Record an approval, the start, the questions before the first job."""
        from runbook.jobs import jobs_digest

        digest = jobs_digest(self.jobs)
        self.add(
            ApprovalGiven(
                plan_name=self.plan.name,
                digest=self.plan.digest,
                jobs_digest=digest,
                by="M. Muster, Contoso change board",
                evidence={"path": "evidence/approval.pdf", "sha256": "ab" * 32, "bytes": 48_211},
                operator="J. Doe",
            ),
            run=False,
        )
        values: dict[str, Any] = {
            "plan_name": self.plan.name,
            "plan_file": "plans/contoso-split.yaml",
            "plan_text": self.text,
            "digest": self.plan.digest,
            "jobs_digest": digest,
            "jobs": [
                {
                    **job.as_json(),
                    "windows": windows_json(self.plan, job, use_planned=False),
                    "probe": self.probe.get(job.id, []),
                }
                for job in self.jobs
            ],
            "findings": [
                _finding(
                    "RB204",
                    "warning",
                    "the last open pair reaches its safe end in 2 d 7 h",
                    "run before it",
                ),
                _finding(
                    "RB305",
                    "warning",
                    "authorized as another account than the one that submits",
                    "",
                    waived=True,
                ),
                _finding(
                    "RB690",
                    "note",
                    "the site was not asked: no `--online`",
                    "run `runbook check --online`",
                ),
            ],
            "evidence": [
                {
                    "path": f"evidence/{job.id}.png",
                    "sha256": f"{number:02x}" * 32 if number else None,
                    "bytes": 120_000 + number if number else None,
                    "instance": job.id,
                }
                for number, job in enumerate(self.jobs)
            ],
            "site_ids": {site.url: site.site_id for site in self.plan.sites if site.site_id},
            "operator": "J. Doe",
            "machine": "jump-host-7",
            "tool_version": "0.1.0",
            "zone_minutes": 60,
            "rehearsal": self.rehearsal,
            "endpoint": "http://127.0.0.1:8080" if self.rehearsal else None,
            "options": {},
        }
        self.add(RunStarted(**{**values, **self.changes}), after_s=90)
        for site in self.plan.sites:
            exchange = self.exchange("GET", f"{site.url}/_edge/tenant_info", 200, '{"cloudId":"x"}')
            self.add(SiteIdentified(site=site.url, site_id=site.site_id or "?", exchange=exchange))
        for account in dict.fromkeys(job.account for job in self.jobs):
            exchange = self.exchange("GET", f"{API}/x/jobs/status/0", 404, "")
            self.add(
                AccountProbed(
                    account=account,
                    email=f"{account}@contoso.example",
                    status=404,
                    exchange=exchange,
                )
            )
        return self

    def exchange(
        self, method: str, url: str, status: int, body: str, request_body: str | None = None
    ) -> dict[str, Any]:
        """Return a request with its answer, as the ledger keeps them."""
        return {
            "request": {
                "method": method,
                "url": url,
                "headers": {"Accept": "application/json"},
                "body": request_body,
                "account": "default",
            },
            "answer": {
                "status": status,
                "headers": [
                    ["date", f"{self.now:%a, %d %b %Y %H:%M:%S} GMT"],
                    ["content-type", "application/json"],
                    ["atl-traceid", f"7c1f{len(self.rows):08x}e4b29a51"],
                    ["x-ratelimit-remaining", "58"],
                ],
                "at": isoformat_utc(self.now),
                "body": body,
            },
            "error": None,
        }

    def submit(self, job_id: str, *, after_s: float = 12) -> dict[str, Any]:
        """Record that a job is about to be sent; returns its request."""
        job = next(job for job in self.jobs if job.id == job_id)
        request = {
            "method": job.method,
            "url": job.url,
            "headers": {"Accept": "application/json", "Content-Type": "application/json"},
            "body": job.body_bytes().decode(),
            "account": job.account,
        }
        view = run_of(self.rows, self.run, leased_run=self.run)
        assert view is not None
        known = view.job(job_id)
        assert known is not None
        self.add(
            SubmitIntended(number=len(known.sent) + 1, request=request), job=job_id, after_s=after_s
        )
        return request

    def answer(
        self,
        job_id: str,
        request: dict[str, Any],
        *,
        meaning: str = "accepted",
        status: int = 200,
        body: str | None = None,
        detail: str = "",
        causes: tuple[str, ...] = (),
    ) -> None:
        """Record the API's answer to a submission."""
        number = len(self.rows)
        uuid = f"0c1f6e2b-7a10-4d3e-9a51-{number:012x}" if meaning == "accepted" else None
        body = f'{{"uuid":"{uuid}"}}' if body is None else body
        exchange = self.exchange("POST", request["url"], status, body, request["body"])
        self.add(
            SubmitAnswered(
                meaning=meaning,
                uuid=uuid,
                detail=detail,
                trace_id=exchange["answer"]["headers"][2][1],
                causes=list(causes),
                wait_s=None,
                exchange=exchange,
            ),
            job=job_id,
            after_s=0.8,
        )

    def poll(
        self,
        job_id: str,
        state: str | None,
        word: str,
        *,
        after_s: float = 20,
        warning: str | None = None,
    ) -> None:
        """Record one look at a job's status."""
        url = f"{API}/x/jobs/status/0c1f6e2b-7a10-4d3e-9a51-6f1c2a528a3b"
        exchange = self.exchange("GET", url, 200, f'{{"status":"{word}"}}')
        self.add(
            JobPolled(state=state, word=word, warning=warning, exchange=exchange),
            job=job_id,
            after_s=after_s,
        )

    def complete(self, job_id: str) -> None:
        """Record a job from its request to `Complete`."""
        self.answer(job_id, self.submit(job_id))
        self.poll(job_id, "pending", "Pending", after_s=5)
        self.poll(job_id, "in_progress", "In_progress", after_s=15)
        self.poll(job_id, "complete", "Complete", after_s=45)

    def end(self, exit_code: int = 0, detail: str = "") -> "Evening":
        """Record that the process is done with the run."""
        view = run_of(self.rows, self.run)
        assert view is not None
        self.add(
            RunEnded(
                state=view.state.value, counts=view.counts(), exit_code=exit_code, detail=detail
            )
        )
        return self

    def verify(
        self, counts: dict[str, dict[str, int]], findings: list[dict[str, Any]], result: str
    ) -> "Evening":
        """Record a verification with these kinds per job."""
        name = f"v{len(self.rows)}"
        file = {"file": "after.snapshot", "sha256": "cd" * 32}
        self.add(
            VerifyStarted(
                verification=name,
                after=file,
                before={"file": "before.snapshot", "sha256": "ef" * 32},
                expected={"file": "issue-links.csv", "sha256": "12" * 32},
                sample=None,
                operator="J. Doe",
            ),
            after_s=600,
        )
        if findings:
            self.add(VerifyFound(verification=name, findings=findings))
        jobs, pairs = [], []
        for job in self.jobs:
            here = counts.get(job.id, {"recreated": 100})
            expected = sum(n for kind, n in here.items() if kind not in ("duplicate", "unexpected"))
            jobs.append({"id": job.id, "expected": expected, **here})
            pairs.append({"from": job.site, "to": job.destination, "expected": expected, **here})
        self.add(
            VerifyEnded(
                verification=name, result=result, jobs=jobs, pairs=pairs, sample=None, notes=[]
            ),
            after_s=120,
        )
        return self


def clean(sites: tuple[str, ...] = SITES, *, rehearsal: bool = False) -> Evening:
    """Return an evening on which everything went well and was verified."""
    evening = Evening(text=plan_text(sites), rehearsal=rehearsal).begin()
    first = evening.jobs[0].id
    evening.add(
        ProbeRead(
            phase="before", issue="ENG-12", target="OPS-7", result="absent", detail="", exchanges=[]
        ),
        job=first,
    )
    for job in evening.jobs:
        evening.complete(job.id)
    evening.add(
        ProbeRead(
            phase="after", issue="ENG-12", target="OPS-7", result="arrived", detail="", exchanges=[]
        ),
        job=first,
    )
    evening.end()
    counts = {
        job.id: {"recreated": 480 + 37 * number, "satisfied_otherwise": number % 3}
        for number, job in enumerate(evening.jobs)
    }
    return evening.verify(counts, [], "clean")


def unverified() -> Evening:
    """Return an evening on which every job is complete and nobody looked further."""
    evening = Evening().begin()
    for job in evening.jobs:
        evening.complete(job.id)
    return evening.end()


def mixed() -> Evening:
    """Return an evening with an unknown, a refused and a held job, and two that were complete."""
    evening = Evening().begin()
    ids = [job.id for job in evening.jobs]
    evening.complete(ids[0])
    evening.submit(ids[1])
    evening.add(
        SubmitLost(reason="the connection was lost before an answer came"), job=ids[1], after_s=60
    )
    request = evening.submit(ids[2])
    evening.answer(
        ids[2],
        request,
        meaning="refused",
        status=400,
        body='{"message":"App link is not authorized","id":"b1"}',
        detail="App link is not authorized",
        causes=(
            "the app link is not authorized in this direction",
            "`migratedFrom` is not the base URL at migration time",
        ),
    )
    evening.complete(ids[3])
    evening.answer(ids[4], evening.submit(ids[4]))
    evening.poll(ids[4], "pending", "Pending")
    evening.poll(ids[4], "error", "Error", after_s=40)
    evening.add(
        JobNotAttempted(why="need", detail=f"it needs `{ids[1]}`, which is unknown"), job=ids[5]
    )
    return evening.end(7, "one outcome is unknown")


def stopped() -> Evening:
    """Return an evening that a person stopped after two jobs."""
    evening = Evening().begin()
    for job in evening.jobs[:2]:
        evening.complete(job.id)
    evening.add(StopRequested(reason="ticket storm in the service desk", by="M. Muster"))
    for job in evening.jobs[2:]:
        evening.add(JobNotAttempted(why="stopped", detail="stopped by M. Muster"), job=job.id)
    return evening.end()


def running() -> Evening:
    """Return an evening in the middle."""
    evening = Evening(running=True).begin()
    evening.complete(evening.jobs[0].id)
    evening.answer(evening.jobs[2].id, evening.submit(evening.jobs[2].id))
    evening.poll(evening.jobs[2].id, "in_progress", "In_progress")
    evening.submit(evening.jobs[4].id)
    return evening


def settled() -> Evening:
    """Return the mixed evening after a person settled the unknown job."""
    evening = mixed()
    job = evening.jobs[1].id
    evening.add(
        JobResolved(
            resolution="accepted",
            uuid="11111111-2222-4333-8444-555555555555",
            by="J. Doe",
            note="seen in the audit log",
        ),
        job=job,
        after_s=900,
    )
    evening.poll(job, "complete", "Complete")
    return evening.end(6)


def finding_of_link(job: str, number: int, kind: str = "missing") -> dict[str, Any]:
    """Return a single finding of a verification."""
    source, destination = job.split("-to-")
    return {
        "job": job,
        "kind": kind,
        "site": f"https://contoso-{source}.atlassian.net",
        "issue": f"{source.upper()}-{number}",
        "target": f"https://contoso-{destination}.atlassian.net/browse/{destination.upper()}-{number * 3}",
        "link_id": None,
        "detail": "no remote link to this target; both issues are there",
    }


def differing() -> Evening:
    """Return an evening with differences, then a repair that did most and left some alone."""
    evening = clean()
    job = evening.jobs[0].id
    missing = [finding_of_link(job, number) for number in range(1, 13)]
    old = [finding_of_link(evening.jobs[3].id, number, "old_url") for number in range(1, 4)]
    counts = {
        job: {"recreated": 468, "missing": 12},
        evening.jobs[3].id: {"recreated": 585, "old_url": 3, "target_absent": 3, "duplicate": 2},
    }
    evening.verify(counts, missing + old, "differences")
    planned = [
        {
            "write": f"w{n}",
            "action": "create",
            "site": finding["site"],
            "issue": finding["issue"],
            "target": finding["target"],
            "link_id": None,
            "global_id": f"appId=a&issueId={n}",
        }
        for n, finding in enumerate(missing[:10])
    ]
    left = [
        {
            **{k: finding[k] for k in ("site", "issue", "target")},
            "link_id": "10",
            "reason": "changed since it was recorded",
        }
        for finding in missing[10:]
    ]
    evening.add(
        LinksListed(purpose="repair", listing="r1", planned=planned, left=left, operator="J. Doe"),
        after_s=60,
    )
    for n, plan in enumerate(planned[:8]):
        record = {"object": {"url": plan["target"], "title": "OPS"}, "globalId": plan["global_id"]}
        evening.add(
            WriteIntended(
                purpose="repair",
                write=plan["write"],
                action="create",
                site=plan["site"],
                issue=plan["issue"],
                link_id=None,
                global_id=plan["global_id"],
                before=None,
                after=record,
                request={},
            )
        )
        if n == 7:
            continue
        result = "refused" if n == 5 else "done"
        evening.add(
            WriteEnded(
                purpose="repair",
                write=plan["write"],
                result=result,
                link_id=str(20_000 + n),
                detail="403 from Jira" if n == 5 else "",
                exchange=None,
            )
        )
    evening.add(LinksEnded(purpose="repair", listing="r1", counts={"done": 6, "refused": 1}))
    evening.add(
        LogKept(
            log="audit",
            site=evening.jobs[0].site,
            source="links-audit.csv",
            sha256="99" * 32,
            raw_bytes=18_221,
            raw_base64="",
            columns={"issue": "Issue key"},
            rows=468,
            attribution={"jobs": {job: 460}, "none": 8},
            notes=["8 rows lie outside every job's time"],
        )
    )
    return evening


LATE_WAVE = "2026-11-27T06:00:00+01:00"


def plan_with_a_late_wave(sites: tuple[str, ...] = SITES) -> str:
    """Return a plan whose first site gets a second wave after the evening; it is only planned."""
    named = plan_text(sites).replace(
        "migrations: [{started: 2026-11-13T18:00:00+01:00, finished: 2026-11-14T02:30:00+01:00}]",
        "migrations:\n"
        "      - {name: wave-1, started: 2026-11-13T18:00:00+01:00, finished: 2026-11-14T02:30:00+01:00}\n"
        f"      - {{name: wave-2, planned: {LATE_WAVE}}}",
        1,
    )
    assert LATE_WAVE in named
    return named


def due(sites: tuple[str, ...] = SITES, *, result: str = "clean") -> Evening:
    """Return an evening that went well, with a wave to come that no submission has served."""
    evening = Evening(text=plan_with_a_late_wave(sites)).begin()
    for job in evening.jobs:
        evening.complete(job.id)
    evening.end()
    first = evening.jobs[0].site
    evening.add(
        LogKept(
            log="audit",
            site=first,
            source="links-audit.csv",
            sha256="99" * 32,
            raw_bytes=18_221,
            raw_base64="",
            columns={"issue": "Issue key"},
            rows=468,
            attribution={"jobs": {}, "none": 468},
            notes=[],
        )
    )
    return evening.verify({}, [], result)


LONG_SITES = ("operations-and-facilities", "engineering-platforms", "service-management")


def long_names() -> Evening:
    """Return an evening with names as long as they get, and a wave to come."""
    return due(LONG_SITES)


def halted() -> Evening:
    """Return an evening stopped while one job is at Atlassian, one unknown and one refused."""
    evening = Evening().begin()
    ids = [job.id for job in evening.jobs]
    evening.answer(ids[0], evening.submit(ids[0]))
    evening.poll(ids[0], "in_progress", "In_progress")
    evening.submit(ids[1])
    evening.add(SubmitLost(reason="the connection was lost"), job=ids[1], after_s=60)
    request = evening.submit(ids[2])
    evening.answer(ids[2], request, meaning="refused", status=400, body="no", detail="no app link")
    evening.add(StopRequested(reason="ticket storm", by="M. Muster"))
    for job_id in ids[3:]:
        evening.add(JobNotAttempted(why="stopped", detail="stopped by M. Muster"), job=job_id)
    return evening.end(7)


def spoken() -> Evening:
    """Return an evening on which a person has said of a lost job: accepted, the id is not known."""
    evening = Evening().begin()
    ids = [job.id for job in evening.jobs]
    for job_id in ids[:-1]:
        evening.complete(job_id)
    evening.submit(ids[-1])
    evening.add(SubmitLost(reason="the connection was lost"), job=ids[-1], after_s=60)
    word = JobResolved(resolution="accepted_no_id", uuid=None, by="J. Doe", note="seen in the log")
    evening.add(word, job=ids[-1], after_s=900)
    return evening.end()


def unprobed() -> Evening:
    """Return an evening that ended before the known links of a complete job were looked for."""
    evening = Evening(probe={"eng-to-ops": [{"issue": "ENG-12", "target": "OPS-7"}]}).begin()
    for job in evening.jobs:
        evening.complete(job.id)
    return evening.end(130).verify({}, [], "clean")


def evenings() -> dict[str, Evening]:
    """Return every evening by a name that says what it is."""
    return {
        "clean": clean(),
        "unverified": unverified(),
        "mixed": mixed(),
        "settled": settled(),
        "stopped": stopped(),
        "running": running(),
        "rehearsal": clean(rehearsal=True),
        "differing": differing(),
        "due": due(),
        "long names": long_names(),
        "halted": halted(),
        "spoken": spoken(),
        "unprobed": unprobed(),
    }


def _finding(
    code: str, severity: str, message: str, hint: str, *, waived: bool = False
) -> dict[str, Any]:
    return {
        "code": code,
        "severity": severity,
        "message": message,
        "hint": hint,
        "instance": "eng-to-ops",
        "path": "instances[0]",
        "file": "contoso-split.yaml",
        "line": 12,
        "column": 3,
        "waived": {"by": "J. Doe", "reason": "agreed by phone"} if waived else None,
    }


PAYLOADS = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror=window.hit=1>',
    "javascript:window.hit=1",
    "</style><style>*{display:none}</style>",
    "\u202egnp.exe\u2066",
    "{{ 7 * 7 }}{% raw %}",
    "A" * 1_000_000,
    "\x00\x1b[31m\ud800\u2028",
    "]]><!--",
)


def hostile(*, short: bool = False) -> Evening:
    """Return an evening on which every text that can come from outside is hostile.

    `short` leaves the words of a million letters shorter, for tools that are slow with them.
    """
    poison = " ".join(payload[:3_000] if short else payload for payload in PAYLOADS)
    evening = clean()
    first, second, third = (job.id for job in evening.jobs[:3])
    exchange = {
        "request": {
            "method": poison,
            "url": poison,
            "headers": {poison: poison},
            "body": poison,
            "account": poison,
        },
        "answer": {"status": poison, "headers": [[poison, poison]], "at": poison, "body": poison},
        "error": poison,
    }
    finding = dict.fromkeys(
        ("code", "severity", "message", "hint", "instance", "path", "file", "line", "column"),
        poison,
    )
    start = next(row.event for row in evening.rows if isinstance(row.event, RunStarted))
    jobs = [
        {**job, "id": f"{job['id']} {poison}", "site": poison, "account": poison, "url": poison}
        if number == 5
        else {
            **job,
            "destination": "javascript:window.hit=1",
            "body": {poison: poison},
            "needs": [poison],
        }
        if number == 4
        else job
        for number, job in enumerate(start.jobs)
    ]
    jobs[3] = {**jobs[3], "windows": [{**jobs[3]["windows"][0], "from": poison, "to": poison}]}
    hostile_start = replace(
        start,
        plan_name=poison,
        plan_file=poison,
        plan_text=poison,
        operator=poison,
        machine=poison,
        tool_version=poison,
        endpoint=poison,
        jobs=jobs,
        earlier_runs=[poison],
        findings=[finding, {**finding, "waived": {"by": poison, "reason": poison}}],
        evidence=[{"path": poison, "sha256": poison, "bytes": 1, "instance": poison}],
        site_ids={poison: poison, **start.site_ids},
    )
    evening.rows = [
        replace(row, event=hostile_start) if isinstance(row.event, RunStarted) else row
        for row in evening.rows
    ]
    add = evening.add
    add(
        RunResumed(
            operator=poison,
            machine=poison,
            tool_version=poison,
            findings=hostile_start.findings,
            options={},
            site_ids={},
        )
    )
    add(
        PlanAmended(
            difference=[poison],
            plan_text=poison,
            digest=poison,
            jobs_digest=start.jobs_digest,
            jobs=jobs,
            findings=hostile_start.findings,
            evidence=hostile_start.evidence,
        )
    )
    add(RoundOpened(jobs=[first, second, third], reason=poison, by=poison))
    add(SiteIdentified(site=poison, site_id=poison, exchange=exchange))
    add(AccountProbed(account=poison, email=poison, status=200, exchange=exchange))
    for job in (first, second, third):
        add(SubmitIntended(number=2, request=exchange["request"], by_word=poison), job=job)
    answer = SubmitAnswered(
        meaning="refused",
        uuid=poison,
        detail=poison,
        trace_id=poison,
        causes=[poison],
        wait_s=None,
        exchange=exchange,
    )
    add(answer, job=first)
    add(replace(answer, meaning="accepted"), job=second)
    add(JobPolled(state="in_progress", word=poison, warning=poison, exchange=exchange), job=second)
    add(JobStalled(since=poison, advice=poison), job=second)
    add(SubmitLost(reason=poison), job=third)
    add(JobResolved(resolution="accepted_no_id", uuid=poison, by=poison, note=poison), job=third)
    add(JobNotAttempted(why=poison, detail=poison), job=evening.jobs[3].id)
    add(
        ProbeRead(
            phase=poison,
            issue=poison,
            target=poison,
            result=poison,
            detail=poison,
            exchanges=[exchange],
        ),
        job=first,
    )
    add(StopRequested(reason=poison, by=poison))
    name = "hostile"
    add(
        VerifyStarted(
            verification=name,
            after={"file": poison, "sha256": poison},
            before=None,
            expected={"file": poison},
            sample=3,
            operator=poison,
        )
    )
    link = dict.fromkeys(("job", "kind", "site", "issue", "target", "link_id", "detail"), poison)
    add(
        VerifyFound(
            verification=name,
            findings=[
                link,
                {**link, "target": "javascript:window.hit=1", "site": "data:text/html,x"},
            ],
        )
    )
    add(
        VerifyEnded(
            verification=name,
            result="differences",
            jobs=[{"id": poison, "expected": 2, "missing": 1}],
            pairs=[{"from": poison, "to": poison, "expected": 2, "missing": 2}],
            sample={poison: poison},
            notes=[poison],
        )
    )
    planned = {
        "write": "w",
        "action": poison,
        "site": poison,
        "issue": poison,
        "target": poison,
        "link_id": poison,
        "global_id": poison,
    }
    add(
        LinksListed(
            purpose=poison,
            listing="x",
            planned=[planned],
            left=[
                {
                    "site": poison,
                    "issue": poison,
                    "target": poison,
                    "link_id": poison,
                    "reason": poison,
                }
            ],
            operator=poison,
        )
    )
    record = {"object": {"url": poison, "title": poison}}
    add(
        WriteIntended(
            purpose=poison,
            write="w",
            action=poison,
            site=poison,
            issue=poison,
            link_id=poison,
            global_id=poison,
            before=record,
            after=record,
            request={},
        )
    )
    add(
        WriteEnded(
            purpose=poison,
            write="w",
            result=poison,
            link_id=poison,
            detail=poison,
            exchange=exchange,
        )
    )
    add(
        LogKept(
            log=poison,
            site=poison,
            source=poison,
            sha256=poison,
            raw_bytes=1,
            raw_base64="",
            columns={poison: poison},
            rows=1,
            attribution={poison: poison},
            notes=[poison],
        )
    )
    approval = next(row.event for row in evening.rows if isinstance(row.event, ApprovalGiven))
    add(
        replace(approval, by=poison, evidence={"path": poison, "sha256": poison, "bytes": 1}),
        run=False,
    )
    add(RunEnded(state=poison, counts={}, exit_code=7, detail=poison))
    return evening


def worst_first_page(*, rehearsal: bool = True) -> Evening:
    """Return an evening that has as much as possible to say on the first page."""
    evening = mixed()
    evening.rehearsal = rehearsal
    start = next(row.event for row in evening.rows if isinstance(row.event, RunStarted))
    long = replace(
        start,
        rehearsal=rehearsal,
        operator="Maximiliane Musterfrau-Schmidt, Contoso Consulting GmbH",
    )
    evening.rows = [
        replace(row, event=long) if isinstance(row.event, RunStarted) else row
        for row in evening.rows
    ]
    return evening


def worst_verified() -> Evening:
    """Return such an evening with a verification of every kind of difference."""
    evening = worst_first_page()
    counts = {kind: 12_345 + number for number, kind in enumerate(KINDS)}
    return evening.verify({job.id: counts for job in evening.jobs}, [], "differences")
