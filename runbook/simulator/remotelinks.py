"""The six operations on an issue's remote links, as Jira's OpenAPI document has them.

Facts: jira-rest.md B1. A write replaces the whole record: fields that are left out are gone
afterwards. What an answer has no value for is left out of it, since the document knows no nulls.
"""

from typing import Any
from urllib.parse import urlsplit

from runbook.simulator.messages import NO_CONTENT, Handled, Reply, jira_error, json_reply
from runbook.simulator.model import ID_DIGITS, Issue, SimAccount, SimRemoteLink
from runbook.simulator.visit import Visit, VisitRefusedError

TEXT_LIMIT = 255
LINKING_OFF = "Issue linking is currently disabled."
NO_LINK = "The remote issue link does not exist."
NO_PERMISSION = "You do not have permission to link issues."
TOO_MANY = "The per-issue limit for remote links has been breached."


def read(visit: Visit) -> Handled:
    """Answer all links of an issue, or with `globalId` the one that has it."""
    issue = _linkable(visit)
    global_id = visit.request.params().get("globalId")
    if global_id:
        found = next((x for x in issue.links.values() if x.global_id == global_id), None)
        if found is None:
            return jira_error(404, NO_LINK)
        return _shown(visit, issue, found)
    if len(issue.links) > visit.world.settings.remote_link_limit:
        return jira_error(413, TOO_MANY)
    return [_shown(visit, issue, link) for link in issue.links.values()]


def read_by_id(visit: Visit) -> Handled:
    """Answer one link of an issue."""
    issue = _linkable(visit)
    return _shown(visit, issue, _link_by_id(visit, issue))


def create_or_update(visit: Visit) -> Reply:
    """Write a link: 201 for a new one, 200 where its globalId was on the issue already."""
    issue, author = _writable(visit)
    body = visit.body()
    problems = _problems(body)
    if problems:
        return jira_error(400, fields=problems)
    known = {link.global_id for link in issue.links.values()} - {None}
    full = len(issue.links) >= visit.world.settings.remote_link_limit
    if full and body.get("globalId") not in known:
        return jira_error(413, TOO_MANY)
    _count_write(visit, issue)
    link, created = visit.world.write_link(issue, body, author)
    answer = {"id": link.id, "self": _self(visit, issue, link)}
    return json_reply(answer, 201 if created else 200)


def update_by_id(visit: Visit) -> Reply:
    """Replace a link's whole record: 204."""
    issue, author = _writable(visit)
    found = _link_by_id(visit, issue)
    body = visit.body()
    problems = _problems(body)
    others = {x.global_id for x in issue.links.values() if x.id != found.id} - {None}
    if not problems and body.get("globalId") in others:
        problems["globalId"] = "A remote issue link already exists on this issue with the globalId."
    if problems:
        return jira_error(400, fields=problems)
    _count_write(visit, issue)
    visit.world.write_link(issue, body, author, link_id=found.id)
    return NO_CONTENT


def delete_by_id(visit: Visit) -> Reply:
    """Remove a link: 204. Of the six operations only this one asks for Edit issues too."""
    issue, author = _writable(visit)
    if not visit.may("EDIT_ISSUES", issue.project):
        return jira_error(403, "You do not have permission to edit issues.")
    found = _link_by_id(visit, issue)
    _count_write(visit, issue)
    visit.world.remove_link(issue, found, author)
    return NO_CONTENT


def delete_by_global_id(visit: Visit) -> Reply:
    """Remove the links of an issue that have a globalId: 204."""
    issue, author = _writable(visit)
    global_id = visit.request.params().get("globalId")
    if not global_id:
        return jira_error(400, fields={"globalId": "'globalId' is required."})
    found = [link for link in issue.links.values() if link.global_id == global_id]
    if not found:
        return jira_error(404, NO_LINK)
    _count_write(visit, issue)
    for link in found:
        visit.world.remove_link(issue, link, author)
    return NO_CONTENT


def _linkable(visit: Visit) -> Issue:
    issue = visit.issue()
    if not visit.site.linking_enabled:
        raise VisitRefusedError(jira_error(403, LINKING_OFF))
    return issue


def _writable(visit: Visit) -> tuple[Issue, SimAccount]:
    """Return the issue that may be written, and who writes it."""
    issue, author = _linkable(visit), visit.account()
    if not visit.may("LINK_ISSUES", issue.project):
        raise VisitRefusedError(jira_error(403, NO_PERMISSION))
    return issue, author


def _link_by_id(visit: Visit, issue: Issue) -> SimRemoteLink:
    text = visit.params["linkId"]
    if not text.isdecimal() or len(text) > ID_DIGITS:
        raise VisitRefusedError(jira_error(400, f"The link ID '{text}' is not a number."))
    number = int(text)
    if number in issue.links:
        return issue.links[number]
    if any(number in other.links for other in visit.site.issues.values()):
        raise VisitRefusedError(jira_error(400, "The remote issue link belongs to another issue."))
    raise VisitRefusedError(jira_error(404, NO_LINK))


def _count_write(visit: Visit, issue: Issue) -> None:
    refused = visit.world.limits.issue_write(visit.site.url, issue.id, visit.world.clock)
    if refused is not None:
        raise VisitRefusedError(refused)


def _self(visit: Visit, issue: Issue, link: SimRemoteLink) -> str:
    # As in Atlassian's own sample: without the version of the API.
    return f"{visit.site.url}/rest/api/issue/{issue.key}/remotelink/{link.id}"


def _shown(visit: Visit, issue: Issue, link: SimRemoteLink) -> dict[str, Any]:
    return {"id": link.id, "self": _self(visit, issue, link), **link.record}


def _problems(body: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a record, by field."""
    found: dict[str, str] = {}
    target, application = body.get("object"), body.get("application")
    if isinstance(target, dict):
        found |= _target_problems(target)
    else:
        found["object"] = "'object' is required."
        target = {}
    if not isinstance(application, dict):
        if application is not None:
            found["application"] = "'application' must be an object."
        application = {}
    texts = {
        "globalId": body.get("globalId"),
        "relationship": body.get("relationship"),
        "title": target.get("title"),
        "application.type": application.get("type"),
        "application.name": application.get("name"),
    }
    for name, value in texts.items():
        if value is not None and not isinstance(value, str):
            found.setdefault(name, f"'{name}' must be a string.")
        elif value is not None and len(value) > TEXT_LIMIT:
            found.setdefault(name, f"'{name}' must not exceed {TEXT_LIMIT} characters.")
    return found


def _target_problems(target: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("title", "url"):
        value = target.get(name)
        if not isinstance(value, str) or not value.strip():
            found[name] = f"'{name}' is required."
    if "url" not in found and not _is_uri(target["url"]):
        found["url"] = "'url' is not a valid URL."
    for name in ("icon", "status"):
        if target.get(name) is not None and not isinstance(target[name], dict):
            found[name] = f"'{name}' must be an object."
    return found


def _is_uri(text: str) -> bool:
    try:
        scheme = urlsplit(text).scheme
    except ValueError:
        return False
    return bool(scheme) and not any(sign.isspace() for sign in text)
