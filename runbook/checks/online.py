"""RB601 to RB610 and RB690: what the sites themselves report about a plan.

In: the answers, gathered by `runbook.atlassian.facts`, each with when it was asked. Out: findings.
A question without an answer is RB690 with the reason. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from runbook.checks.codes import Check, Facts, few, finding
from runbook.findings import Finding
from runbook.plan.model import Plan, Site
from runbook.text import moment, plural, printable
from runbook.windows import AUDIT_LOG_KEPT

Value = TypeVar("Value")

CLOCK_TOLERANCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Told(Generic[Value]):
    """An answer, and the moment of the question."""

    value: Value
    at: datetime


@dataclass(frozen=True, slots=True)
class NotTold:
    """No answer, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class LoginRefused:
    """The site refuses the credential."""

    reason: str
    hint: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentUser:
    """The account that a site sees; `via` is `site` or `gateway` (a token with scopes)."""

    account_id: str
    email: str | None
    display_name: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a site reports about itself."""

    base_url: str
    display_url: str
    title: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUse:
    """The obstacle to using a project: none, or `missing`, `archived`, `not browsable`, `not linkable`."""

    key: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """The answers of one site. `unreachable` is why it did not answer at all, else empty.

    `near_limit` are issues near Jira's limit of remote links, with their numbers. `clock_off_s` is
    how many seconds this machine's clock is ahead of the site's.
    """

    site: str
    account: str
    unreachable: str
    site_id: Told[str] | NotTold
    login: Told[CurrentUser] | LoginRefused | NotTold
    server: Told[Server] | NotTold
    administers: Told[bool] | NotTold
    linking: Told[bool] | NotTold
    near_limit: Told[tuple[tuple[str, int], ...]] | NotTold
    clock_off_s: Told[float] | NotTold
    projects: Told[tuple[ProjectUse, ...]] | NotTold


@dataclass(frozen=True, slots=True, kw_only=True)
class OldBase:
    """What the Data Center at a `migratedFrom` reports as its base URL."""

    url: str
    base_url: Told[str] | NotTold


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineFacts:
    """The answers of every site and Data Center of a plan."""

    asked_at: datetime
    sites: tuple[SiteFacts, ...]
    old_bases: tuple[OldBase, ...]


def _each(plan: Plan, facts: Facts) -> Iterator[tuple[Site, SiteFacts]]:
    if not isinstance(facts.online, OnlineFacts):
        return
    by_url = {said.site: said for said in facts.online.sites}
    for site in plan.sites:
        if site.url in by_url:
            yield site, by_url[site.url]


def judge_site_ids(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB601: the site id of the plan is not the one that the site reports."""
    for site, said in _each(plan, facts):
        if site.site_id is None or isinstance(said.site_id, NotTold):
            continue
        if site.site_id.lower() != said.site_id.value.lower():
            message = f"`{site.url}` says that its id is `{printable(said.site_id.value)}`, not `{site.site_id}`"
            hint = "take the id that the site reports, or remove `siteId`: it is then looked up"
            yield finding("RB601", plan, f"{site.path}.siteId", message, hint=hint)


