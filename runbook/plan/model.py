"""A plan as typed values; field names are Atlassian's own, in Python's spelling.

Everything past `runbook.plan.parse` sees only these values. Moments are aware and in UTC; the
zone in which the person wrote them is kept in `Plan.zone` for display.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum


class Product(StrEnum):
    """The product that holds the links."""

    JIRA = "jira"
    CONFLUENCE = "confluence"


class BooleanStyle(StrEnum):
    """How booleans are sent: Atlassian's guide and its reference disagree (links-api.md 1.2)."""

    NATIVE = "native"
    STRING = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Jira project key on a cloud site; `was` is its key in the Data Center."""

    key: str
    was: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One migration that brought data to a site.

    `name` defaults to `wave-<number>`; `projects` are cloud keys, all of the site by default.
    Only what the plan gives is kept: any of the moments may be missing.
    """

    name: str
    projects: tuple[str, ...] = ()
    started: datetime | None = None
    finished: datetime | None = None
    planned: datetime | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A cloud site that takes part."""

    url: str
    site_id: str | None = None
    account: str = "default"
    token_expires: date | None = None
    projects: tuple[Project, ...] = ()
    waves: tuple[Wave, ...] = ()
    path: str = ""

    @property
    def has_date(self) -> bool:
        """Return whether any of its waves has a date, of whatever kind."""
        return any(wave.finished or wave.planned or wave.started for wave in self.waves)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLink:
    """A person's attestation that the app link is authorized in one direction."""

    authorized: bool
    as_account: str | None = None
    by: str | None = None
    at: datetime | None = None
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One link known from the Data Center: `issue` holds it, `target` is where it points."""

    issue: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One federated instance in one direction: one CMA job."""

    id: str
    product: Product = Product.JIRA
    product_url: str
    destination_url: str
    migrated_from: str
    migrated_from_override: str | None = None
    recreate_as_remote: bool = True
    create_backup: bool = False
    needs: tuple[str, ...] = ()
    probe: tuple[Probe, ...] = ()
    app_link: AppLink | None = None
    path: str = ""

    @property
    def sites(self) -> tuple[str, str]:
        """Return the URLs of both sites, the one that holds the links first."""
        return (self.product_url, self.destination_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A finding that somebody accepts: of one instance, of a pair of sites, or all of its code."""

    code: str
    reason: str
    by: str | None = None
    instance: str | None = None
    sites: tuple[str, str] | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Location:
    """The line and column of a value in the plan's file; both start at 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The content of one plan file.

    `source` holds the file's bytes, `locations` where the value at each path stands
    (`instances[2].migratedFrom`) and, under `<path>!key`, where its key does. `digest` is the SHA-256
    of the canonical JSON of the parsed plan, in hex. `broken` names the paths that could not be read;
    it is empty for every plan that `read_plan` returns.
    """

    name: str
    customer: str | None = None
    change: str | None = None
    cutover: datetime | None = None
    booleans: BooleanStyle = BooleanStyle.NATIVE
    expected: str | None = None
    require_approval: bool = False
    logs_history: str | None = None
    logs_audit: str | None = None
    sites: tuple[Site, ...] = ()
    instances: tuple[Instance, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    file: str = ""
    source: bytes = b""
    zone: timezone = field(default=timezone(timedelta(0)))
    locations: Mapping[str, Location] = field(default_factory=dict)
    digest: str = ""
    broken: frozenset[str] = frozenset()
    _sites: dict[str, Site] = field(init=False, repr=False, compare=False)
    _instances: dict[str, Instance] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Every job looks its sites up; in reverse, so that the first of equals wins.
        object.__setattr__(self, "_sites", {site.url: site for site in reversed(self.sites)})
        object.__setattr__(
            self, "_instances", {instance.id: instance for instance in reversed(self.instances)}
        )

    def site(self, url: str) -> Site | None:
        """Return the site with this base URL, None where the plan has none."""
        return self._sites.get(url)

    def instance(self, instance_id: str) -> Instance | None:
        """Return the instance with this id, None where the plan has none."""
        return self._instances.get(instance_id)

    def location(self, path: str) -> Location:
        """Return the location of the value at `path`, or of the nearest value that encloses it."""
        return next(
            (self.locations[above] for above in upwards(path) if above in self.locations),
            Location(1, 1),
        )


def upwards(path: str) -> Iterator[str]:
    """Yield a path and every path above it."""
    while path:
        yield path
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
