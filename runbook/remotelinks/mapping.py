"""From the Data Center's keys to sites, jobs and waves: which job should recreate a link.

In: a plan and expected rows. Out: where each end is now, the job of that direction, or why there is
none. Pure. Project keys of the Data Center (`was`) come first, since the export speaks of them; a
renamed project's issues keep their numbers, so PLT-7 is PLAT-7.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runbook.plan.model import Instance, Plan, Product, Site
from runbook.remotelinks.expected import ExpectedRow

Counts = dict[str | tuple[str, str, str] | None, int]


@dataclass(frozen=True, slots=True)
class Located:
    """An issue on a cloud site: the site, the key there, and the project's key there."""

    site: Site
    key: str
    project: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where the two ends of a link are and which job recreates it.

    `job` is None where no job does, and `why` says so; an end is None where its project is unmapped.
    `same_site` marks a link that is local in the cloud too.
    """

    source: Located | None
    target: Located | None
    job: Instance | None
    why: str = ""
    same_site: bool = False


class PlanMap:
    """The plan, indexed by project and by direction."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._projects: dict[str, tuple[Site, str]] = {}
        for site in plan.sites:
            for project in site.projects:
                self._projects.setdefault(project.was.upper(), (site, project.key.upper()))
        for site in plan.sites:
            for project in site.projects:
                self._projects.setdefault(project.key.upper(), (site, project.key.upper()))
        self._jobs: dict[tuple[str, str | None], Instance] = {}
        for instance in plan.instances:
            if instance.recreate_as_remote and instance.product is Product.JIRA:
                direction = (instance.product_url, instance.destination_url)
                self._jobs.setdefault(direction, instance)
        self._routes: dict[tuple[str, str], tuple[Instance | None, str, bool]] = {}

    def located(self, key: str) -> Located | None:
        """Return where an issue is now, by its Data Center key or its cloud key."""
        project, _, number = key.rpartition("-")
        found = self._projects.get(project)
        if found is None:
            return None
        return Located(found[0], f"{found[1]}-{number}", found[1])

    def job_between(self, source: str, target: str | None) -> Instance | None:
        """Return the job that recreates links from one site to another, None where none does."""
        return self._jobs.get((source, target))

    def route(self, row: ExpectedRow) -> Route:
        """Return the job of a row, or why there is none."""
        source, target = self.located(row.source_key), self.located(row.destination_key)
        if source is None or target is None:
            key = row.source_key if source is None else row.destination_key
            why = f"project `{key.rpartition('-')[0]}` is on no site of the plan"
            return Route(source, target, None, why)
        direction = (source.site.url, target.site.url)
        known = self._routes.get(direction)
        if known is None:
            known = self._routes[direction] = self._direction(*direction)
        return Route(source, target, *known)

    def wave(self, end: Located) -> str | None:
        """Return the last wave that brought the issue's project, None where no wave names it."""
        for wave in reversed(end.site.waves):
            if not wave.projects or end.project in wave.projects:
                return wave.name
        return None

    def old_bases(self) -> tuple[str, ...]:
        """Return every base URL that links may still carry from before the migration."""
        bases = [
            base
            for instance in self.plan.instances
            for base in (instance.migrated_from, instance.migrated_from_override)
            if base
        ]
        return tuple(dict.fromkeys(bases))

    def _direction(self, source: str, target: str) -> tuple[Instance | None, str, bool]:
        if source == target:
            return None, "both ends are on one site: a local link", True
        job = self.job_between(source, target)
        why = "" if job else f"the plan has no job from `{source}` to `{target}`"
        return job, why, False


def expected_counts(plan: Plan, rows: Iterable[ExpectedRow | Any]) -> Counts:
    """Return how many links each job and each pair of waves is expected to recreate.

    Keys are a job's id, `(job, from_wave, to_wave)`, and None for the rows that no job serves; every
    recreate job and each of its pairs is there, with 0 where nothing is expected. A project that
    several waves bring counts for the last of them. Bad rows are skipped.
    """
    plan_map = PlanMap(plan)
    counts: Counts = {None: 0}
    for instance in plan.instances:
        source, target = plan.site(instance.product_url), plan.site(instance.destination_url)
        if source is None or target is None or not instance.recreate_as_remote:
            continue
        counts[instance.id] = 0
        for source_wave, target_wave in itertools.product(source.waves, target.waves):
            counts[instance.id, source_wave.name, target_wave.name] = 0
    for row in rows:
        if not isinstance(row, ExpectedRow):
            continue
        route = plan_map.route(row)
        if route.job is None or route.source is None or route.target is None:
            counts[None] += 1
            continue
        counts[route.job.id] += 1
        waves = plan_map.wave(route.source), plan_map.wave(route.target)
        if waves[0] is not None and waves[1] is not None:
            counts[route.job.id, waves[0], waves[1]] += 1
    return counts
