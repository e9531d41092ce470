"""One stateful world for tests and rehearsals: sites, issues, links, people, jobs, what was asked.

Everything is in memory and may be edited by attribute at any time. Time comes from the clock that
is handed in, chance from the seed. `runbook.simulator.router.answer` is the pure handler on top of
it; the world itself knows no HTTP beyond the log.
"""

import csv
import io
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from runbook.clock import Clock, isoformat_utc
from runbook.plan.model import Plan, Project
from runbook.remotelinks.expected import COLUMNS
from runbook.simulator.faults import FaultScript
from runbook.simulator.messages import Headers, Reply, jira_error
from runbook.simulator.model import (
    HistoryValue,
    Issue,
    LinkJob,
    LoggedRequest,
    LostLink,
    SimAccount,
    SimAppLink,
    SimChange,
    SimRemoteLink,
    SimSite,
    SimSubmission,
    derived_uuid,
)

PER_METHOD = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
PER_ENDPOINT = {("GET", "/rest/api/3/issue/{issueIdOrKey}"): 150}
PER_ISSUE_WRITES = ((20, 2.0), (100, 30.0))
LogKind = Literal["history", "audit"]
REMOTE_LINK_FIELDS = ("globalId", "application", "relationship", "object")


@dataclass(slots=True, kw_only=True)
class Settings:
    """What is not documented, or differs between evenings, and may be chosen.

    `accept_any` takes every non-empty credential. `bad_credential` says how Jira treats a wrong one
    when it reads: as anonymous (with `X-Seraph-LoginReason`), or with 401. `booleans` is what the
    link-fixing API takes.
    """

    accept_any: bool = True
    bad_credential: Literal["anonymous", "401"] = "anonymous"
    booleans: Literal["both", "native", "string"] = "both"
    job_minutes: tuple[float, float] = (2.0, 12.0)
    backup_minutes: float = 25.0
    latency_s: float = 0.0
    remote_link_limit: int = 2000
    page_cap: int = 5000


