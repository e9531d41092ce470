"""Take e-mails, account ids and titles out of ledger rows, each replaced by the same stand-in.

In: the rows of a ledger. Out: rows that say the same of other persons and issues, and which were
changed. Stand-ins are numbered in the order of first appearance (`person-1@redacted.invalid`,
`account-1`, `title-1`, `name-1`): equal values stay recognisable as equal, the same ledger gives the
same rows, and nothing can be worked out from a stand-in, as it could from a hash of an e-mail.

What cannot be read safely is left out: bytes that are no text, and raw logs. A changed row keeps
its original hash, which can then no longer be recomputed from the row.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from runbook.canonical import canonical_json
from runbook.ledger.codec import Row

REMOVED = "[left out by redaction]"

_EMAIL = re.compile(r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
# Atlassian account ids: 24 hexadecimal digits, or a number or short word, a colon and a UUID.
_ACCOUNT = re.compile(
    r"(?<![\w:])(?:(?:\d{4,12}|[a-z]{2})(?::|%3A)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"(?::[0-9a-f-]{36})?|[0-9a-f]{24})(?!\w)",
    re.IGNORECASE,
)
_ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]+-\d+\Z")
_ACCOUNT_KEYS = frozenset({"accountid", "account_id", "authoraccountid", "userid", "user_id"})
_TITLE_KEYS = frozenset({"title", "summary"})
_NAME_KEYS = frozenset({"displayname", "display_name", "publicname"})
_BYTES_KEYS = frozenset({"raw_base64", "body_base64"})
# Titles of at least this length are also replaced where they appear inside other text.
_SHORTEST_TITLE = 6
_MOST_TITLES = 2000
_DEEPEST = 100


class Redactor:
    """One consistent set of stand-ins; hand it every value in the same order."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}
        self._titles: dict[str, str] = {}
        self._titles_pattern: re.Pattern[str] | None = None

    def collect(self, value: Any) -> None:
        """Learn the titles of a JSON value, so that `value` finds them inside other text too."""
        for kind, text in _named(value):
            if kind in ("title", "name") and len(text) >= _SHORTEST_TITLE:
                self._titles[text] = self._stand_in(kind, text)
        self._titles_pattern = None

    def value(self, value: Any, key: str = "") -> Any:
        """Return a JSON value with every e-mail, account id and title replaced."""
        if isinstance(value, dict):
            return {self.text(name): self.value(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.value(one, key) for one in value]
        if not isinstance(value, str):
            return value
        if key.lower() in _BYTES_KEYS:
            return REMOVED if value else value
        kind = _kind_of(key, value)
        if kind:
            return self._stand_in(kind, value)
        inner = _json_inside(value)
        if inner is not None:
            replaced = self.value(inner)
            if replaced == inner:
                return REMOVED if inner is REMOVED else value
            return json.dumps(replaced, ensure_ascii=False)
        return self.text(value)

    def text(self, text: str) -> str:
        """Return text with every e-mail, account id and known title replaced."""
        text = _EMAIL.sub(lambda found: self._stand_in("email", found[0]), text)
        text = _ACCOUNT.sub(lambda found: self._stand_in("account", found[0]), text)
        pattern = self._pattern()
        return text if pattern is None else pattern.sub(lambda found: self._titles[found[0]], text)

    def _pattern(self) -> re.Pattern[str] | None:
        if self._titles_pattern is None and 0 < len(self._titles) <= _MOST_TITLES:
            longest_first = sorted(self._titles, key=lambda title: (-len(title), title))
            self._titles_pattern = re.compile("|".join(map(re.escape, longest_first)))
        return self._titles_pattern

    def _stand_in(self, kind: str, text: str) -> str:
        plain = text.replace("%40", "@").replace("%3A", ":").replace("%3a", ":").lower()
        same = plain if kind in ("email", "account") else text
        numbers = self._numbers.setdefault(kind, {})
        of_kind = numbers.setdefault(same, len(numbers) + 1)
        return f"person-{of_kind}@redacted.invalid" if kind == "email" else f"{kind}-{of_kind}"


def redact_rows(rows: Iterable[Row]) -> tuple[tuple[Row, ...], frozenset[int]]:
    """Return the rows without e-mails, account ids and titles, and the numbers of changed ones."""
    rows = tuple(rows)
    redactor = Redactor()
    for row in rows:
        redactor.collect(json.loads(row.payload))
    result: list[Row] = []
    changed: set[int] = set()
    for row in rows:
        before = json.loads(row.payload)
        after = redactor.value(before)
        if after != before:
            row = dataclasses.replace(row, payload=canonical_json(after).decode())  # noqa: PLW2901
            changed.add(row.seq)
        result.append(row)
    return tuple(result), frozenset(changed)


def _named(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text whose key says what it is, also inside JSON that is kept as text."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _named(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one, key)
    elif isinstance(value, str):
        kind = _kind_of(key, value)
        if kind:
            yield kind, value
        else:
            inner = _json_inside(value)
            if inner is not None:
                yield from _named(inner)


def _kind_of(key: str, value: str) -> str:
    name = key.lower()
    if not value:
        return ""
    if name in _ACCOUNT_KEYS:
        return "account"
    if name in _NAME_KEYS:
        return "name"
    # A title that is only a key says no more than the address beside it.
    return "title" if name in _TITLE_KEYS and not _ISSUE_KEY.match(value) else ""


def _json_inside(text: str) -> Any:
    """Return the JSON that a text holds, None for other text; too deep a nesting is left out."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    except RecursionError:
        return REMOVED
    return value if _depth_at_most(value, _DEEPEST) else REMOVED


def _depth_at_most(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            one
            for container in level
            if isinstance(container, dict | list)
            for one in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return True
    return False
