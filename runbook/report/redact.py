"""Take e-mails, account ids and titles out of ledger rows, each replaced by the same stand-in.

In: the rows of a ledger. Out: rows that say the same of other persons and issues, and which were
changed. Stand-ins are numbered in the order of first appearance (`person-1@redacted.invalid`,
`account-1`, `title-1`, `name-1`): equal values stay recognisable as equal, the same ledger gives the
same rows, and nothing can be worked out from a stand-in, as it could from a hash of an e-mail.

What cannot be read safely is left out: bytes that are no text, bodies that are no whole JSON, and
raw logs. A changed row keeps
its original hash, which can then no longer be recomputed from the row.
"""

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from html import escape, unescape
from typing import Any
from urllib.parse import quote, unquote

from runbook.json_text import canonical_json, json_text
from runbook.ledger.codec import Row

REMOVED = "[left out by redaction]"

# What stands between the halves of an e-mail, also encoded once or more; then its domain.
_AT = re.compile(
    r"(?:@|%(?:25)*40|&(?:amp;)*(?:#0*64|#x0*40|commat);|\\+u0040)(?=[\w-]+(?:\.[\w-]+)+)",
    re.IGNORECASE,
)
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)+")
# All that may stand before the @, but for what parts a URL. Its reach covers encoded forms.
_LOCAL = re.compile(
    r"(?:[\w.!$'*+^`{|}~%-]|&(?:amp;)*(?:#\d{1,7}|#x[0-9a-f]{1,6}|apos);|\\+u[0-9a-f]{4})+\Z",
    re.IGNORECASE,
)
_LOCAL_REACH = 320
_JSON_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
_QUOTES = "'`*|{}"
# Atlassian account ids: 24 hexadecimal digits, or a number or short word, a colon and a UUID.
_ACCOUNT = re.compile(
    r"(?<![\w:])(?:(?:\d{4,12}|[a-z]{2})(?::|%3A)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"(?::[0-9a-f-]{36})?|[0-9a-f]{24})(?!\w)",
    re.IGNORECASE,
)
_ISSUE_KEY = re.compile(r"[A-Z][A-Z0-9_]+-\d+\Z")
_ACCOUNT_KEYS = frozenset(
    {"accountid", "account_id", "authoraccountid", "userid", "user_id", "x-aaccountid"}
)
_TITLE_KEYS = frozenset({"title", "summary"})
_NAME_KEYS = frozenset({"displayname", "display_name", "publicname"})
_BYTES_KEYS = frozenset({"raw_base64", "body_base64"})
# Titles, names and account ids of at least this length are also replaced inside other text.
_SHORTEST = 6
_DEEPEST = 100


_STAND_IN = re.compile(
    r"person-\d+@redacted\.invalid|\b(?:account|title|name)-\d+|" + re.escape(REMOVED)
)


def holds_stand_in(text: str) -> bool:
    """Return whether anything in a text was put there by redaction, or looks so."""
    return _STAND_IN.search(text) is not None


