"""The requests of a run: a job's submission and the question for its status."""

from collections.abc import Mapping
from urllib.parse import quote

from runbook.http import Request
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