@dataclass(slots=True, kw_only=True)
class SimulatedLimits:
    """Jira's documented rate limits as token buckets (jira-rest.md B5).

    One bucket per site, method and endpoint, shared by all issues; besides it two sliding windows
    of writes per issue. `enabled` False lets everything through.

    `refused` counts the answers 429 by reason.
    """

    enabled: bool = True
    refused: dict[str, int] = field(default_factory=dict)
    _buckets: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)
    _writes: dict[tuple[str, int], deque[float]] = field(default_factory=dict)

    def burst(
        self, site: str, method: str, template: str, clock: Clock
    ) -> tuple[Reply | None, Headers]:
        """Return the refusal, if any, and the headers that every answer carries."""
        if not self.enabled:
            return None, ()
        now_s = clock.monotonic_s()
        size = PER_ENDPOINT.get((method, template)) or PER_METHOD.get(method, 100)
        tokens, filled_s = self._buckets.get((site, method, template), (size, now_s))
        tokens = min(size, tokens + (now_s - filled_s) * size)
        self._buckets[site, method, template] = (tokens - (tokens >= 1.0), now_s)
        if tokens < 1.0:
            return self._refusal("jira-burst-based", size, (1.0 - tokens) / size, clock), ()
        return None, (
            ("X-RateLimit-Limit", str(size)),
            ("X-RateLimit-Remaining", str(int(tokens) - 1)),
        )

    def issue_write(self, site: str, issue: int, clock: Clock) -> Reply | None:
        """Count one write of an issue; return the refusal where it is one too many."""
        if not self.enabled:
            return None
        now_s = clock.monotonic_s()
        writes = self._writes.setdefault((site, issue), deque())
        while writes and now_s - writes[0] >= PER_ISSUE_WRITES[-1][1]:
            writes.popleft()
        for most, span_s in PER_ISSUE_WRITES:
            recent = [at_s for at_s in writes if now_s - at_s < span_s]
            if len(recent) >= most:
                wait_s = recent[-most] + span_s - now_s
                return self._refusal("jira-per-issue-on-write", most, wait_s, clock)
        writes.append(now_s)
        return None

    def _refusal(self, reason: str, limit: int, wait_s: float, clock: Clock) -> Reply:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        whole_s = math.ceil(max(1.0, wait_s))
        reset = (clock.now() + timedelta(seconds=whole_s)).replace(microsecond=0)
        headers = (
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", isoformat_utc(reset)),
            ("Retry-After", str(whole_s)),
            ("RateLimit-Reason", reason),
        )
        return jira_error(429, "Rate limit exceeded.", headers=headers)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that exists on the simulated side.

    `lost_links` are the ends of formerly local links; `jobs` the link-fixing jobs by uuid;
    `submissions` what every `POST …/jobs/cma` truly came to; `log` what was asked, in order;
    `fates` overrides how a job from one site to another ends; `due` is the heap of the jobs that
    have not ended, by their ends.
    """

    clock: Clock
    seed: int = 0
    settings: Settings = field(default_factory=Settings)
    sites: dict[str, SimSite] = field(default_factory=dict)
    accounts: dict[str, SimAccount] = field(default_factory=dict)
    lost_links: list[LostLink] = field(default_factory=list)
    app_links: dict[tuple[str, str], SimAppLink] = field(default_factory=dict)
    fates: dict[tuple[str, str], Literal["complete", "empty", "error"]] = field(
        default_factory=dict
    )
    log_urls: dict[LogKind, str] = field(default_factory=dict)
    jobs: dict[str, LinkJob] = field(default_factory=dict)
    submissions: list[SimSubmission] = field(default_factory=list)
    limits: SimulatedLimits = field(default_factory=SimulatedLimits)
    faults: FaultScript = field(default_factory=FaultScript)
    log: list[LoggedRequest] = field(default_factory=list)
    dark_until_s: float = 0.0
    on_dark: Callable[[], None] | None = None
    began: datetime = field(init=False)
    chance: random.Random = field(init=False)
    due: list[tuple[datetime, int, str]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.began = self.clock.now()
        self.chance = random.Random(self.seed)  # noqa: S311 - a game, not a secret

    # Looking up

    def add_site(self, url: str, site_id: str | None = None) -> SimSite:
        """Return the site with this base URL, made where it is not there."""
        if url not in self.sites:
            self.sites[url] = SimSite(
                url=url,
                site_id=site_id or derived_uuid("site", self.seed, url),
                title=url.split("://", 1)[1].split(".", 1)[0],
                display_url=url,
                next_issue_id=10_000 + 10_000 * len(self.sites),
            )
        return self.sites[url]

    def site_by_host(self, host: str) -> SimSite | None:
        """Return the site that a `Host` header names, by its base or its display URL."""
        for site in self.sites.values():
            if host in (urlsplit(site.url).netloc, urlsplit(site.display_url).netloc):
                return site
        return None

    def site_by_id(self, site_id: str) -> SimSite | None:
        """Return the site with this cloud id."""
        return next((site for site in self.sites.values() if site.site_id == site_id), None)

    def issue(self, key: str) -> Issue:
        """Return the issue with this key, on whichever site it is.

        Raises:
            KeyError: no site has one.
        """
        for site in self.sites.values():
            found = site.issue(key)
            if found is not None:
                return found
        raise KeyError(key)

    def app_link(self, source: str, destination: str) -> SimAppLink:
        """Return the app link from one site to another, made where it is not there."""
        made = SimAppLink(app_id=derived_uuid("app link", self.seed, source, destination))
        return self.app_links.setdefault((source, destination), made)

    def account(self, email: str) -> SimAccount:
        """Return the account with this e-mail, made where it is not there."""
        return self.accounts.setdefault(email, SimAccount(email=email, token=None))

    def true_outcome(self, body: Mapping[str, Any]) -> LinkJob | None:
        """Return the job that the last submission of this body came to, None where there is none.

        This is what a person finds out by asking Atlassian when an outcome is unknown.
        """
        for submission in reversed(self.submissions):
            if submission.body == dict(body):
                return None if submission.uuid is None else self.jobs[submission.uuid]
        return None

    def expected_csv(self) -> str:
        """Return the Data Center's issue links as `snapshot` and `verify` read them: a row per end."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for link in self.lost_links:
            writer.writerow((link.source_was, link.destination_was, link.label, link.direction))
        return out.getvalue()

    def with_projects(self, plan: Plan) -> Plan:
        """Return the plan with the projects that this world made up for sites without any.

        Verification maps keys to sites by projects, which a plan may leave out.
        """
        made = {
            url: tuple(Project(key=there.key, was=there.was) for there in site.projects.values())
            for url, site in self.sites.items()
        }
        sites = (
            site if site.projects else replace(site, projects=made[site.url]) for site in plan.sites
        )
        return replace(plan, sites=tuple(sites))

    # Changing

    def write_link(
        self,
        issue: Issue,
        record: Mapping[str, Any],
        by: SimAccount,
        *,
        link_id: int | None = None,
        at: datetime | None = None,
    ) -> tuple[SimRemoteLink, bool]:
        """Write a whole record; return the link, and whether it is new.

        `link_id` replaces that link, else a link of the issue with the same globalId is replaced.
        Every write is an entry of the issue's history, even one that changes nothing.
        """
        whole = {name: record[name] for name in REMOTE_LINK_FIELDS if record.get(name) is not None}
        if not whole.get("globalId"):
            whole.pop("globalId", None)
        old = issue.links.get(link_id) if link_id is not None else None
        if old is None and "globalId" in whole:
            old = next((x for x in issue.links.values() if x.global_id == whole["globalId"]), None)
        before = _history_value(old)
        if old is None:
            site = next(site for site in self.sites.values() if site.issues.get(issue.id) is issue)
            link = SimRemoteLink(id=site.next_link_id, record=whole)
            site.next_link_id += 1
            issue.links[link.id] = link
        else:
            link = old
            link.record = whole
        self._note(issue, at or self.clock.now(), by, before, _history_value(link))
        return link, old is None

    def remove_link(self, issue: Issue, link: SimRemoteLink, by: SimAccount) -> None:
        """Remove a link; the issue's history keeps who did it."""
        del issue.links[link.id]
        self._note(issue, self.clock.now(), by, _history_value(link), (None, None))

    def go_dark(self, seconds: float) -> None:
        """Refuse every new connection for so many seconds of the world's time."""
        self.dark_until_s = max(self.dark_until_s, self.clock.monotonic_s() + seconds)
        if self.on_dark is not None:
            self.on_dark()

    def is_dark(self) -> bool:
        """Return whether connections are refused at present."""
        return self.clock.monotonic_s() < self.dark_until_s

    def next_number(self) -> int:
        """Return the next number of this world, for whatever has to be told apart in order."""
        return next(self._numbers)

    def _note(
        self, issue: Issue, at: datetime, by: SimAccount, before: HistoryValue, after: HistoryValue
    ) -> None:
        number = 100_000 + self.next_number()
        issue.history.append(
            SimChange(
                id=number, at=at, author=by, field="RemoteIssueLink", before=before, after=after
            )
        )


def _history_value(link: SimRemoteLink | None) -> HistoryValue:
    """Return a link as an issue's history shows it: its id, and a sentence."""
    if link is None:
        return None, None
    name = (link.record.get("application") or {}).get("name")
    sentence = f'This issue links to "{link.record["object"].get("title", "")}'
    return str(link.id), f'{sentence} ({name})"' if name else f'{sentence}"'
