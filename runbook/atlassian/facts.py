"""Ask the sites what the checks of a plan need to know: reads only, all sites at once.

Every answer has the time of its question, and every question without an answer has a reason. No
error is raised for a site: `runbook.checks.online` turns what a person can fix into findings.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from runbook.atlassian.errors import JiraRefusedError, LoginLostError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import Record, member_in, number_of
from runbook.atlassian.limits import Limits
from runbook.atlassian.login import SITE_ID_PATH, ask_site_id, site_id_in
from runbook.atlassian.retry import Patience, moment_in
from runbook.checks.online import (
    CurrentUser,
    LoginRefused,
    NotTold,
    OldBase,
    OnlineFacts,
    ProjectUse,
    Server,
    SiteFacts,
    Told,
)
from runbook.clock import Clock
from runbook.errors import CredentialError, RunbookError
from runbook.http import Answer, Request, Send
from runbook.plan.model import Plan, Site

Value = TypeVar("Value")

_PATIENCE = Patience(attempts=2, limited_attempts=3, longest_wait_s=60.0)
_TIMEOUT_S = 20.0
_SILENT = "the site does not answer"
# The fields of `SiteFacts` that only a site which knows the account is asked for.
_QUESTIONS = ("server", "administers", "linking", "near_limit", "clock_off_s", "projects")


async def ask(
    plan: Plan,
    send: Send,
    clock: Clock,
    *,
    limits: Limits | None = None,
    random: Callable[[], float] = lambda: 0.5,
) -> OnlineFacts:
    """Return what every site of a plan, and every Data Center it names, says about itself."""
    shared = limits or Limits(clock)
    asked_at = clock.now()
    old = tuple(dict.fromkeys(instance.migrated_from for instance in plan.instances))
    sites, bases = await asyncio.gather(
        asyncio.gather(*(_ask_site(site, send, clock, shared, random) for site in plan.sites)),
        asyncio.gather(*(_ask_old_base(url, send, clock) for url in old)),
    )
    return OnlineFacts(asked_at=asked_at, sites=tuple(sites), old_bases=tuple(bases))


async def _ask_site(
    site: Site, send: Send, clock: Clock, limits: Limits, random: Callable[[], float]
) -> SiteFacts:
    # The plan's site id is not checked yet, so the login does not rely on it.
    jira = JiraSite(
        replace(site, site_id=None),
        send=send,
        clock=clock,
        limits=limits,
        random=random,
        patience=_PATIENCE,
    )
    (site_id, lost), (login, unreachable) = await asyncio.gather(
        _ask_site_id(site.url, send, clock), _ask_login(jira, clock)
    )
    if lost and not unreachable and not isinstance(login, Told | LoginRefused):
        unreachable = lost
    known = partial(
        SiteFacts, site=site.url, account=site.account, unreachable=unreachable, site_id=site_id
    )
    if not isinstance(login, Told):
        nothing: dict[str, Any] = dict.fromkeys(
            _QUESTIONS, NotTold(_why_nothing(login, unreachable))
        )
        return known(login=login, **nothing)
    answered, administers, linking, near_limit, projects = await asyncio.gather(
        _told(clock, jira.server_info),
        _told(clock, lambda: _administers(jira)),
        _told(clock, lambda: _linking(jira)),
        _told(clock, lambda: _near_limit(jira)),
        _told(clock, lambda: _projects(jira, tuple(project.key for project in site.projects))),
    )
    return known(
        login=login,
        server=_server(answered),
        administers=administers,
        linking=linking,
        near_limit=near_limit,
        clock_off_s=_clock_off(answered),
        projects=projects,
    )


async def _ask_login(
    jira: JiraSite, clock: Clock
) -> tuple[Told[CurrentUser] | LoginRefused | NotTold, str]:
    """Return which account the site sees, and why it did not answer as a Jira site, where it did not."""
    at = clock.now()
    try:
        return Told(await jira.myself(), at), ""
    except LoginLostError as refusal:
        return LoginRefused(str(refusal), refusal.hint, at), ""
    except CredentialError as missing:
        return NotTold(str(missing)), ""
    except RunbookError as problem:
        # The id is asked of another service of the same host: where that answers, Jira does not.
        return NotTold(_SILENT), str(problem)


def _why_nothing(login: LoginRefused | NotTold, unreachable: str) -> str:
    if unreachable:
        return _SILENT
    return "the credential is refused" if isinstance(login, LoginRefused) else login.reason


async def _ask_site_id(url: str, send: Send, clock: Clock) -> tuple[Told[str] | NotTold, str]:
    """Return the site's id, and why the host was not reached, where it was not."""
    at = clock.now()
    outcome = await ask_site_id(send, url, timeout_s=_TIMEOUT_S)
    found = site_id_in(outcome)
    if found is not None:
        return Told(found, at), ""
    if isinstance(outcome, Answer):
        return NotTold(f"`{SITE_ID_PATH}` answered {outcome.status} without an id"), ""
    return NotTold(_SILENT), outcome.reason


