"""The link-fixing API: jobs, how long they take, what they say and leave behind, Atlassian's logs.

Facts: links-api.md 1.1 to 1.5, 2.2, 3, 5.2 and 5.4. The bodies of its errors are not documented;
they follow the sibling API that the same reference names (2.4). Where it is not documented what a
job does, it does what costs an operator most: `Complete`, and nothing recreated.
"""

import csv
import heapq
import io
import itertools
import re
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from runbook.clock import isoformat_utc
from runbook.plan.model import Wave
from runbook.simulator.messages import Handled, Reply, gateway_error, json_reply
from runbook.simulator.model import Issue, LinkJob, SimAccount, SimSite, SimSubmission, derived_uuid
from runbook.simulator.visit import Visit
from runbook.simulator.world import LogKind, World
from runbook.windows import AUDIT_LOG_KEPT, pair_of

RETRY_SHARE = 0.15
_REQUIRED = ("product", "productURL", "destinationURL", "migratedFrom")
_BOOLEANS = ("recreateAsRemote", "createBackup")
_LOG_COLUMNS = {
    "history": ("Job", "Product URL", "Destination URL", "Finished", "Status", "Links"),
    "audit": ("Date", "Job", "Issue", "Old value", "New value", "Status"),
}
_BASE_URL = re.compile(r"https?://[^/?#\s]+(/[^?#\s]*)?")


def submit(visit: Visit) -> Reply:
    """Take up a job: 200 and its uuid, or what is wrong with the request."""
    world, account = visit.world, visit.account()
    body = visit.request.json_object()
    reply = _refusal(visit, body)
    job_id: str | None = None
    if reply is None:
        job_id = accept(world, visit.site, body or {}, account).uuid
        reply = json_reply({"uuid": job_id})
    world.submissions.append(SimSubmission(body=dict(body or {}), uuid=job_id))
    return reply


def status(visit: Visit) -> Handled:
    """Answer the status of one job of the site."""
    job = visit.world.jobs.get(visit.params["jobId"])
    if job is None or job.site_id != visit.site.site_id:
        return _error(visit, 404, "Job not found")
    return {"status": job.status(visit.world.clock.now())}


def _refusal(visit: Visit, body: dict[str, Any] | None) -> Reply | None:
    kind = visit.request.headers.get("content-type", "")
    if kind.split(";")[0].strip().lower() != "application/json":
        return _error(visit, 415, "Content-Type must be application/json")
    problems = ["the body must be a JSON object"] if body is None else _problems(visit, body)
    return _error(visit, 400, "Validation failed", *problems) if problems else None


def _problems(visit: Visit, body: dict[str, Any]) -> list[str]:
    found = [
        f"{name} must be a non-empty string"
        for name in _REQUIRED
        if not isinstance(body.get(name), str) or not body[name]
    ]
    taken = visit.world.settings.booleans
    wanted = 'the string "true" or "false"' if taken == "string" else "a boolean"
    for name in _BOOLEANS:
        value = body.get(name)
        is_native = isinstance(value, bool)
        is_word = isinstance(value, str) and value.lower() in ("true", "false")
        accepted = (is_native and taken != "string") or (is_word and taken != "native")
        if value is not None and not accepted:
            found.append(f"{name} must be {wanted}")
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


def _error(visit: Visit, code: int, message: str, *problems: str) -> Reply:
    request_id = derived_uuid("request", visit.world.seed, len(visit.world.submissions))
    body = {"status": code, "errorMessage": message, "errors": problems, "id": request_id}
    return json_reply(body, code)


def download_log(
    world: World, account: SimAccount | None, kind: LogKind, params: Mapping[str, str]
) -> Reply:
    """Answer a download of Atlassian's history or audit log, as CSV, for the site it names.

    Where the address names no site, all of them are in it. Columns are this simulator's own: the
    real ones are not documented (links-api.md 1.5).
    """
    if account is None:
        return gateway_error(401, "Unauthorized")
    rows: list[tuple[object, ...]] = [_LOG_COLUMNS[kind]]
    now = world.clock.now()
    for job in world.jobs.values():
        if job.ends_at > now or params.get("siteId", job.site_id) != job.site_id:
            continue
        at = isoformat_utc(job.ends_at)
        if kind == "history":
            ends = (job.body["productURL"], job.body["destinationURL"])
            rows.append((job.uuid, *ends, at, job.status(now), len(job.recreated)))
        elif now - job.ends_at < AUDIT_LOG_KEPT:
            for lost in job.recreated:
                old = f"{job.body['migratedFrom'].rstrip('/')}/browse/{lost.destination_was}"
                new = f"{lost.destination_site}/browse/{lost.destination_key}"
                rows.append((at, job.uuid, lost.source_key, old, new, "SUCCESS"))
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    headers = (
        ("Content-Type", "text/csv;charset=UTF-8"),
        ("Content-Disposition", f'attachment; filename="{kind}.csv"'),
    )
    return Reply(status=200, body=out.getvalue().encode(), headers=headers)


