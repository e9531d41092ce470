"""What a site says about itself and about the visitor: the read-only questions before a run.

Facts: jira-rest.md B7.
"""

from typing import Any

from runbook.simulator.issues import jira_time
from runbook.simulator.messages import Handled, jira_error
from runbook.simulator.model import PERMISSIONS, SimProject
from runbook.simulator.populate import LINK_TYPES
from runbook.simulator.visit import BAD_BODY, Visit, VisitRefusedError

LIMITS = {"attachment": 2000, "comment": 5000, "issuelinks": 2000, "worklog": 10000}
APPROACHING_SHARE = 0.8
PROJECT_PAGE = 50
BULK_LIMIT = 1000
_ID_LISTS = ("projects", "issues")


def myself(visit: Visit) -> Handled:
    """Answer who the visitor is; 401 without a login."""
    account = visit.account()
    return visit.user(account, emailAddress=account.email, locale="en_GB")


def my_permissions(visit: Visit) -> Handled:
    """Answer which of the named permissions the visitor has, on the site or for a project or issue."""
    asked = visit.request.param_list("permissions")
    if not asked:
        return jira_error(400, "The 'permissions' query parameter is required.")
    unknown = [key for key in asked if key not in PERMISSIONS]
    if unknown:
        return jira_error(400, fields=dict.fromkeys(unknown, "Unrecognized permission"))
    project = _project_of(visit)
    held: dict[str, dict[str, Any]] = {}
    for key in asked:
        number, name, kind = PERMISSIONS[key]
        held[key] = {
            "id": number,
            "key": key,
            "name": name,
            "type": kind,
            "description": f"Ability: {name.lower()}.",
            "havePermission": visit.may(key, None if project is None else project.key),
        }
    return {"permissions": held}


def check_permissions(visit: Visit) -> Handled:
    """Answer which projects and issues the visitor has permissions for; unknown ids are left out."""
    body = visit.body()
    everywhere = visit.texts(body, "globalPermissions")
    wanted = body.get("projectPermissions") or []
    if not _are_entries(wanted):
        return jira_error(400, BAD_BODY)
    named = [*everywhere, *(key for entry in wanted for key in entry["permissions"])]
    unknown = [key for key in named if key not in PERMISSIONS]
    if unknown:
        return jira_error(400, fields=dict.fromkeys(unknown, "Unrecognized permission"))
    if any(len(entry.get(name) or ()) > BULK_LIMIT for entry in wanted for name in _ID_LISTS):
        return jira_error(400, "At most 1000 projects and 1000 issues may be named.")
    return {
        "globalPermissions": [key for key in everywhere if visit.may(key)],
        "projectPermissions": [
            _grant(visit, entry, key) for entry in wanted for key in entry["permissions"]
        ],
    }


def _are_entries(wanted: object) -> bool:
    return isinstance(wanted, list) and all(
        isinstance(entry, dict)
        and entry.get("permissions")
        and _are_all(str, entry["permissions"])
        and all(entry.get(name) is None or _are_all(int, entry[name]) for name in _ID_LISTS)
        for entry in wanted
    )


def _are_all(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, kind) for entry in value)


def _grant(visit: Visit, entry: dict[str, Any], key: str) -> dict[str, Any]:
    projects = {project.id: project.key for project in visit.site.projects.values()}
    issues = {
        number: issue.project
        for number in entry.get("issues") or []
        if (issue := visit.seen(str(number))) is not None
    }
    granted = {
        name: [
            number
            for number in entry.get(name) or []
            if number in home and visit.may(key, home[number])
        ]
        for name, home in (("projects", projects), ("issues", issues))
    }
    return {"permission": key, **granted}


def server_info(visit: Visit) -> Handled:
    """Answer what the site is; nothing is needed to ask."""
    return {
        "baseUrl": visit.site.url,
        "displayUrl": visit.site.display_url,
        "deploymentType": "Cloud",
        "version": "1001.0.0-SNAPSHOT",
        "versionNumbers": [1001, 0, 0],
        "buildNumber": 100_300,
        "buildDate": jira_time(visit.world.began),
        "serverTime": jira_time(visit.world.clock.now()),
        "serverTitle": visit.site.title,
        "serverTimeZone": "Etc/UTC",
    }


