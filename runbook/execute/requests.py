"""The requests of a run and their exchanges, as the ledger keeps them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runbook.http import Answer, Outcome, Request
from runbook.jobs import API, HEADERS, SITE_ID_PLACEHOLDER, CmaJob
from runbook.view import JobView


def request_of(job: CmaJob, site_ids: Mapping[str, str]) -> Request:
    """Return the submission of a job, with the site's id in place of the placeholder."""
    url = job.url
    if SITE_ID_PLACEHOLDER in url:
        url = url.replace(SITE_ID_PLACEHOLDER, quote(site_ids[job.site], safe=""))
    return Request(
        method=job.method,
        url=url,
        headers=HEADERS,
        body=job.body_bytes(),
        account=job.account,
        fresh=True,
    )


def status_request(view: JobView, site_ids: Mapping[str, str]) -> Request:
    """Return the request for a job's status (links-api.md 1.4)."""
    site_id = quote(site_ids[view.job.site], safe="")
    return Request(
        method="GET",
        url=f"{API}/{site_id}/jobs/status/{quote(view.uuid or '', safe='')}",
        headers=(("Accept", "application/json"),),
        account=view.job.account,
    )


def exchange_of(request: Request, outcome: Outcome) -> dict[str, Any]:
    """Return a request and what became of it, as the ledger keeps it."""
    if isinstance(outcome, Answer):
        return {"request": request.as_json(), "answer": outcome.as_json(), "error": None}
    return {"request": request.as_json(), "answer": None, "error": outcome.reason}
