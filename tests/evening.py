"""Hand-made evenings: recorded events of a run, without a ledger file."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from runbook.clock import isoformat_utc, parse_utc
from runbook.jobs import jobs_digest, jobs_of
from runbook.ledger.codec import Recorded
from runbook.ledger.events import (
    JobPolled,
    RunEnded,
    RunStarted,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.plan.model import Instance, Plan, Site

RUN = "contoso-split-20261122-a1b2"
START = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
UUID = "0c1f6e2b-7a10-4d3e-9a51-6f1c2a528a3b"


def small_plan(jobs: Iterable[str] = ("one", "two", "three")) -> Plan:
    """Return a plan of three sites with one job per name."""
    sites = tuple(Site(url=f"https://{name}.atlassian.net", site_id=name) for name in "abc")
    urls = [site.url for site in sites]
    return Plan(
        name="contoso-split",
        digest="d" * 64,
        sites=sites,
        instances=tuple(
            Instance(
                id=name,
                product_url=urls[number % 3],
                destination_url=urls[(number + 1) % 3],
                migrated_from="https://jira.contoso.example",
            )
            for number, name in enumerate(jobs)
        ),
    )


def run_started(plan: Plan | None = None, **changes: Any) -> RunStarted:
    """Return the first event of a run of a plan."""
    plan = small_plan() if plan is None else plan
    jobs = jobs_of(plan)
    values: dict[str, Any] = {
        "plan_name": plan.name,
        "plan_file": "plan.yaml",
        "plan_text": "format: 1\n",
        "digest": plan.digest,
        "jobs_digest": jobs_digest(jobs),
        "jobs": [{**job.as_json(), "windows": []} for job in jobs],
        "findings": [],
        "evidence": [],
        "site_ids": {site.url: site.site_id for site in plan.sites if site.site_id},
        "operator": "J. Doe",
        "machine": "jump-host-7",
        "tool_version": "0.1.0",
        "zone_minutes": 60,
        "rehearsal": False,
        "endpoint": None,
        "options": {},
    }
    return RunStarted(**{**values, **changes})


def intended(number: int = 1) -> SubmitIntended:
    """Return an intent to send."""
    return SubmitIntended(number=number, request={"method": "POST", "url": "u", "headers": {}})


def answered(
    meaning: str = "accepted", uuid: str | None = UUID, detail: str = ""
) -> SubmitAnswered:
    """Return the API's answer to a submission."""
    return SubmitAnswered(
        meaning=meaning,
        uuid=uuid if meaning == "accepted" else None,
        detail=detail,
        trace_id=None,
        causes=[],
        wait_s=None,
        exchange={},
    )


def polled(state: str | None, word: str | None = None, warning: str | None = None) -> JobPolled:
    """Return a look at a job's status."""
    return JobPolled(state=state, word=word or state, warning=warning, exchange={"answer": None})


def lost() -> SubmitLost:
    """Return a submission whose answer never came."""
    return SubmitLost(reason="the connection was closed before an answer")


def not_sent() -> SubmitNotSent:
    """Return a submission that made no connection."""
    return SubmitNotSent(reason="connection refused")


def run_ended(state: str = "complete", exit_code: int = 0) -> RunEnded:
    """Return the end of a process's work on a run."""
    return RunEnded(state=state, counts={}, exit_code=exit_code, detail="")


def recorded(*events: Any, run: str | None = RUN) -> tuple[Recorded, ...]:
    """Return events as the ledger would, a second apart; a pair is (job, event)."""
    result = []
    for seq, item in enumerate(events, start=1):
        job, event = item if isinstance(item, tuple) else (None, item)
        at = isoformat_utc(START + timedelta(seconds=seq))
        result.append(
            Recorded(
                seq=seq,
                at=parse_utc(at),
                kind=event.KIND,
                run=run,
                job=job,
                event=event,
                hash=f"h{seq}",
            )
        )
    return tuple(result)
