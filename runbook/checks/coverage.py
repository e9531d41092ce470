"""RB501 to RB505: gaps and duplicates in a plan. Only jobs that recreate links count.

Messages about pairs of sites are joined per site where there are very many, so that a plan of a
thousand sites is judged in linear time and its output can be read.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from runbook.checks.codes import Facts, few, finding, lacks
from runbook.findings import Finding
from runbook.plan.model import Instance, Plan, Site, Wave

_PAIRS_LISTED = 60


def judge_directions(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001 - every check takes both
    """RB501 and RB502: pairs of sites without a job in one direction, or in both."""
    if lacks(plan, "sites", "instances"):
        return
    directions: dict[tuple[str, str], Instance] = {}
    for instance in _recreating(plan):
        known = all(plan.site(url) is not None for url in instance.sites)
        if known and instance.product_url != instance.destination_url:
            directions.setdefault(instance.sites, instance)
    for (source, destination), instance in directions.items():
        if (destination, source) not in directions:
            message = f"`{source}` is linked to `{destination}`, but not the other way round"
            hint = "links are kept at both ends: add the job of the other direction, or waive this with a reason"
            yield finding("RB501", plan, instance.path, message, hint=hint, instance=instance)
    yield from _judge_unlinked(plan, directions)


def _judge_unlinked(plan: Plan, directions: dict[tuple[str, str], Instance]) -> Iterator[Finding]:
    linked: dict[str, set[str]] = {site.url: set() for site in plan.sites}
    for source, destination in directions:
        linked[source].add(destination)
        linked[destination].add(source)
    count = len(linked)
    unlinked = count * (count - 1) // 2 - sum(len(others) for others in linked.values()) // 2
    if unlinked == 0:
        return
    if unlinked <= _PAIRS_LISTED and count <= 1000:
        for i, site in enumerate(plan.sites):
            for other in plan.sites[:i]:
                if other.url not in linked[site.url]:
                    yield _pair(plan, other, site)
        return
    yield from _waived_pairs(plan, linked)
    for site in plan.sites:
        missing = count - 1 - len(linked[site.url])
        if missing == 0:
            continue
        others = (other.url for other in plan.sites if other is not site)
        names = list(islice((url for url in others if url not in linked[site.url]), 3))
        more = "" if missing == len(names) else f" and {missing - len(names)} more"
        message = (
            f"`{site.url}` is not linked with {missing} of the {count - 1} other sites: "
            f"{few(names)}{more}"
        )
        hint = "add their jobs, or waive this with a reason"
        yield finding("RB502", plan, f"{site.path}.url", message, hint=hint)


def _waived_pairs(plan: Plan, linked: dict[str, set[str]]) -> Iterator[Finding]:
    """Yield the pairs that a waiver names: they are listed one by one even where there are many."""
    for waiver in plan.waivers:
        if waiver.code != "RB502" or waiver.sites is None:
            continue
        first, other = (plan.site(url) for url in waiver.sites)
        if first and other and first is not other and other.url not in linked[first.url]:
            yield _pair(plan, first, other)


def _pair(plan: Plan, first: Site, other: Site) -> Finding:
    message = f"`{first.url}` and `{other.url}` are not linked at all"
    hint = "add a job for each direction, or waive this with a reason if no issue of one links to the other"
    path = f"{other.path}.url"
    return finding("RB502", plan, path, message, hint=hint, sites=(first.url, other.url))


def judge_split(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001
    """RB503: jobs of one split name different Data Centers.

    A job's override declares its staging clone and production to be the same Data Center.
    """
    if lacks(plan, "sites", "instances"):
        return
    root: dict[str, str] = {}

    def top(url: str) -> str:
        while root.setdefault(url, url) != url:
            root[url] = root[root[url]]
            url = root[url]
        return url

    jobs = list(_recreating(plan))
    for job in jobs:
        if job.migrated_from_override is not None:
            root[top(job.migrated_from_override)] = top(job.migrated_from)
    origins = Counter(top(job.migrated_from) for job in jobs)
    if len(origins) < 2:
        return
    usual = origins.most_common(1)[0][0]
    example = next(job for job in jobs if top(job.migrated_from) == usual)
    for job in jobs:
        if top(job.migrated_from) != usual:
            message = f"`{job.id}` was migrated from `{job.migrated_from}`, `{example.id}` from `{example.migrated_from}`"
            hint = "one split has one Data Center: correct it, name production in `migratedFromOverride` for a staging clone, or waive this"
            path = f"{job.path}.migratedFrom"
            yield finding("RB503", plan, path, message, hint=hint, instance=job)


def judge_projects(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001
    """RB504 and RB505: a project on two sites, and one that two waves brought."""
    if lacks(plan, "sites"):
        return
    home: dict[str, Site] = {}
    for site in plan.sites:
        for i, project in enumerate(site.projects):
            first = home.setdefault(project.was, site)
            if first is not site:
                message = f"the project `{project.was}` is on `{first.url}` and on `{site.url}`"
                hint = "a project of the Data Center lives on one site: remove it from the other, or give its old key as `was`"
                yield finding("RB504", plan, f"{site.path}.projects[{i}]", message, hint=hint)
        yield from _judge_waves(plan, site)


def _judge_waves(plan: Plan, site: Site) -> Iterator[Finding]:
    if len(site.waves) < 2:
        return
    everything = dict.fromkeys(project.key for project in site.projects)
    everything |= dict.fromkeys(key for wave in site.waves for key in wave.projects)
    brought: dict[str, Wave] = {}
    for wave in sorted(site.waves, key=_order):
        keys = wave.projects or tuple(everything)
        again = [key for key in keys if key in brought]
        brought = dict.fromkeys(keys, wave) | brought
        if again:
            said = "" if wave.projects else ", which names no projects and so counts as all"
            path = f"{wave.path}.projects" if wave.projects else wave.path
            message = f"{few(again)} came with `{brought[again[0]].name}` and again with `{wave.name}`{said}"
            hint = "give each wave the projects it brought; where a project was migrated twice, its links point to what the later wave made"
            yield finding("RB505", plan, path, message, hint=hint)


def _order(wave: Wave) -> tuple[bool, float]:
    end = wave.finished or wave.planned or wave.started
    return (end is None, 0.0 if end is None else end.timestamp())


def _recreating(plan: Plan) -> Iterator[Instance]:
    return (instance for instance in plan.instances if instance.recreate_as_remote)


COVERAGE_CHECKS = (judge_directions, judge_split, judge_projects)
