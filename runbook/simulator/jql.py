r"""The JQL that this project asks, no more: everything else is an error, as a typo would be in Jira.

    clause   = term { ("AND" | "OR") term }, AND binding closer, brackets
    term     = project|key|issue|id ("=" value | "in" (values))
             | text|summary|description|comment|environment ~ value
             | issue in issuesWithRemoteLinksByGlobalId(values)
    query    = clause ["ORDER BY" key|id|created ["ASC"|"DESC"]]

A query without a clause is unbounded and refused (jira-rest.md B6).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook.simulator.model import Issue, SimSite

Test = Callable[[Issue], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<sign>[()=,~])|(?P<word>[^\s()=,~"']+))"""
)
_WORD = re.compile(r"\w+")
_GLOBAL_ID_FUNCTIONS = (
    "issueswithremotelinksbyglobalid",
    "workitemswithremotelinksbyglobalid",
)
_GLOBAL_ID_LIMIT = 100
_KEY_FIELDS = ("key", "issuekey", "issue", "id", "workitem", "work item")
_TEXT_FIELDS = ("text", "summary", "description", "comment", "environment")
_ORDERS = ("key", "issuekey", "id", "created")


class JqlError(Exception):
    """A query that Jira would answer with 400; the message is for the answer's body."""


@dataclass(slots=True)
class Query:
    """A query over one site; `parse` fills it in."""

    site: SimSite
    now: datetime
    lag_s: float = 0.0
    test: Test = field(default=lambda _: True)
    order: str = "id"
    descending: bool = True

    def keeps(self, issue: Issue) -> bool:
        """Return whether an issue fits the query."""
        return self.test(issue)

    def sorted(self, issues: list[Issue]) -> list[Issue]:
        """Return the issues in the order of the query; newest first without one."""
        if self.order in ("key", "issuekey"):
            return sorted(issues, key=_key_order, reverse=self.descending)
        return sorted(issues, key=lambda issue: issue.id, reverse=self.descending)


def parse(text: str, query: Query) -> Query:
    """Fill `query` from the text of a JQL query.

    Raises:
        JqlError: it is unbounded, or not of the grammar above.
    """
    parser = _Parser(_tokens(text), query)
    if parser.at_end() or parser.peek_words("order", "by"):
        raise JqlError(
            "Unbounded JQL queries are not allowed here. "
            "Please add a search restriction to your query."
        )
    query.test = parser.either()
    parser.order_by()
    return query


def _key_order(issue: Issue) -> tuple[str, int]:
    project, _, number = issue.key.rpartition("-")
    return project, int(number)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while text[position:].strip():
        matched = _TOKEN.match(text, position)
        if matched is None:
            raise JqlError(f"Error in the JQL Query: unexpected character at {position + 1}.")
        kind = matched.lastgroup or ""
        value = matched.group(kind)
        if kind == "string":
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.append(_Token(kind, value))
        position = matched.end()
    return found