class Redactor:
    """One consistent set of stand-ins; hand it every value in the same order."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}
        # The stand-in of every form of what was learned, and how long forms of a beginning are.
        self._known: dict[str, str] = {}
        self._lengths: dict[str, set[int]] = {}

    def collect(self, value: Any) -> None:
        """Learn the titles, names and account ids of a JSON value, to find them in other text too."""
        for kind, text in _named(value):
            if len(text) >= _SHORTEST:
                stand_in = self._stand_in(kind, text)
                for form in _forms(text):
                    self._known.setdefault(form, stand_in)
                    self._lengths.setdefault(form[:_SHORTEST], set()).add(len(form))

    def value(self, value: Any, key: str = "") -> Any:
        """Return a JSON value with every e-mail, account id and title replaced."""
        if isinstance(value, dict):
            return {self.text(name): self.value(member, name) for name, member in value.items()}
        if isinstance(value, list):
            # Headers are pairs of a name and a value.
            named = _header_name(value)
            if named:
                return [value[0], self.value(value[1], named)]
            return [self.value(member, key) for member in value]
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
            return json_text(replaced, compact=False, sort_keys=False)
        if key.lower() == "body" and not _says_nothing(value):
            # Where its titles stand is not known: a web page, lines of JSON, an answer cut off.
            return REMOVED
        return self.text(value)

    def text(self, text: str) -> str:
        """Return text with every e-mail, account id and known title or name replaced."""
        text = self._without_known(self._without_emails(text))
        return _ACCOUNT.sub(lambda found: self._stand_in("account", found[0]), text)

    def _without_emails(self, text: str) -> str:
        parts: list[str] = []
        last = 0
        for at in _AT.finditer(text):
            domain = _DOMAIN.match(text, at.end())
            before = text[max(last, at.start() - _LOCAL_REACH) : at.start()]
            local = _LOCAL.search(before)
            name = local[0].lstrip(_QUOTES) if local else ""
            if domain is None or not name:
                continue
            begin = at.start() - len(name)
            parts += (text[last:begin], self._stand_in("email", text[begin : domain.end()]))
            last = domain.end()
        return "".join((*parts, text[last:]))

    def _without_known(self, text: str) -> str:
        if not self._known:
            return text
        low = _lower(text)
        parts: list[str] = []
        last = at = 0
        while at <= len(low) - _SHORTEST:
            lengths = self._lengths.get(low[at : at + _SHORTEST], ())
            for length in sorted(lengths, reverse=True):
                stand_in = self._known.get(low[at : at + length])
                if stand_in is not None:
                    parts += (text[last:at], stand_in)
                    last = at = at + length
                    break
            else:
                at += 1
        return "".join((*parts, text[last:]))

    def _stand_in(self, kind: str, text: str) -> str:
        same = _decoded(text).lower() if kind in ("email", "account") else text
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
        for name, member in value.items():
            yield from _named(member, name)
    elif isinstance(value, list):
        named = _header_name(value)
        for member in value[1:] if named else value:
            yield from _named(member, named or key)
    elif isinstance(value, str):
        kind = _kind_of(key, value)
        if kind:
            yield kind, value
        else:
            inner = _json_inside(value)
            if inner is not None:
                yield from _named(inner)


def _header_name(value: list[Any]) -> str:
    """Return the name of a header whose value is an account id, empty for any other list."""
    if len(value) == 2 and isinstance(value[0], str) and value[0].lower() in _ACCOUNT_KEYS:
        return value[0]
    return ""


def _forms(text: str) -> Iterator[str]:
    """Yield a text as others may write it, in lower case: in JSON, in HTML and in URLs."""
    in_json = json.dumps(text)[1:-1]
    quoted = quote(text, safe="", errors="surrogatepass")
    forms = {
        text,
        _decoded(text),
        in_json,
        in_json.replace("/", "\\/"),
        json.dumps(text, ensure_ascii=False)[1:-1],
        escape(text),
        escape(text, quote=False),
        escape(text).replace("&#x27;", "&#39;"),
        quoted,
        quoted.replace("%20", "+"),
        quote(quoted, safe=""),
        quote(text, safe="/:", errors="surrogatepass"),
    }
    yield from sorted(_lower(form) for form in forms if len(form) >= _SHORTEST)


def _lower(text: str) -> str:
    """Return text in lower case, character by character, so that every one keeps its place."""
    low = text.lower()
    if len(low) == len(text):
        return low
    return "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _decoded(text: str) -> str:
    """Return text without URL, HTML and JSON escapes, of however many layers."""
    for _ in range(4):
        plain = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), unescape(unquote(text)))
        if plain == text:
            break
        text = plain
    return text


def _says_nothing(body: str) -> bool:
    """Return whether a body is empty, JSON that is no container, or was left out already."""
    if not body.strip() or body == REMOVED:
        return True
    try:
        return not isinstance(json.loads(body), dict | list)
    except (ValueError, RecursionError):
        return False


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
            member
            for container in level
            if isinstance(container, dict | list)
            for member in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return True
    return False