def flag(value: object) -> bool:
    """Return a boolean of a request, which may be JSON or a word."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def accept(world: World, site: SimSite, body: Mapping[str, Any], account: SimAccount) -> LinkJob:
    """Take up a valid job; jobs of one site wait for each other."""
    now = world.clock.now()
    job_id = str(uuid.UUID(int=world.chance.getrandbits(128), version=4))
    whole = timedelta(minutes=world.chance.uniform(*world.settings.job_minutes))
    retried = world.chance.random() < RETRY_SHARE
    others = [job.ends_at for job in world.jobs.values() if job.site_id == site.site_id]
    begins = max([now, *others]) + whole * 0.15
    phases = [(now, "Pending")]
    if flag(body.get("createBackup")):
        phases.append((begins, "Backup"))
        begins += timedelta(minutes=world.settings.backup_minutes)
    phases.append((begins, "In_progress"))
    if retried:
        phases += [(begins + whole * 0.3, "Retry"), (begins + whole * 0.5, "In_progress")]
    fails = world.fates.get((body["productURL"], body["destinationURL"])) == "error"
    phases.append((begins + whole * 0.85, "Error" if fails else "Complete"))
    job = LinkJob(
        uuid=job_id,
        site_id=site.site_id,
        body=dict(body),
        account=account,
        submitted_at=now,
        phases=tuple(phases),
    )
    world.jobs[job_id] = job
    heapq.heappush(world.due, (job.ends_at, world.next_number(), job_id))
    return job


def settle(world: World) -> None:
    """Let every job end that is due by now; its links appear at that moment."""
    # Nothing runs by itself in a world: what is due happens before the next request is answered.
    now = world.clock.now()
    while world.due and world.due[0][0] <= now:
        _, _, ended = heapq.heappop(world.due)
        _finish(world, world.jobs[ended])


def _finish(world: World, job: LinkJob) -> None:
    """Do what a job does on `Complete`; nothing on `Error`."""
    source = world.sites[job.body["productURL"]]
    destination = world.sites[job.body["destinationURL"]]
    migrated_from = job.body["migratedFrom"].rstrip("/")
    if (
        job.status(job.ends_at) != "Complete"
        or job.body["product"].lower() != "jira"
        or world.fates.get((source.url, destination.url)) == "empty"
        or migrated_from not in {known.rstrip("/") for known in destination.migrated_from}
    ):
        return
    if flag(job.body.get("recreateAsRemote")):
        # That a missing authorization leaves `Complete` and no links is the costly case.
        if not world.app_link(source.url, destination.url).authorized:
            return
        _recreate(world, job, source, destination)
    _rewrite_texts(job, source, destination)


def _recreate(world: World, job: LinkJob, source: SimSite, destination: SimSite) -> None:
    for lost in world.lost_links:
        if (lost.source_site, lost.destination_site) != (source.url, destination.url):
            continue
        holder, target = source.issue(lost.source_key), destination.issue(lost.destination_key)
        if lost.left_out or lost.recreated_at is not None or holder is None or target is None:
            continue
        held, wanted = source.waves_of(holder.project), destination.waves_of(target.project)
        if _in_window(job, held, wanted):
            record = _site_to_site_record(world, source, destination, target, lost.label)
            link, _ = world.write_link(holder, record, job.account, at=job.ends_at)
            lost.recreated_at, lost.link_id = job.ends_at, link.id
            job.recreated.append(lost)


def _site_to_site_record(
    world: World, source: SimSite, destination: SimSite, target: Issue, label: str
) -> dict[str, Any]:
    """Return the record that Jira writes for a link to an issue of another site (jira-rest.md B2)."""
    return {
        "globalId": f"appId={world.app_link(source.url, destination.url).app_id}&issueId={target.id}",
        "application": {"type": "com.atlassian.jira", "name": destination.title},
        "relationship": label,
        "object": {
            "url": f"{destination.url}/browse/{target.key}",
            "title": target.key,
            "icon": {},
            "status": {"icon": {}},
        },
    }


def _in_window(job: LinkJob, held: tuple[Wave, ...], wanted: tuple[Wave, ...]) -> bool:
    """Return whether migration data of both ends is there; without any dates it is."""
    pairs = [
        pair_of("", source, destination, use_planned=True)
        for source, destination in itertools.product(held, wanted)
    ]
    dated = [pair for pair in pairs if pair.opens is not None]
    return not dated or any(pair.servable(job.submitted_at) for pair in dated)


def _rewrite_texts(job: LinkJob, source: SimSite, destination: SimSite) -> None:
    """Point links in texts to the destination, where they name an issue that lives there now."""
    olds = [job.body["migratedFrom"], job.body.get("migratedFromOverride")]
    for old in (str(url).rstrip("/") for url in olds if url):
        pattern = re.compile(re.escape(old) + r"/browse/([A-Z][A-Z0-9_]*-\d+)")

        def moved(match: re.Match[str]) -> str:
            target = destination.issue(match.group(1))
            if target is None:
                return match.group(0)
            return f"{destination.url}/browse/{target.key}"

        for issue in source.issues.values():
            for name, text in issue.texts.items():
                if old in text:
                    issue.texts[name] = pattern.sub(moved, text)
