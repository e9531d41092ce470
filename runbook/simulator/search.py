"""Searching issues: `search/jql` in both forms, and the search that was removed.

Facts: jira-rest.md B6. Pages hang together by `nextPageToken`; there is no total. The index may lag
behind (`Settings.search_lag_s`).
"""

from datetime import timedelta
from typing import Any

from runbook.simulator.issues import offset_of, shown, token_for
from runbook.simulator.jql import JqlError, parse
from runbook.simulator.messages import Reply, jira_error, json_reply
from runbook.simulator.model import Issue
from runbook.simulator.visit import Visit, VisitRefusedError

DEFAULT_PAGE = 50
LARGEST_PAGE = 5000
PAGE_WITH_FIELDS = 100


def by_query(visit: Visit) -> Reply:
    """Answer `GET search/jql`."""
    return _page(visit, visit.call.params(), visit.call.param_list("fields"))


def by_body(visit: Visit) -> Reply:
    """Answer `POST search/jql`."""
    body = visit.body()
    return _page(visit, body, visit.texts(body, "fields"))


def removed(visit: Visit) -> Reply:  # noqa: ARG001 - a handler
    """Answer the search that Atlassian has removed (CHANGE-2046)."""
    return jira_error(
        410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
    )


def _page(visit: Visit, asked: dict[str, Any], fields: list[str]) -> Reply:
    found = _found(visit, str(asked.get("jql") or ""))
    try:
        size = int(asked.get("maxResults", DEFAULT_PAGE))
    except (TypeError, ValueError, OverflowError):
        return jira_error(400, "maxResults must be a number.")
    if not 1 <= size <= LARGEST_PAGE:
        return jira_error(400, "maxResults must be between 1 and 5000.")
    token = asked.get("nextPageToken")
    start = offset_of(token)
    if start is None or (token and start > len(found)):
        return jira_error(400, "The nextPageToken is not valid or has expired.")
    short = set(fields) <= {"id", "key"}
    many = min(size, visit.world.settings.page_cap, LARGEST_PAGE if short else PAGE_WITH_FIELDS)
    is_last = start + many >= len(found)
    answer: dict[str, Any] = {
        "isLast": is_last,
        "issues": [_shown(visit, issue, fields) for issue in found[start : start + many]],
    }
    if not is_last:
        answer["nextPageToken"] = token_for(start + many)
    return json_reply(answer)


def _shown(visit: Visit, issue: Issue, fields: list[str]) -> dict[str, Any]:
    if not fields or fields == ["id"]:
        return {"id": str(issue.id)}
    if set(fields) <= {"id", "key"}:
        return {"id": str(issue.id), "key": issue.key}
    return shown(visit, issue, fields)


def _found(visit: Visit, jql: str) -> list[Issue]:
    lag = timedelta(seconds=visit.world.settings.search_lag_s)
    try:
        query = parse(jql, visit.site, visit.world.clock.now() - lag)
    except JqlError as problem:
        raise VisitRefusedError(jira_error(400, str(problem))) from problem
    return query.found([issue for issue in visit.site.issues.values() if visit.sees(issue)])
