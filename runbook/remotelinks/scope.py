"""Which issues a snapshot reads, and which targets it resolves.

The issues that the expected links name, where there are any; else the plan's projects; or what a
JQL query says. Keys are those of the cloud: a renamed project's issues keep their numbers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from runbook.errors import UsageError
from runbook.plan.model import Plan, Site
from runbook.remotelinks.expected import BadRow, read_expected
from runbook.remotelinks.mapping import PlanMap

ScopeKind = Literal["expected", "projects", "jql"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is read: `keys` or `jql` per site; `targets` are further keys to resolve per site.

    `source` is `{file, sha256}` of the expected links.
    `bad_rows` and `unplaced` rows of that file are in nobody's scope.
    """

    kind: ScopeKind
    sites: tuple[Site, ...]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    jql: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    source: Mapping[str, str] | None = None
    bad_rows: tuple[BadRow, ...] = ()
    unplaced: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the scope as the snapshot file names it; a file of another scope is another snapshot."""
        return {
            "kind": self.kind,
            "sites": [site.url for site in self.sites],
            "jql": dict(self.jql),
            "expected": None if self.source is None else dict(self.source),
        }


def scope_of(
    plan: Plan,
    *,
    links: Path | None = None,
    sites: Iterable[str] = (),
    jql: str | None = None,
    everything: bool = False,
) -> Scope:
    """Return the scope of a snapshot.

    `links` names expected links other than the plan's; `sites` restricts to some sites; `everything`
    reads the plan's projects although there are expected links.

    Raises:
        UsageError: a site is not in the plan, nothing says what to read, or the CSV cannot be read.
    """
    chosen = _chosen(plan, tuple(sites))
    if jql is not None:
        return Scope(kind="jql", sites=chosen, jql={site.url: jql for site in chosen})
    if links is None and plan.expected is not None:
        links = Path(plan.file).parent / plan.expected
    if links is not None and not everything:
        return _expected_scope(plan, chosen, links)
    bare = [site.url for site in chosen if not site.projects]
    if bare:
        raise UsageError(
            f"nothing says which issues of `{bare[0]}` to read: the plan names no projects for it",
            hint="add `projects` to the site, or give `--links CSV`, or `--site URL --jql JQL`",
        )
    return Scope(
        kind="projects", sites=chosen, jql={site.url: _projects_jql(site) for site in chosen}
    )


def _chosen(plan: Plan, urls: tuple[str, ...]) -> tuple[Site, ...]:
    if not urls:
        return plan.sites
    wanted = [url.rstrip("/").lower() for url in urls]
    known = {site.url.lower(): site for site in plan.sites}
    unknown = [url for url in wanted if url not in known]
    if unknown:
        raise UsageError(
            f"the plan has no site `{unknown[0]}`",
            hint="its sites are " + ", ".join(f"`{site.url}`" for site in plan.sites),
        )
    return tuple(known[url] for url in dict.fromkeys(wanted))


def _expected_scope(plan: Plan, chosen: tuple[Site, ...], links: Path) -> Scope:
    places, file = PlanMap(plan), read_expected(links)
    urls = {site.url for site in chosen}
    keys: dict[str, set[str]] = {url: set() for url in urls}
    targets: dict[str, set[str]] = {url: set() for url in urls}
    bad: list[BadRow] = []
    unplaced = 0
    for row in file:
        if isinstance(row, BadRow):
            bad.append(row)
            continue
        route = places.route(row)
        if route.source is None or route.target is None:
            unplaced += 1
        if route.same_site:
            continue
        for end in (route.source, route.target):
            if end is not None and end.site.url in urls:
                keys[end.site.url].add(end.key)
        if route.target is not None and route.target.site.url in urls:
            targets[route.target.site.url].add(route.target.key)
    return Scope(
        kind="expected",
        sites=chosen,
        keys={url: _in_order(found) for url, found in keys.items()},
        targets={url: _in_order(found) for url, found in targets.items()},
        source=file.as_json(),
        bad_rows=tuple(bad),
        unplaced=unplaced,
    )


def _in_order(keys: Iterable[str]) -> tuple[str, ...]:
    def rank(key: str) -> tuple[str, int, str]:
        project, _, number = key.rpartition("-")
        return project, int(number) if number.isdigit() else 0, key

    return tuple(sorted(keys, key=rank))


def _projects_jql(site: Site) -> str:
    # Quoted: a project key may be a word of the language, such as NO or NOT.
    listed = ", ".join(f'"{project.key}"' for project in site.projects)
    return f"project in ({listed}) ORDER BY key ASC"
