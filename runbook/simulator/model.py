"""The things a simulated world consists of: plain values that tests edit by attribute."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from runbook.plan.model import Wave

Direction = Literal["outward", "inward"]
HistoryValue = tuple[str | None, str | None]  # an id, and a sentence about it

ID_DIGITS = 18  # Jira's ids are 64-bit

PERMISSIONS: dict[str, tuple[str, str, str]] = {
    # key -> (id, name, type); the built-in keys of jira-rest.md B7 that matter here.
    "ADMINISTER": ("0", "Administer Jira", "GLOBAL"),
    "ADMINISTER_PROJECTS": ("23", "Administer Projects", "PROJECT"),
    "BROWSE_PROJECTS": ("10", "Browse Projects", "PROJECT"),
    "BULK_CHANGE": ("33", "Make bulk changes", "GLOBAL"),
    "CREATE_ISSUES": ("11", "Create Issues", "PROJECT"),
    "EDIT_ISSUES": ("12", "Edit Issues", "PROJECT"),
    "LINK_ISSUES": ("21", "Link Issues", "PROJECT"),
    "SYSTEM_ADMIN": ("44", "Jira System Administrators", "GLOBAL"),
    "USER_PICKER": ("27", "Browse users and groups", "GLOBAL"),
}


def derived_uuid(*parts: object) -> str:
    """Return a UUID that depends on `parts` alone."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(str(part) for part in parts)))


@dataclass(slots=True, kw_only=True)
class SimAccount:
    """A person with an API token.

    `scoped` tokens reach Jira only through the gateway, others only on the site's own host. `lacks` holds pairs of a permission and a site's URL, a project key or
    `*`. `admin` is what the link-fixing API asks for.
    """

    email: str
    token: str | None
    scoped: bool = False
    admin: bool = True
    lacks: set[tuple[str, str]] = field(default_factory=set)

    @property
    def account_id(self) -> str:
        """Return the account id that Atlassian shows instead of the e-mail."""
        return f"557058:{derived_uuid('account', self.email)}"

    def may(self, permission: str, *places: str) -> bool:
        """Return whether the account has a permission at all of `places` (site URL, project key)."""
        return not any((permission, place) in self.lacks for place in (*places, "*"))


@dataclass(slots=True, kw_only=True)
class SimChange:
    """One entry of an issue's history."""

    id: int
    at: datetime
    author: SimAccount
    field: str
    before: HistoryValue
    after: HistoryValue


@dataclass(slots=True, kw_only=True)
class SimRemoteLink:
    """One remote link of an issue; `record` is what was written, without `id` and `self`."""

    id: int
    record: dict[str, Any]

    @property
    def global_id(self) -> str | None:
        """Return the globalId, None where the link has none."""
        return self.record.get("globalId")

    @property
    def url(self) -> str:
        """Return where the link points."""
        return str(self.record["object"]["url"])


@dataclass(slots=True, kw_only=True)
class Issue:
    """One issue; `visible_to` None means everybody who may browse its project."""

    id: int
    key: str
    project: str
    texts: dict[str, str] = field(default_factory=dict)
    visible_to: set[str] | None = None
    deleted: bool = False
    links: dict[int, SimRemoteLink] = field(default_factory=dict)
    history: list[SimChange] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SimProject:
    """A Jira project on a site; `was` is its key in the Data Center."""

    id: int
    key: str
    was: str
    archived: bool = False


@dataclass(slots=True, kw_only=True)
class SimSite:
    """One cloud site; `migrated_from` are the base URLs its migration records know."""

    url: str
    site_id: str
    title: str
    display_url: str
    waves: tuple[Wave, ...] = ()
    migrated_from: set[str] = field(default_factory=set)
    linking_enabled: bool = True
    projects: dict[str, SimProject] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    keys: dict[str, int] = field(default_factory=dict)
    next_issue_id: int = 10_000
    next_link_id: int = 10_000

    def add_project(self, key: str, was: str | None = None) -> SimProject:
        """Return the project with this key, made where it is not there."""
        made = SimProject(id=10_000 + len(self.projects), key=key, was=was or key)
        return self.projects.setdefault(key, made)

    def add_issue(self, key: str) -> Issue:
        """Return the issue with this key, made where it is not there; so is its project."""
        there = self.issue(key)
        if there is not None:
            return there
        project = self.add_project(key.rsplit("-", 1)[0])
        made = Issue(id=self.next_issue_id, key=key, project=project.key)
        made.texts["summary"] = f"Work on {key}"
        self.next_issue_id += 1
        self.issues[made.id] = made
        self.keys[key.upper()] = made.id
        if project.was != project.key:
            self.keys.setdefault(f"{project.was}-{key.rsplit('-', 1)[1]}".upper(), made.id)
        return made

    def issue(self, id_or_key: str) -> Issue | None:
        """Return an issue by id or by key, in any case, also by a key it had before; not a deleted one."""
        is_id = id_or_key.isdecimal() and len(id_or_key) <= ID_DIGITS
        number = int(id_or_key) if is_id else self.keys.get(id_or_key.upper())
        found = None if number is None else self.issues.get(number)
        return None if found is None or found.deleted else found

    def waves_of(self, project: str) -> tuple[Wave, ...]:
        """Return the waves that brought a project; a wave without projects brought all."""
        return tuple(wave for wave in self.waves if not wave.projects or project in wave.projects)


@dataclass(slots=True, kw_only=True)
class LostLink:
    """One end of an issue link of the Data Center that the split cut.

    The issue `source_key` on `source_site` is to hold a remote link to `destination_key`. Keys are
    those of the cloud; `source_was` and `destination_was` those of the Data Center. `left_out` links
    are never recreated, as if Atlassian's job skipped them.
    """

    source_site: str
    source_key: str
    source_was: str
    destination_site: str
    destination_key: str
    destination_was: str
    label: str
    direction: Direction
    probe: bool = False
    left_out: bool = False
    recreated_at: datetime | None = None
    link_id: int | None = None


@dataclass(slots=True, kw_only=True)
class SimAppLink:
    """The app link from one site to another."""

    app_id: str
    authorized: bool = True


@dataclass(slots=True, kw_only=True)
class LinkJob:
    """One accepted job: `phases` are the words its status goes through, each from a moment on.

    `recreated` is what it left behind.
    """

    uuid: str
    site_id: str
    body: dict[str, Any]
    account: SimAccount
    submitted_at: datetime
    phases: tuple[tuple[datetime, str], ...]
    recreated: list[LostLink] = field(default_factory=list)

    @property
    def ends_at(self) -> datetime:
        """Return when the job's last status begins."""
        return self.phases[-1][0]

    def status(self, now: datetime) -> str:
        """Return the status word at a moment."""
        return next((word for at, word in reversed(self.phases) if at <= now), self.phases[0][1])


@dataclass(slots=True, kw_only=True)
class SimSubmission:
    """One `POST …/jobs/cma` that reached the world; `uuid` is that of the job it came to, if any."""

    body: dict[str, Any]
    uuid: str | None
    answer_arrived: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One line of the log of what was asked; no credential is in it."""

    at: datetime
    method: str
    host: str
    path: str
    query: str
    template: str
    account: str | None
    body: bytes
    status: int | None
    fault: str | None = None
