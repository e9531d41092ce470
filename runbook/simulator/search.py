"""Searching issues: `search/jql` in both forms, `search/approximate-count`, and what was removed.

Facts: jira-rest.md B6. Pages hang together by `nextPageToken`; there is no total. The index may lag
behind (`Settings.search_lag_s`).
"""

from typing import Any

from runbook.simulator.issues import offset_of, shown, token_for
from runbook.simulator.jql import JqlError, Query, parse
from runbook.simulator.messages import Reply, jira_error, json_reply
from runbook.simulator.model import Issue
from runbook.simulator.visit import Visit, bad_body, texts

DEFAULT_PAGE = 50
LARGEST_PAGE = 5000
PAGE_WITH_FIELDS = 100


def by_query(visit: Visit) -> Reply:
    """Answer `GET search/jql`."""
    params = visit.call.params()
    return _page(
        visit,
        jql=params.get("jql", ""),
        token=params.get("nextPageToken"),
        size=params.get("maxResults", DEFAULT_PAGE),
        fields=visit.call.param_list("fields"),
    )


def by_body(visit: Visit) -> Reply:
    """Answer `POST search/jql`."""
    body = visit.body()
    if body is None:
        return bad_body()
    fields = texts(body.get("fields"))
    if fields is None:
        return bad_body()
    return _page(
        visit,
        jql=body.get("jql") or "",
        token=body.get("nextPageToken"),
        size=body.get("maxResults", DEFAULT_PAGE),
        fields=fields,
    )


def approximate_count(visit: Visit) -> Reply:
    """Answer how many issues a search would find."""
    body = visit.body()
    if body is None:
        return bad_body()
    found = _found(visit, str(body.get("jql") or ""))
    return found if isinstance(found, Reply) else json_reply({"count": len(found)})


def removed(visit: Visit) -> Reply:  # noqa: ARG001 - a handler
    """Answer the search that Atlassian has removed (CHANGE-2046)."""
    return jira_error(
        410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API."
    )


def _page(visit: Visit, *, jql: Any, token: Any, size: Any, fields: list[str]) -> Reply:
    found = _found(visit, str(jql))
    if isinstance(found, Reply):
        return found
    try:
        asked = int(size)
    except (TypeError, ValueError, OverflowError):
        return jira_error(400, "maxResults must be a number.")
    if not 1 <= asked <= LARGEST_PAGE:
        return jira_error(400, "maxResults must be between 1 and 5000.")
    start = offset_of(token)
    if start is None or (token and start > len(found)):
        return jira_error(400, "The nextPageToken is not valid or has expired.")
    short = set(fields) <= {"id", "key"}
    many = min(asked, visit.world.settings.page_cap, LARGEST_PAGE if short else PAGE_WITH_FIELDS)
    page = found[start : start + many]
    is_last = start + many >= len(found)
    answer: dict[str, Any] = {
        "isLast": is_last,
        "issues": [_shown(visit, issue, fields) for issue in page],
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


def _found(visit: Visit, jql: str) -> list[Issue] | Reply:
    try:
        query = parse(
            jql, Query(visit.site, visit.world.clock.now(), visit.world.settings.search_lag_s)
        )
    except JqlError as problem:
        return jira_error(400, str(problem))
    found = [
        issue for issue in visit.site.issues.values() if visit.sees(issue) and query.keeps(issue)
    ]
    return query.sorted(found)
