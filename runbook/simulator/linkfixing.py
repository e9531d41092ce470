"""The link-fixing API and what belongs to it: jobs, their status, site ids, Atlassian's logs.

Facts: links-api.md 1.1 to 1.5 and 3. The bodies of its errors are not documented; they follow the
sibling API that the same reference names (2.4).
"""

import csv
import io
import re
from typing import Any

from runbook.clock import isoformat_utc
from runbook.simulator.linkjobs import accept, flag
from runbook.simulator.messages import Reply, gateway_error, json_reply
from runbook.simulator.model import SimAccount, SimSite, Submission, Unauthorized, derived_uuid
from runbook.simulator.visit import Visit
from runbook.simulator.world import World
from runbook.windows import AUDIT_LOG_KEPT

_REQUIRED = ("product", "productURL", "destinationURL", "migratedFrom")
_BOOLEANS = ("recreateAsRemote", "createBackup")
_BASE_URL = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")


def tenant_info(site: SimSite) -> Reply:
    """Answer `/_edge/tenant_info`, which needs no credential."""
    return json_reply({"cloudId": site.site_id})


def submit(visit: Visit) -> Reply:
    """Take up a job: 200 and its uuid, or what is wrong with the request."""
    world, account = visit.world, visit.account()
    body = visit.call.json_object()
    reply = _refusal(visit, body, account)
    uuid: str | None = None
    if reply is None:
        uuid = accept(world, visit.site, body or {}, account).uuid
        reply = json_reply({"uuid": uuid})
    world.submissions.append(
        Submission(
            at=world.clock.now(),
            site_id=visit.site.site_id,
            body=dict(body or {}),
            account=account.email,
            status=reply.status,
            uuid=uuid,
        )
    )
    return reply


def status(visit: Visit) -> Reply:
    """Answer the status of one job of the site."""
    job = visit.world.jobs.get(visit.params["jobId"])
    if job is None or job.site_id != visit.site.site_id:
        return _error(visit, 404, "Job not found", [])
    return json_reply({"status": job.status(visit.world.clock.now())})


def _refusal(visit: Visit, body: dict[str, Any] | None, account: SimAccount) -> Reply | None:
    world = visit.world
    limited = world.limits.link_job(world.clock.monotonic_s(), world.clock.now())
    if limited is not None:
        return limited
    kind = visit.call.headers.get("content-type", "")
    if kind.split(";")[0].strip().lower() != "application/json":
        return _error(visit, 415, "Content-Type must be application/json", [])
    if body is None:
        return _error(visit, 400, "Validation failed", ["the body must be a JSON object"])
    problems = _problems(visit, body)
    if problems:
        return _error(visit, 400, "Validation failed", problems)
    link = world.app_link(body["productURL"], body["destinationURL"])
    refuses = link.unauthorized is Unauthorized.REFUSED and not link.serves(account)
    if flag(body.get("recreateAsRemote")) and refuses:
        return _error(visit, 403, "The app link is not authorized", [])
    return None


def _problems(visit: Visit, body: dict[str, Any]) -> list[str]:
    found = [
        f"{name} must be a non-empty string"
        for name in _REQUIRED
        if not isinstance(body.get(name), str) or not body[name]
    ]
    found += [problem for name in _BOOLEANS for problem in _boolean_problems(visit, body, name)]
    if found:
        return found
    for name in ("productURL", "destinationURL", "migratedFrom", "migratedFromOverride"):
        value = body.get(name)
        if value is not None and not (isinstance(value, str) and _BASE_URL.fullmatch(value)):
            found.append(f"{name} must be a base URL")
    if body["product"].lower() not in ("jira", "confluence"):
        found.append("product must be jira or confluence")
    if body["productURL"] != visit.site.url:
        found.append("productURL is not the site of the path")
    if body["destinationURL"] not in visit.world.sites:
        found.append("destinationURL is no cloud site")
    if body["product"].lower() == "confluence":
        found += [f"{name} is for Jira only" for name in _BOOLEANS if flag(body.get(name))]
    return found


def _boolean_problems(visit: Visit, body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name)
    taken = visit.world.settings.booleans
    if value is None:
        return []
    if isinstance(value, bool):
        return [f'{name} must be the string "true" or "false"'] if taken == "string" else []
    if isinstance(value, str) and value.lower() in ("true", "false") and taken != "native":
        return []
    return [f"{name} must be a boolean"]


def _error(visit: Visit, code: int, message: str, problems: list[str]) -> Reply:
    request_id = derived_uuid("request", visit.world.seed, len(visit.world.submissions))
    return json_reply(
        {"status": code, "errorMessage": message, "errors": problems, "id": request_id}, code
    )


def download_log(
    world: World, account: SimAccount | None, kind: str, params: dict[str, str]
) -> Reply:
    """Answer a download of Atlassian's history or audit log, as CSV, for the site it names.

    Where the address names no site, all of them are in it. Columns are this simulator's own: the
    real ones are not documented (links-api.md 1.5).
    """
    if account is None:
        return gateway_error(401, "Unauthorized")
    named = params.get("siteId")
    out = io.StringIO()
    writer = csv.writer(out)
    if kind == "history":
        writer.writerow(("Job", "Product URL", "Destination URL", "Finished", "Status", "Links"))
    else:
        writer.writerow(("Date", "Job", "Issue", "Old value", "New value", "Status"))
    now = world.clock.now()
    for job in world.jobs.values():
        ended = job.ends_at <= now
        if not ended or (named is not None and job.site_id != named):
            continue
        at = isoformat_utc(job.ends_at)
        if kind == "history":
            ends = (job.body["productURL"], job.body["destinationURL"])
            writer.writerow((job.uuid, *ends, at, job.status(now), len(job.recreated)))
        elif now - job.ends_at < AUDIT_LOG_KEPT:
            for lost in job.recreated:
                old = f"{job.body['migratedFrom'].rstrip('/')}/browse/{lost.destination_was}"
                new = f"{lost.destination_site}/browse/{lost.destination_key}"
                writer.writerow((at, job.uuid, lost.source_key, old, new, "SUCCESS"))
    return Reply(
        status=200,
        body=out.getvalue().encode(),
        headers=(
            ("Content-Type", "text/csv;charset=UTF-8"),
            ("Content-Disposition", f'attachment; filename="{kind}.csv"'),
        ),
    )