async def _ask_old_base(url: str, send: Send, clock: Clock) -> OldBase:
    """Return what a Data Center reports about itself, asked without a credential."""
    at = clock.now()
    address = f"{url}/rest/api/2/serverInfo"
    outcome = await send(Request(method="GET", url=address, timeout_s=_TIMEOUT_S))
    if not isinstance(outcome, Answer):
        return OldBase(url=url, base_url=NotTold(outcome.reason))
    found = outcome.json_object().get("baseUrl") if outcome.status == 200 else None
    if isinstance(found, str) and found:
        return OldBase(url=url, base_url=Told(found, at))
    reason = f"it answered {outcome.status} without a base URL"
    return OldBase(url=url, base_url=NotTold(reason))


async def _told(clock: Clock, question: Callable[[], Awaitable[Value]]) -> Told[Value] | NotTold:
    at = clock.now()
    try:
        return Told(await question(), at)
    except JiraRefusedError as refusal:
        said = f": {'; '.join(refusal.messages)}" if refusal.messages else ""
        return NotTold(f"refused with {refusal.status}{said}")
    except RunbookError as problem:
        return NotTold(str(problem))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        return NotTold(f"the answer is not as documented ({type(problem).__name__}: {problem})")


def _server(answered: Told[tuple[Record, Answer]] | NotTold) -> Told[Server] | NotTold:
    if isinstance(answered, NotTold):
        return answered
    info, _ = answered.value
    server = Server(
        base_url=str(info.get("baseUrl") or ""),
        display_url=str(info.get("displayUrl") or ""),
        title=str(info.get("serverTitle") or ""),
        version=str(info.get("version") or ""),
    )
    return Told(server, answered.at)


def _clock_off(answered: Told[tuple[Record, Answer]] | NotTold) -> Told[float] | NotTold:
    """Return how far this machine's clock is ahead; `Date` has whole seconds."""
    if isinstance(answered, NotTold):
        return answered
    _, answer = answered.value
    date = moment_in(answer.header("date") or "")
    if date is None:
        return NotTold("the site sends no `Date`")
    return Told((answer.at - date).total_seconds(), answered.at)


async def _administers(jira: JiraSite) -> bool:
    return (await jira.my_permissions(("ADMINISTER",)))["ADMINISTER"]


async def _linking(jira: JiraSite) -> bool:
    settings, _ = await jira.get("configuration")
    return member_in(settings, "issueLinkingEnabled", bool)


async def _near_limit(jira: JiraSite) -> tuple[tuple[str, int], ...]:
    report, _ = await jira.get("issue/limit/report", (("isReturningKeys", "true"),))
    found: dict[str, int] = {}
    for group in ("issuesApproachingLimit", "issuesBreachingLimit"):
        # A field of which no issue is near its limit is left out of the group, the group never.
        fields = {"remoteIssueLinks": {}, **member_in(report, group, dict)}
        issues = member_in(fields, "remoteIssueLinks", dict)
        found |= {str(key): number_of(count) for key, count in issues.items()}
    return tuple(sorted(found.items()))


async def _projects(jira: JiraSite, keys: tuple[str, ...]) -> tuple[ProjectUse, ...]:
    if not keys:
        return ()
    there = await jira.projects(keys)
    records = {member_in(record, "key", str).upper(): record for record in there}
    ids = {key: number_of(record.get("id")) for key, record in records.items()}
    granted: dict[str, frozenset[int]] = {}
    if ids:
        needed = ("BROWSE_PROJECTS", "LINK_ISSUES")
        granted = await jira.check_permissions(needed, tuple(ids.values()))

    def problem(key: str) -> str:
        record = records.get(key.upper())
        if record is None:
            return "missing"
        if record.get("archived"):
            return "archived"
        number = ids[key.upper()]
        if number not in granted.get("BROWSE_PROJECTS", ()):
            return "not browsable"
        return "" if number in granted.get("LINK_ISSUES", ()) else "not linkable"

    return tuple(ProjectUse(key=key, problem=problem(key)) for key in keys)
