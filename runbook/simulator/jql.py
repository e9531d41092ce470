"""The JQL that this project asks, and little more: anything else is an error, as a typo is in Jira.

```text
query = term { AND term } [ORDER BY key|id|created [ASC|DESC]]
term  = project|key|issue|id ("=" value | "in" (values))
      | text|summary|description|comment|environment ~ value
```

A query without a term is unbounded and refused (jira-rest.md B6).
"""

import re
from collections.abc import Callable

from runbook.simulator.model import Issue, SimSite

IssueTest = Callable[[Issue], bool]

_VALUE = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s()=,~"']+)"""
_VALUES = re.compile(_VALUE)
_TERM = re.compile(
    rf"""\s*(?P<field>{_VALUE})(?:
        \s*(?P<sign>[=~])\s*(?P<value>{_VALUE})
        | \s+in\b\s*\(\s*(?P<values>{_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_AND = re.compile(r"\s*and\b", re.IGNORECASE)
_ORDER_BY = re.compile(
    r"\s*order\s+by\b(?:\s+(?P<field>\w+)(?:\s+(?P<way>asc|desc)\b)?)?", re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_KEY_FIELDS = ("key", "issuekey", "issue", "id", "workitem", "work item")
_TEXT_FIELDS = ("text", "summary", "description", "comment", "environment")
_ORDERS = ("key", "issuekey", "id", "created")


class JqlError(Exception):
    """A query that Jira would answer with 400; the message is for the answer's body."""


def issues_found(text: str, site: SimSite, issues: list[Issue]) -> list[Issue]:
    """Return those of `issues` that fit a query, in its order, without one the newest first.

    Raises:
        JqlError: the query is unbounded, or not of the grammar above.
    """
    if not text.strip() or _ORDER_BY.match(text):
        raise JqlError(
            "Unbounded JQL queries are not allowed here. "
            "Please add a search restriction to your query."
        )
    tests: list[IssueTest] = []
    position = 0
    joined: re.Match[str] | None = None
    while not tests or joined is not None:
        term = _TERM.match(text, position)
        if term is None:
            raise JqlError(f"Error in the JQL Query: not understood from character {position + 1}.")
        tests.append(_test_of(term, site))
        joined = _AND.match(text, term.end())
        position = term.end() if joined is None else joined.end()
    ordered = _ORDER_BY.match(text, position)
    rest = text[position if ordered is None else ordered.end() :].strip()
    if rest:
        raise JqlError(f"Error in the JQL Query: unexpected '{rest}'.")
    order, way = ("id", "desc") if ordered is None else (ordered["field"] or "", ordered["way"])
    if order.lower() not in _ORDERS:
        raise JqlError(f"Field '{order.lower()}' does not exist or cannot be sorted by.")
    by_key = order.lower() in ("key", "issuekey")
    return sorted(
        (issue for issue in issues if all(test(issue) for test in tests)),
        key=_key_order if by_key else lambda issue: ("", issue.id),
        reverse=(way or "").lower() == "desc",
    )


def _key_order(issue: Issue) -> tuple[str, int]:
    project, _, number = issue.key.rpartition("-")
    return project, int(number)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] in "\"'" else value


def _test_of(term: re.Match[str], site: SimSite) -> IssueTest:
    name = _unquoted(term["field"]).lower()
    if term["sign"] == "~":
        return _text_test(name, _unquoted(term["value"]))
    values = [_unquoted(value) for value in _VALUES.findall(term["value"] or term["values"])]
    if name == "project":
        return _project_test(site, values)
    if name in _KEY_FIELDS:
        return _key_test(site, values)
    raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")


def _project_test(site: SimSite, values: list[str]) -> IssueTest:
    known = {
        name.upper(): project.key
        for project in site.projects.values()
        for name in (project.key, str(project.id))
    }
    for value in values:
        if value.upper() not in known:
            raise JqlError(f"The value '{value}' does not exist for the field 'project'.")
    wanted = {known[value.upper()] for value in values}
    return lambda issue: issue.project in wanted


def _key_test(site: SimSite, values: list[str]) -> IssueTest:
    wanted: set[int] = set()
    for value in values:
        issue = site.issue(value)
        if issue is None:
            raise JqlError(f"An issue with key '{value}' does not exist for field 'key'.")
        wanted.add(issue.id)
    return lambda issue: issue.id in wanted


def _text_test(name: str, value: str) -> IssueTest:
    if name not in _TEXT_FIELDS:
        raise JqlError(f"The operator '~' is not supported by the '{name}' field.")
    # Quotes inside the value ask for its words in a row, else for each of them anywhere.
    phrase = len(value) > 1 and value[0] == value[-1] == '"'
    words = _WORD.findall(value.lower())
    if not words:
        raise JqlError(f"The field '{name}' cannot be searched for '{value}'.")
    wanted = [" ".join(words)] if phrase else words

    def test(issue: Issue) -> bool:
        texts = issue.texts.values() if name == "text" else [issue.texts.get(name, "")]
        spaced = (f" {' '.join(_WORD.findall(text.lower()))} " for text in texts)
        return any(all(f" {part} " in text for part in wanted) for text in spaced)

    return test