class _Parser:
    """Recursive descent over the tokens; one method per rule of the grammar."""

    def __init__(self, tokens: list[_Token], query: Query) -> None:
        self._tokens = tokens
        self._at = 0
        self._query = query

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def peek_words(self, *words: str) -> bool:
        following = self._tokens[self._at : self._at + len(words)]
        return [token.text.lower() for token in following if token.kind == "word"] == list(words)

    def either(self) -> Test:
        tests = [self._both()]
        while self.peek_words("or"):
            self._at += 1
            tests.append(self._both())
        return lambda issue: any(test(issue) for test in tests)

    def order_by(self) -> None:
        if self.peek_words("order", "by"):
            self._at += 2
            name = self._next("word").lower()
            if name not in _ORDERS:
                raise JqlError(f"Field '{name}' does not exist or cannot be sorted by.")
            self._query.order, self._query.descending = name, False
            if self.peek_words("asc") or self.peek_words("desc"):
                self._query.descending = self._next("word").lower() == "desc"
        if not self.at_end():
            raise JqlError(f"Error in the JQL Query: unexpected '{self._tokens[self._at].text}'.")

    def _both(self) -> Test:
        tests = [self._term()]
        while self.peek_words("and"):
            self._at += 1
            tests.append(self._term())
        return lambda issue: all(test(issue) for test in tests)

    def _term(self) -> Test:
        if self._is_sign("("):
            self._at += 1
            inner = self.either()
            self._sign(")")
            return inner
        name = self._next("word", "string").lower()
        if self._is_sign("~"):
            self._at += 1
            return self._text_test(name, self._next("word", "string"))
        return self._list_test(name)

    def _list_test(self, name: str) -> Test:
        if self._is_sign("="):
            self._at += 1
            values = [self._next("word", "string")]
        elif self.peek_words("in"):
            self._at += 1
            if not self._is_sign("("):
                return self._function_test(name)
            values = self._values()
        else:
            raise JqlError(f"Error in the JQL Query: expecting an operator after '{name}'.")
        if name == "project":
            return self._project_test(values)
        if name in _KEY_FIELDS:
            return self._key_test(values)
        raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")

    def _project_test(self, values: list[str]) -> Test:
        known = {
            name.upper(): project.key
            for project in self._query.site.projects.values()
            for name in (project.key, str(project.id))
        }
        for value in values:
            if value.upper() not in known:
                raise JqlError(f"The value '{value}' does not exist for the field 'project'.")
        wanted = {known[value.upper()] for value in values}
        return lambda issue: issue.project in wanted

    def _key_test(self, values: list[str]) -> Test:
        wanted: set[int] = set()
        for value in values:
            issue = self._query.site.issue(value)
            if issue is None:
                raise JqlError(f"An issue with key '{value}' does not exist for field 'key'.")
            wanted.add(issue.id)
        return lambda issue: issue.id in wanted

    def _function_test(self, name: str) -> Test:
        function = self._next("word")
        values = self._values()
        if name not in _KEY_FIELDS or function.lower() not in _GLOBAL_ID_FUNCTIONS:
            raise JqlError(f"Unable to find JQL function '{function}({', '.join(values)})'.")
        if len(values) > _GLOBAL_ID_LIMIT:
            raise JqlError(f"Function '{function}' takes 1 to {_GLOBAL_ID_LIMIT} global ids.")
        wanted = set(values)
        indexed_until = self._query.now - timedelta(seconds=self._query.lag_s)
        return lambda issue: any(
            link.global_id in wanted and link.created_at <= indexed_until
            for link in issue.links.values()
        )

    def _text_test(self, name: str, value: str) -> Test:
        if name not in _TEXT_FIELDS:
            raise JqlError(f"The operator '~' is not supported by the '{name}' field.")
        phrase = len(value) > 1 and value[0] == value[-1] == '"'
        words = _WORD.findall(value.lower())
        if not words:
            raise JqlError(f"The field '{name}' cannot be searched for '{value}'.")
        joined = f" {' '.join(words)} "

        def test(issue: Issue) -> bool:
            texts = issue.texts.values() if name == "text" else [issue.texts.get(name, "")]
            for text in texts:
                spaced = f" {' '.join(_WORD.findall(text.lower()))} "
                if joined in spaced if phrase else all(f" {word} " in spaced for word in words):
                    return True
            return False

        return test

    def _values(self) -> list[str]:
        self._sign("(")
        values = [self._next("word", "string")]
        while self._is_sign(","):
            self._at += 1
            values.append(self._next("word", "string"))
        self._sign(")")
        return values

    def _is_sign(self, sign: str) -> bool:
        return not self.at_end() and self._tokens[self._at] == _Token("sign", sign)

    def _sign(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise JqlError(f"Error in the JQL Query: expecting '{sign}'.")
        self._at += 1

    def _next(self, *kinds: str) -> str:
        if self.at_end() or self._tokens[self._at].kind not in kinds:
            found = "the end" if self.at_end() else f"'{self._tokens[self._at].text}'"
            raise JqlError(f"Error in the JQL Query: unexpected {found}.")
        self._at += 1
        return self._tokens[self._at - 1].text