def configuration(visit: Visit) -> Handled:
    """Answer the switches of the site, issue linking among them."""
    visit.account()
    return {
        "attachmentsEnabled": True,
        "issueLinkingEnabled": visit.site.linking_enabled,
        "subTasksEnabled": True,
        "timeTrackingEnabled": False,
        "unassignedIssuesAllowed": True,
        "votingEnabled": True,
        "watchingEnabled": True,
    }


def link_types(visit: Visit) -> Handled:
    """Answer the types of issue links; 404 where linking is off."""
    if not visit.site.linking_enabled:
        return jira_error(404, "Issue linking is currently disabled.")
    types = [
        {
            "id": str(number),
            "name": name,
            "inward": inward,
            "outward": outward,
            "self": f"{visit.api}/issueLinkType/{number}",
        }
        for number, (name, outward, inward) in enumerate(LINK_TYPES, 10_000)
    ]
    return {"issueLinkTypes": types}


def limit_report(visit: Visit) -> Handled:
    """Answer the issues that are over or near the limit of remote links; for administrators."""
    visit.account()
    if not visit.may("ADMINISTER"):
        return jira_error(403, "Only Jira administrators can perform this operation.")
    limit = visit.world.settings.remote_link_limit
    with_keys = visit.request.params().get("isReturningKeys", "").lower() == "true"
    over, near = dict[str, int](), dict[str, int]()
    for issue in visit.site.issues.values():
        many = len(issue.links)
        if many >= limit * APPROACHING_SHARE and visit.sees(issue):
            (over if many > limit else near)[issue.key if with_keys else str(issue.id)] = many
    return {
        "limits": {**LIMITS, "remoteIssueLinks": limit},
        "issuesApproachingLimit": {"remoteIssueLinks": near} if near else {},
        "issuesBreachingLimit": {"remoteIssueLinks": over} if over else {},
    }


def project_search(visit: Visit) -> Handled:
    """Answer the projects that the visitor may browse; live ones unless others are asked for."""
    params = visit.request.params()
    keys = {key.upper() for key in visit.request.param_list("keys")}
    states = visit.request.param_list("status") or ["live"]
    try:
        start = max(0, int(params.get("startAt", 0)))
        size = min(max(1, int(params.get("maxResults", PROJECT_PAGE))), PROJECT_PAGE)
    except ValueError:
        return jira_error(400, "startAt and maxResults must be numbers.")
    found = [
        project
        for project in sorted(visit.site.projects.values(), key=lambda project: project.key)
        if (not keys or project.key.upper() in keys)
        and ("archived" if project.archived else "live") in states
        and visit.may("BROWSE_PROJECTS", project.key)
    ]
    return {
        "self": f"{visit.api}/project/search?startAt={start}&maxResults={size}",
        "startAt": start,
        "maxResults": size,
        "total": len(found),
        "isLast": start + size >= len(found),
        "values": [_project(visit, project) for project in found[start : start + size]],
    }


def _project(visit: Visit, project: SimProject) -> dict[str, Any]:
    return {
        "id": str(project.id),
        "key": project.key,
        "name": f"Project {project.key}",
        "self": f"{visit.api}/project/{project.id}",
        "projectTypeKey": "software",
        "simplified": False,
        "style": "classic",
        "isPrivate": False,
        "archived": project.archived,
    }


def _project_of(visit: Visit) -> SimProject | None:
    params = visit.request.params()
    named = params.get("projectKey") or params.get("projectId")
    if not named:
        asked = params.get("issueKey") or params.get("issueId")
        return visit.site.projects[visit.issue(asked).project] if asked else None
    for project in visit.site.projects.values():
        there = not project.archived and visit.may("BROWSE_PROJECTS", project.key)
        if there and named.upper() in (project.key, str(project.id)):
            return project
    message = f"No project could be found with key or id '{named}'."
    raise VisitRefusedError(jira_error(404, message))
