"""Fill a world from a plan: sites as a migration leaves them, and the links that the split cut."""

import random
from collections.abc import Mapping
from pathlib import Path

from runbook.clock import Clock
from runbook.plan.model import Instance, Plan, Probe, Product
from runbook.remotelinks.expected import ExpectedRow, read_expected
from runbook.simulator.model import Direction, Issue, LostLink, SimAccount, SimSite, derived_uuid
from runbook.simulator.world import Settings, World

SimPlace = tuple[SimSite, str]  # a site, and the key of an issue there

LINK_TYPES: tuple[tuple[str, str, str], ...] = (
    # name, outward label, inward label: the types of a fresh Jira.
    ("Blocks", "blocks", "is blocked by"),
    ("Cloners", "clones", "is cloned by"),
    ("Duplicate", "duplicates", "is duplicated by"),
    ("Relates", "relates to", "relates to"),
)


def world_of(
    plan: Plan,
    *,
    clock: Clock,
    seed: int = 0,
    issues_per_project: int = 20,
    links_per_pair: int = 6,
    leave_out: float = 0.0,
    accounts: Mapping[str, str] | None = None,
    job_minutes: float | tuple[float, float] = (2.0, 12.0),
    own_links: float = 0.1,
) -> World:
    """Return a world in which the plan's sites exist as a migration leaves them.

    Args:
        plan: its sites, projects, waves, instances, probes and expected links are used.
        clock: the world's only time.
        seed: the same seed, plan and arguments give the same world.
        issues_per_project: how many issues every project has at least.
        links_per_pair: issue links of the Data Center between two sites that the plan links,
            where it names no file of expected links.
        leave_out: the share of lost links, probes aside, that no job recreates.
        accounts: API tokens by e-mail; None accepts every non-empty credential.
        job_minutes: how long a job takes, or the least and the most.
        own_links: the share of issues that hold a link of a user's own.

    Raises:
        UsageError: the file of expected links cannot be read.
    """
    known = {
        email: SimAccount(email=email, token=token) for email, token in (accounts or {}).items()
    }
    spread = job_minutes if isinstance(job_minutes, tuple) else (job_minutes, job_minutes)
    settings = Settings(accept_any=accounts is None, job_minutes=spread)
    world = World(clock=clock, seed=seed, settings=settings, accounts=known)
    _add_sites(world, plan)
    rows: list[ExpectedRow] = []
    if plan.expected is not None:
        rows += read_expected(Path(plan.file).parent / plan.expected).rows()
    _add_named_issues(world, plan, rows)
    for site in world.sites.values():
        for key in tuple(site.projects):
            for number in range(1, issues_per_project + 1):
                site.add_issue(f"{key}-{number}")
    for row in rows:
        source, destination = _home(world, row.source_key), _home(world, row.destination_key)
        # Links inside one site, or of other sites, were never cut here.
        if source is not None and destination is not None and source[0] is not destination[0]:
            direction: Direction = "inward" if row.direction == "inward" else "outward"
            world.lost_links.append(_lost_link(source, destination, row.link_type, direction))
    for instance in plan.instances:
        for probe in instance.probe:
            _add_probe(world, instance, probe, both_ends=not rows)
    chance = random.Random(f"{world.seed}/links")  # noqa: S311 - a game, not a secret
    if not rows:
        _add_cut_links(world, plan, links_per_pair, chance)
    eligible = [lost for lost in world.lost_links if not lost.probe]
    for lost in chance.sample(eligible, round(leave_out * len(eligible))):
        lost.left_out = True
    _mention_old_urls(world, plan)
    _add_own_links(world, own_links, chance)
    if plan.logs_history is not None:
        world.log_urls["history"] = plan.logs_history
    if plan.logs_audit is not None:
        world.log_urls["audit"] = plan.logs_audit
    return world


def _add_sites(world: World, plan: Plan) -> None:
    for site in plan.sites:
        made = world.add_site(site.url, site.site_id)
        made.waves = site.waves
        for project in site.projects:
            made.add_project(project.key, project.was)
    for instance in plan.instances:
        for url in (instance.product_url, instance.destination_url):
            world.add_site(url)
        world.sites[instance.destination_url].migrated_from.add(instance.migrated_from)
        link = instance.app_link
        there = world.app_link(instance.product_url, instance.destination_url)
        there.authorized = link is None or link.authorized


def _add_named_issues(world: World, plan: Plan, rows: list[ExpectedRow]) -> None:
    """Make the issues that the plan names, and a project for every site that still has none."""
    for instance in plan.instances:
        for probe in instance.probe:
            ends = ((instance.product_url, probe.issue), (instance.destination_url, probe.target))
            for url, key in ends:
                world.sites[url].add_issue(_cloud_key(world.sites[url], key))
    taken = {key for site in world.sites.values() for key in site.projects}
    for site in world.sites.values():
        if not site.projects:
            key = _free_key(site, taken)
            taken.add(key)
            site.add_project(key)
    for row in rows:
        for key in (row.source_key, row.destination_key):
            if (home := _home(world, key)) is not None:
                home[0].add_issue(home[1])


def _free_key(site: SimSite, taken: set[str]) -> str:
    letters = "".join(c for c in site.title.rsplit("-", 1)[-1].upper() if c.isalpha())[:6] or "P"
    key, number = letters if len(letters) > 1 else letters * 2, 1
    while key in taken:
        number += 1
        key = f"{letters}{number}"
    return key


