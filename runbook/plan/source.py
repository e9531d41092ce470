"""The plan's own lines, as they may be shown: no control characters, no secret.

Values under a key such as `token` and credentials inside URLs are masked by location, by their text
wherever it occurs again, and, in text that could not be parsed, by pattern.
"""

import re
import unicodedata

from runbook.plan.document import LINE_END, Node
from runbook.plan.fields import KNOWN_KEYS
from runbook.secrets import MASKED
from runbook.text import printable

_SECRET_WORDS = (
    *("token", "password", "passwd", "passphrase", "passwort", "secret", "credential", "apikey"),
    *("privatekey", "accesskey", "authorization", "bearer"),
)
_SECRET_KEYS = frozenset({"pass", "pwd", "pat", "pw", "auth", "basicauth"})
# Each of these takes linear time: a line may be a single word of a megabyte.
_SECRET_WORD = re.compile("(?i)" + "|".join(_SECRET_WORDS))
_KEY_END = re.compile(r"[\w.-]{0,60}[\"']?\s*[:=]\s*(?=\S)")
_KEY_START = re.compile(r"[\w.-]*\Z")
_NOT_LINE_ENDS = re.compile("[^\n\r\x85\u2028\u2029]+")
_USER_INFO = re.compile(r"://([^/?#\s]*)@")
_TOKEN = re.compile(r"\bAT[ACS]TT[A-Za-z0-9][\w=+/-]{8,}")
# A line counts as text with up to one odd character in eight among its first characters.
_ODD_SHARE = 8
_LOOKED_AT = 400


def is_secret_key(key: str) -> bool:
    """Return whether a key names a credential; the plan's own keys do not."""
    if key in KNOWN_KEYS:
        return False
    bare = re.sub(r"[^a-z0-9]", "", key.lower())
    return bare in _SECRET_KEYS or any(word in bare for word in _SECRET_WORDS)


def secrets_in(text: str) -> tuple[str, ...]:
    """Return the credentials inside a value: the user info of a URL, an Atlassian token."""
    if "@" not in text and "TT" not in text:
        return ()
    found = [match.group() for match in _TOKEN.finditer(text)]
    for match in _USER_INFO.finditer(text):
        found += [match.group(1), *match.group(1).split(":", 1)[1:]]
    return tuple(secret for secret in found if secret)


class Source:
    """The lines of a plan file, numbered from 1, safe to show."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines: list[str] | None = None
        self._spans: list[tuple[int, int]] = []
        self._values: set[str] = set()

    def hide(self, node: Node) -> None:
        """Mask the text at the location of this value."""
        self._spans.append((node.start, node.end))
        self._lines = None

    def hide_text(self, value: str) -> None:
        """Mask this text wherever it occurs; text of under four characters only by location."""
        for part in (value, *value.splitlines()):
            if len(part.strip()) >= 4:
                self._values.add(part.strip())
        self._lines = None

    @property
    def hides(self) -> bool:
        """Return whether anything is masked by its text."""
        return bool(self._values)

    def mask(self, text: str) -> str:
        """Return other text, such as a message, without the values that are masked here."""
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, MASKED)
        return text

    def line(self, number: int) -> str:
        """Return one line; empty where the file has none of that number."""
        line = self.mask(self._raw(number))
        if not self._spans and "\x1b" not in line and line.isascii() and line.isprintable():
            return _without_lookalikes(line)
        return printable(_without_lookalikes(line))

    def is_text(self, number: int) -> bool:
        """Return whether a line counts as text: it may hold an odd byte, but not be a binary file's."""
        begin = self._raw(number)[:_LOOKED_AT]
        if begin.isascii() and begin.isprintable():
            return True
        odd = sum(map(_is_odd, begin))
        return "\0" not in begin and odd * _ODD_SHARE <= len(begin)

    def _raw(self, number: int) -> str:
        if self._lines is None:
            self._lines = LINE_END.split(self._without_spans())
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else ""

    def _without_spans(self) -> str:
        pieces, done = [], 0
        for begin, end in sorted(self._spans):
            if end <= done:
                continue
            start = max(begin, done)
            pieces += [self._text[done:start], _NOT_LINE_ENDS.sub(MASKED, self._text[start:end])]
            done = end
        return "".join((*pieces, self._text[done:]))


def _is_odd(character: str) -> bool:
    return character == "\ufffd" or (
        character != "\t" and unicodedata.category(character) in ("Cc", "Cn", "Co")
    )


def _without_lookalikes(line: str) -> str:
    """Mask what looks like a credential in a line, also in comments and broken YAML."""
    if "@" in line:
        line = _USER_INFO.sub(f"://{MASKED}@", line)
    line = _TOKEN.sub(MASKED, line)
    for word in _SECRET_WORD.finditer(line):
        end = _KEY_END.match(line, word.end())
        if end is None:
            continue
        start = _KEY_START.search(line[max(0, word.start() - 60) : word.start()])
        key = ("" if start is None else start.group()) + line[word.start() : end.end()]
        if re.split(r"[^\w.-]", key, maxsplit=1)[0] not in KNOWN_KEYS:
            return line[: end.end()] + MASKED
    return line