def judge_reach(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB602 and RB603: a site does not answer, or refuses the credential."""
    for site, said in _each(plan, facts):
        if said.unreachable:
            message = f"`{site.url}` does not answer: {printable(said.unreachable)}"
            hint = "check the address, the network, the VPN and HTTPS_PROXY; `--ca-bundle` where a proxy opens TLS"
            yield finding("RB602", plan, f"{site.path}.url", message, hint=hint)
        elif isinstance(said.login, LoginRefused):
            path = f"{site.path}.account"
            if path not in plan.locations:
                path = f"{site.path}.url"
            message = printable(said.login.reason)
            yield finding("RB603", plan, path, message, hint=said.login.hint)


def judge_rights(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB604 and RB605: the account is no administrator, or issue linking is off."""
    for site, said in _each(plan, facts):
        path = f"{site.path}.url"
        if isinstance(said.administers, Told) and not said.administers.value:
            message = f"account `{said.account}` does not administer Jira on `{site.url}`"
            hint = "the link-fixing API asks for an administrator of the organization or site who administers Jira, too"
            yield finding("RB604", plan, path, message, hint=hint)
        if isinstance(said.linking, Told) and not said.linking.value:
            hint = "switch it on: Jira settings, System, General configuration, Issue linking"
            yield finding("RB605", plan, path, f"issue linking is off on `{site.url}`", hint=hint)


def judge_limits(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB606: issues near the limit of 2000 remote links."""
    for site, said in _each(plan, facts):
        if isinstance(said.near_limit, NotTold) or not said.near_limit.value:
            continue
        worst = sorted(said.near_limit.value, key=lambda issue: (-issue[1], issue[0]))
        named = [f"{printable(key)} ({count})" for key, count in worst]
        message = f"{plural(len(worst), 'issue')} of `{site.url}` near the limit of 2000 remote links: {few(named)}"
        hint = "links that do not fit will be missing: remove remote links that nobody needs"
        yield finding("RB606", plan, f"{site.path}.url", message, hint=hint)


def judge_clock(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB607: the clock of this machine is off, by the least that any site reports."""
    told = [
        (abs(said.clock_off_s.value), said.clock_off_s.value, site)
        for site, said in _each(plan, facts)
        if isinstance(said.clock_off_s, Told)
    ]
    if not told:
        return
    size_s, off_s, site = min(told, key=lambda clock: clock[0])
    if size_s > CLOCK_TOLERANCE_S:
        way = "ahead of" if off_s > 0 else "behind"
        message = f"the clock of this machine is {size_s:.0f} s {way} the one of `{site.url}`"
        hint = "set the clock by a time server: windows, evidence and the ledger rest on it"
        yield finding("RB607", plan, f"{site.path}.url", message, hint=hint)


def judge_tokens(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB608: a token expires before the evidence is fetched, as the plan's `tokenExpires` says."""
    until = facts.at + AUDIT_LOG_KEPT
    for site, _ in _each(plan, facts):
        if site.token_expires is None or site.token_expires >= until.date():
            continue
        message = f"the token of account `{site.account}` expires on {site.token_expires}; Atlassian's logs of the run can be fetched until {until:%Y-%m-%d}"
        hint = "make a token that lives longer, and correct `tokenExpires`"
        yield finding("RB608", plan, f"{site.path}.tokenExpires", message, hint=hint)


_PROJECT_WORDS = {
    "missing": "is not there, or this account may not see it",
    "archived": "is archived",
    "not browsable": "cannot be browsed by this account",
    "not linkable": "is closed to this account's issue links (permission Link Issues)",
}


def judge_projects(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB609: a project of the plan is not there, archived, or not browsable or linkable."""
    for site, said in _each(plan, facts):
        told = said.projects.value if isinstance(said.projects, Told) else ()
        problems = {project.key: project.problem for project in told}
        for number, project in enumerate(site.projects):
            problem = problems.get(project.key)
            if problem:
                message = f"project `{project.key}` on `{site.url}` {_PROJECT_WORDS.get(problem, problem)}"
                hint = "correct the key (a renamed project: `{key: PLAT, was: PLT}`), or grant the permissions"
                yield finding("RB609", plan, f"{site.path}.projects[{number}]", message, hint=hint)


def judge_old_bases(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB610: `migratedFrom` reports another base URL."""
    if not isinstance(facts.online, OnlineFacts):
        return
    reported = {
        old.url: old.base_url.value
        for old in facts.online.old_bases
        if isinstance(old.base_url, Told)
    }
    for instance in plan.instances:
        base = reported.get(instance.migrated_from)
        known = {
            _plain(url) for url in (instance.migrated_from, instance.migrated_from_override) if url
        }
        if base is not None and _plain(base) not in known:
            path = f"{instance.path}.migratedFrom"
            message = f"`{instance.migrated_from}` reports `{printable(base)}` as its base URL"
            hint = "Atlassian knows the migration by the base URL of that time: if it was the reported one, take that"
            yield finding("RB610", plan, path, message, hint=hint, instance=instance)


def judge_unanswered(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB690: the questions without an answer, one note per site and reason."""
    if not isinstance(facts.online, OnlineFacts):
        return
    for site, said in _each(plan, facts):
        by_reason: dict[str, list[str]] = {}
        for what, answer in _questions(site, said):
            if isinstance(answer, NotTold):
                by_reason.setdefault(answer.reason, []).append(what)
        for reason, parts in by_reason.items():
            message = f"not known of `{site.url}`: {', '.join(parts)}: {printable(reason)}"
            hint = "ask again with `runbook check PLAN --online` when that is settled"
            yield finding("RB690", plan, f"{site.path}.url", message, hint=hint)
    silent = {
        old.url: old.base_url.reason
        for old in facts.online.old_bases
        if isinstance(old.base_url, NotTold)
    }
    for instance in plan.instances:
        reason = silent.pop(instance.migrated_from, "")
        if reason:
            message = (
                f"not known which base URL `{instance.migrated_from}` reports: {printable(reason)}"
            )
            hint = (
                "it is asked without a login, and may be unreachable from here: compare it by hand"
            )
            yield finding("RB690", plan, f"{instance.path}.migratedFrom", message, hint=hint)


def _questions(site: Site, said: SiteFacts) -> tuple[tuple[str, object], ...]:
    projects = (("projects", said.projects),) if site.projects else ()
    return (
        ("site id", said.site_id),
        ("login", said.login),
        ("administrator", said.administers),
        ("issue linking", said.linking),
        ("issues near the limit", said.near_limit),
        ("clock", said.clock_off_s),
        *projects,
    )


def _plain(url: str) -> str:
    return url.rstrip("/").lower()


ONLINE_CHECKS: tuple[Check, ...] = (
    judge_site_ids,
    judge_reach,
    judge_rights,
    judge_limits,
    judge_clock,
    judge_tokens,
    judge_projects,
    judge_old_bases,
    judge_unanswered,
)


def online_lines(plan: Plan, online: OnlineFacts) -> tuple[str, ...]:
    """Return one line per site with its answers and the moment of the questions."""
    lines = []
    for said in online.sites:
        parts = []
        if isinstance(said.login, Told):
            who = said.login.value
            through = " through the gateway" if who.via == "gateway" else ""
            parts.append(f"signed in as {who.email or who.display_name or who.account_id}{through}")
        if isinstance(said.site_id, Told):
            parts.append(f"id {said.site_id.value}")
        if isinstance(said.server, Told):
            server = said.server.value
            if server.display_url and _plain(server.display_url) != _plain(said.site):
                parts.append(f"shown as {server.display_url}")
        if isinstance(said.administers, Told) and said.administers.value:
            parts.append("administrator")
        if isinstance(said.linking, Told) and said.linking.value:
            parts.append("issue linking on")
        if isinstance(said.projects, Told) and said.projects.value:
            usable = sum(1 for project in said.projects.value if not project.problem)
            parts.append(f"{usable} of {plural(len(said.projects.value), 'project')} usable")
        words = ", ".join(printable(part) for part in parts) or "no answer"
        lines.append(f"{said.site}: {words} (asked {moment(online.asked_at, plan.zone)})")
    return tuple(lines)