def _home(world: World, key: str) -> SimPlace | None:
    """Return where an issue is whose key may be that of the Data Center."""
    project = key.rsplit("-", 1)[0]
    for site in world.sites.values():
        if any(project in (there.key, there.was) for there in site.projects.values()):
            return site, _cloud_key(site, key)
    return None


def _cloud_key(site: SimSite, key: str) -> str:
    name, _, number = key.rpartition("-")
    renamed = next((there.key for there in site.projects.values() if there.was == name), name)
    return f"{renamed}-{number}"


def _was(site: SimSite, key: str) -> str:
    name, _, number = key.rpartition("-")
    project = site.projects.get(name)
    return key if project is None else f"{project.was}-{number}"


def _lost_link(
    source: SimPlace, destination: SimPlace, label: str, direction: Direction
) -> LostLink:
    return LostLink(
        source_site=source[0].url,
        source_key=source[1],
        source_was=_was(*source),
        destination_site=destination[0].url,
        destination_key=destination[1],
        destination_was=_was(*destination),
        label=label,
        direction=direction,
    )


def _add_probe(world: World, instance: Instance, probe: Probe, *, both_ends: bool) -> None:
    holder, wanted = world.sites[instance.product_url], world.sites[instance.destination_url]
    source: SimPlace = (holder, _cloud_key(holder, probe.issue))
    destination: SimPlace = (wanted, _cloud_key(wanted, probe.target))
    known = _known_link(world, source, destination)
    if known is None:
        known = _lost_link(source, destination, "relates to", "outward")
        world.lost_links.append(known)
    known.probe = True
    if both_ends and _known_link(world, destination, source) is None:
        world.lost_links.append(_lost_link(destination, source, "relates to", "inward"))


def _known_link(world: World, source: SimPlace, destination: SimPlace) -> LostLink | None:
    ends = (source[0].url, source[1], destination[0].url, destination[1])
    for lost in world.lost_links:
        there = (lost.source_site, lost.source_key, lost.destination_site, lost.destination_key)
        if there == ends:
            return lost
    return None


def _add_cut_links(world: World, plan: Plan, per_pair: int, chance: random.Random) -> None:
    pairs = dict.fromkeys(
        tuple(sorted((instance.product_url, instance.destination_url)))
        for instance in plan.instances
        if instance.recreate_as_remote
        and instance.product is Product.JIRA
        and instance.product_url != instance.destination_url
    )
    known = {(link.source_site, link.source_key, link.destination_key) for link in world.lost_links}
    for left, right in ((world.sites[first], world.sites[second]) for first, second in pairs):
        lefts, rights = tuple(left.issues.values()), tuple(right.issues.values())
        combinations = range(len(lefts) * len(rights))
        for number in chance.sample(combinations, min(per_pair, len(combinations))):
            source, destination = lefts[number // len(rights)], rights[number % len(rights)]
            if (left.url, source.key, destination.key) in known:
                continue
            _, outward, inward = chance.choice(LINK_TYPES)
            first, second = (left, source.key), (right, destination.key)
            if chance.random() < 0.5:
                first, second = second, first
            world.lost_links += [
                _lost_link(first, second, outward, "outward"),
                _lost_link(second, first, inward, "inward"),
            ]


def _mention_old_urls(world: World, plan: Plan) -> None:
    """Put old addresses into texts: of cut links (a job rewrites those) and of filters (none does)."""
    olds = {instance.destination_url: instance.migrated_from for instance in plan.instances}
    for number, link in enumerate(world.lost_links):
        issue = world.sites[link.source_site].issue(link.source_key)
        old = olds.get(link.destination_site)
        if issue is None or old is None or number % 3:
            continue
        issue.texts["description"] = f"See {old.rstrip('/')}/browse/{link.destination_was} first."
        if number % 2:
            issue.texts["comment"] = f"Open ones: {old.rstrip('/')}/issues/?filter=10{number:03}"


def _add_own_links(world: World, share: float, chance: random.Random) -> None:
    """Give some issues links of their users' own: web links, and Confluence pages."""
    author = world.account("someone.else@example.com")
    for site in world.sites.values():
        issues = tuple(site.issues.values())
        for issue in chance.sample(issues, round(share * len(issues))):
            world.write_link(issue, _own_link(world, site, issue), author)


def _own_link(world: World, site: SimSite, issue: Issue) -> dict[str, object]:
    if issue.id % 2:
        page = 300_000 + issue.id
        return {
            "globalId": f"appId={derived_uuid('confluence', world.seed, site.url)}&pageId={page}",
            "application": {"type": "com.atlassian.confluence", "name": "System Confluence"},
            "relationship": "mentioned in",
            "object": {
                "url": f"{site.url}/wiki/pages/viewpage.action?pageId={page}",
                "title": f"Notes on {issue.key}",
            },
        }
    return {
        "object": {
            "url": f"https://example.com/handbook/{issue.id}",
            "title": f"Handbook, chapter {issue.id % 40}",
            "summary": "Kept by hand",
            "icon": {"url16x16": "https://example.com/favicon.ico", "title": "Handbook"},
            "status": {"resolved": False, "icon": {}},
        }
    }
