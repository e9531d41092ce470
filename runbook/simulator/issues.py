"""Reading and searching issues, and their history: single, in bulk, moved, hidden.

Facts: jira-rest.md B6. Issues that are not there or not visible are left out of bulk answers
without a word; a key that an issue had before leads to the issue. Pages of a search hang together
by `nextPageToken`; there is no total.
"""

import base64
from datetime import datetime
from typing import Any

from runbook.simulator.jql import JqlError, issues_found
from runbook.simulator.messages import Handled, Reply, jira_error
from runbook.simulator.model import Issue, SimChange
from runbook.simulator.visit import Visit

BULK_LIMIT = 100
CHANGELOG_BULK_LIMIT = 1000
CHANGELOG_FIELDS = 10
DEFAULT_PAGE = 50
LARGEST_PAGE = 5000
PAGE_WITH_FIELDS = 100


def read(visit: Visit) -> Handled:
    """Answer one issue by id, key or former key."""
    wanted = visit.request.param_list("fields") or ["*all"]
    return _shown(visit, visit.issue(), wanted)


def bulk_fetch(visit: Visit) -> Handled:
    """Answer up to 100 issues in ascending order of their ids."""
    body = visit.body()
    asked = visit.texts(body, "issueIdsOrKeys")
    wanted = visit.texts(body, "fields") or ["*navigable"]
    if not asked:
        return jira_error(400, "At least one issue ID or key is required.")
    if len(asked) > BULK_LIMIT:
        return jira_error(400, f"The maximum number of issues is {BULK_LIMIT}.")
    found = [_shown(visit, issue, wanted) for issue in _seen(visit, asked)]
    return {"issueErrors": [], "issues": found}


def bulk_changelog(visit: Visit) -> Handled:
    """Answer the history of up to 1000 issues, of up to 10 fields, in pages."""
    body = visit.body()
    asked, fields = visit.texts(body, "issueIdsOrKeys"), visit.texts(body, "fieldIds")
    if not 1 <= len(asked) <= CHANGELOG_BULK_LIMIT:
        return jira_error(400, "issueIdsOrKeys must name 1 to 1000 issues.")
    if len(fields) > CHANGELOG_FIELDS:
        return jira_error(400, "fieldIds must name at most 10 fields.")
    size = body.get("maxResults", 1000)
    start = _offset_of(body.get("nextPageToken"))
    if not isinstance(size, int) or not 1 <= size <= 10_000 or start is None:
        return jira_error(400, "maxResults or nextPageToken is not valid.")
    entries = [(issue.id, change) for issue in _seen(visit, asked) for change in issue.history]
    entries = [entry for entry in entries if not fields or entry[1].field in fields]
    by_issue: dict[int, list[dict[str, Any]]] = {}
    for number, change in entries[start : start + size]:
        by_issue.setdefault(number, []).append(_change(visit, change))
    logs = [{"issueId": str(number), "changeHistories": of} for number, of in by_issue.items()]
    answer: dict[str, Any] = {"issueChangeLogs": logs}
    if start + size < len(entries):
        answer["nextPageToken"] = _token_for(start + size)
    return answer


def search_by_query(visit: Visit) -> Handled:
    """Answer `GET search/jql`."""
    return _page(visit, visit.request.params(), visit.request.param_list("fields"))


def search_by_body(visit: Visit) -> Handled:
    """Answer `POST search/jql`."""
    body = visit.body()
    return _page(visit, body, visit.texts(body, "fields"))


def removed_search(visit: Visit) -> Reply:  # noqa: ARG001 - a handler
    """Answer the search that Atlassian has removed (CHANGE-2046)."""
    return jira_error(
        410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
    )


