"""Link-fixing jobs: how long they take, what they say meanwhile, and what they leave behind.

Facts: links-api.md 1.2 to 1.5, 2.2, 5.2 and 5.4. What Atlassian does not document (a late job, an
app link that is not authorized) follows the world's settings; the default is the case that costs
an operator most: `Complete`, and nothing recreated.
"""

import heapq
import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from runbook.simulator.model import Issue, LinkJob, SimAccount, SimSite, Unauthorized
from runbook.simulator.world import World
from runbook.windows import WindowState, pair_of

RETRY_SHARE = 0.15


def flag(value: object) -> bool:
    """Return a boolean of a request, which may be JSON or a word."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def accept(world: World, site: SimSite, body: Mapping[str, Any], account: SimAccount) -> LinkJob:
    """Take up a valid job; jobs of one site wait for each other."""
    now = world.clock.now()
    others = [job.ends_at for job in world.jobs.values() if job.site_id == site.site_id]
    job = LinkJob(
        uuid=str(uuid.UUID(int=world.chance.getrandbits(128), version=4)),
        site_id=site.site_id,
        body=dict(body),
        account=account,
        submitted_at=now,
        phases=_phases(world, body, account, now, max([now, *others])),
    )
    world.jobs[job.uuid] = job
    heapq.heappush(world.due, (job.ends_at, world.next_number(), job.uuid))
    return job


def settle(world: World) -> None:
    """Let every job end that is due by now; its links appear at that moment."""
    # Nothing runs by itself in a world: what is due happens before the next request is answered.
    now = world.clock.now()
    while world.due and world.due[0][0] <= now:
        _, _, ended = heapq.heappop(world.due)
        _finish(world, world.jobs[ended])


def _phases(
    world: World, body: Mapping[str, Any], account: SimAccount, now: datetime, free: datetime
) -> tuple[tuple[datetime, str], ...]:
    minutes = world.chance.uniform(*world.settings.job_minutes)
    retried = world.chance.random() < RETRY_SHARE
    begins = free + timedelta(minutes=minutes * 0.15)
    phases = [(now, "Pending")]
    if flag(body.get("createBackup")):
        phases.append((begins, "Backup"))
        begins += timedelta(minutes=world.settings.backup_minutes)
    phases.append((begins, "In_progress"))
    if retried:
        phases.append((begins + timedelta(minutes=minutes * 0.3), "Retry"))
        phases.append((begins + timedelta(minutes=minutes * 0.5), "In_progress"))
    last = "Error" if _fails(world, body, account) else "Complete"
    phases.append((begins + timedelta(minutes=minutes * 0.85), last))
    return tuple(phases)


def _fails(world: World, body: Mapping[str, Any], account: SimAccount) -> bool:
    pair = (str(body["productURL"]), str(body["destinationURL"]))
    if world.fates.get(pair) == "error":
        return True
    link = world.app_link(*pair)
    return (
        flag(body.get("recreateAsRemote"))
        and not link.serves(account)
        and link.unauthorized is Unauthorized.ERROR
    )


def _finish(world: World, job: LinkJob) -> None:
    """Do what a job does on `Complete`; nothing on `Error`."""
    if job.status(job.ends_at) != "Complete":
        job.reason = "the job ended in error"
        return
    source = world.sites[str(job.body["productURL"])]
    destination = world.sites.get(str(job.body["destinationURL"]))
    if str(job.body["product"]).lower() != "jira" or destination is None:
        return
    job.reason = _why_empty(world, job, source, destination)
    if job.reason:
        return
    if flag(job.body.get("recreateAsRemote")):
        _recreate(world, job, source, destination)
    _rewrite_texts(job, source, destination)


def _why_empty(world: World, job: LinkJob, source: SimSite, destination: SimSite) -> str:
    if world.fates.get((source.url, destination.url)) == "empty":
        return "the world was told to leave it empty"
    migrated_from = str(job.body["migratedFrom"]).rstrip("/")
    if migrated_from not in {known.rstrip("/") for known in destination.migrated_from}:
        return "no migration record has this migratedFrom"
    if flag(job.body.get("recreateAsRemote")) and not world.app_link(
        source.url, destination.url
    ).serves(job.account):
        return "the app link is not authorized"
    return ""


def _recreate(world: World, job: LinkJob, source: SimSite, destination: SimSite) -> None:
    closed = 0
    for lost in world.lost_links:
        if (lost.source_site, lost.destination_site) != (source.url, destination.url):
            continue
        if lost.left_out or lost.recreated_at is not None:
            continue
        holder, target = source.issue(lost.source_key), destination.issue(lost.destination_key)
        if holder is None or target is None:
            continue
        if not _in_window(world, job, (source, holder), (destination, target)):
            closed += 1
            continue
        link, _ = world.write_link(
            holder,
            site_to_site_record(world, source, destination, target, lost.label),
            job.account,
            at=job.ends_at,
        )
        lost.recreated_at, lost.link_id = job.ends_at, link.id
        job.recreated.append(lost)
    if closed and not job.recreated:
        job.reason = "the two weeks are over, or a migration is not finished"


def site_to_site_record(
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


def _in_window(
    world: World, job: LinkJob, holder: tuple[SimSite, Issue], target: tuple[SimSite, Issue]
) -> bool:
    """Return whether migration data of both ends is there; without any dates it is."""
    pairs = [
        pair_of("", held, wanted, use_planned=True)
        for held in holder[0].waves_of(holder[1].project)
        for wanted in target[0].waves_of(target[1].project)
    ]
    dated = [pair for pair in pairs if pair.opens is not None]
    allowed = {WindowState.OPEN}
    if world.settings.late_counts:
        allowed.add(WindowState.LATE)
    return not dated or any(pair.state(job.submitted_at) in allowed for pair in dated)


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