def _page(visit: Visit, asked: dict[str, Any], fields: list[str]) -> Handled:
    seen = [issue for issue in visit.site.issues.values() if visit.sees(issue)]
    try:
        found = issues_found(str(asked.get("jql") or ""), visit.site, seen)
        size = int(asked.get("maxResults", DEFAULT_PAGE))
    except JqlError as problem:
        return jira_error(400, str(problem))
    except (TypeError, ValueError, OverflowError):
        return jira_error(400, "maxResults must be a number.")
    if not 1 <= size <= LARGEST_PAGE:
        return jira_error(400, "maxResults must be between 1 and 5000.")
    token = asked.get("nextPageToken")
    start = _offset_of(token)
    if start is None or (token and start > len(found)):
        return jira_error(400, "The nextPageToken is not valid or has expired.")
    short = set(fields) <= {"id", "key"}
    size = min(size, visit.world.settings.page_cap, LARGEST_PAGE if short else PAGE_WITH_FIELDS)
    is_last = start + size >= len(found)
    answer: dict[str, Any] = {"isLast": is_last, "issues": []}
    for issue in found[start : start + size]:
        ids = {"id": str(issue.id), "key": issue.key}
        if not fields or fields == ["id"]:
            del ids["key"]
        answer["issues"].append(ids if short else _shown(visit, issue, fields))
    if not is_last:
        answer["nextPageToken"] = _token_for(start + size)
    return answer


def _seen(visit: Visit, ids_or_keys: list[str]) -> list[Issue]:
    found = {issue.id: issue for name in ids_or_keys if (issue := visit.seen(name)) is not None}
    return [found[number] for number in sorted(found)]


def _shown(visit: Visit, issue: Issue, fields: list[str]) -> dict[str, Any]:
    """Return an issue as Jira shows it, with the fields that were asked for."""
    there = _fields(visit, issue)
    everything = any(name in ("*all", "*navigable") for name in fields)
    return {
        "id": str(issue.id),
        "key": issue.key,
        "self": f"{visit.api}/issue/{issue.id}",
        "fields": {
            name: value
            for name, value in there.items()
            if (everything or name in fields) and f"-{name}" not in fields
        },
    }


def jira_time(moment: datetime) -> str:
    """Return a moment as Jira writes it: milliseconds and a numeric offset."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}+0000"


def _token_for(offset: int) -> str:
    """Return the opaque token of a page that begins at `offset`."""
    return base64.urlsafe_b64encode(f"page:{offset}".encode()).decode("ascii")


def _offset_of(token: object) -> int | None:
    """Return where a token's page begins: 0 without a token, None for one that is not ours."""
    if token in (None, ""):
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(str(token)).decode().partition(":")
        return max(0, int(number)) if word == "page" else None
    except ValueError:
        return None


def _fields(visit: Visit, issue: Issue) -> dict[str, Any]:
    project = visit.site.projects[issue.project]
    texts = dict(issue.texts)
    comment = texts.pop("comment", None)
    moment = issue.history[-1].at if issue.history else visit.world.began
    return {
        "summary": texts.pop("summary", ""),
        "project": {
            "id": str(project.id),
            "key": project.key,
            "name": f"Project {project.key}",
            "self": f"{visit.api}/project/{project.id}",
        },
        "issuetype": {"id": "10001", "name": "Task", "subtask": False},
        "status": {"id": "1", "name": "Open"},
        "created": jira_time(visit.world.began),
        "updated": jira_time(moment),
        "issuelinks": [],
        "description": None,
        "environment": None,
        "comment": {
            "comments": [] if comment is None else [{"id": "1", "body": _rich(visit, comment)}],
            "total": int(comment is not None),
        },
        **{name: _rich(visit, text) for name, text in texts.items()},
    }


def _rich(visit: Visit, text: str) -> object:
    """Return a text field: plain in version 2, an Atlassian Document in version 3."""
    if visit.version == "2":
        return text
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}


def _change(visit: Visit, change: SimChange) -> dict[str, Any]:
    item = {"field": change.field, "fieldtype": "jira", "fieldId": change.field}
    values = zip(
        ("from", "fromString", "to", "toString"), (*change.before, *change.after), strict=True
    )
    return {
        "id": str(change.id),
        "author": visit.user(change.author),
        "created": jira_time(change.at),
        "items": [item | {name: value for name, value in values if value is not None}],
    }
