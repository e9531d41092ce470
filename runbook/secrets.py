"""Credentials as a type that never shows itself, and a mask for every sink.

The ledger writer, the console and the error boundary pass their text through a `Mask`, so that a
credential which a server echoes, in any usual encoding, is not kept either.
"""

import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

MASKED = "***"
_ESCAPES = re.compile("%[0-9A-F]{2}")


class Secret:
    """A value that `repr`, `str` and formatting never show."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself; only the transport calls this."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASKED})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[type["Secret"], tuple[str]]:
        raise TypeError("a secret is not serialized")


@dataclass(frozen=True, slots=True)
class Account:
    """One credential profile: who submits, and with which API token."""

    profile: str
    email: str
    token: Secret

    def basic(self) -> Secret:
        """Return the value of the `Authorization` header (basic auth, links-api.md 1.1)."""
        pair = f"{self.email}:{self.token.reveal()}".encode()
        return Secret("Basic " + base64.b64encode(pair).decode("ascii"))


class Mask:
    """Replace every known secret, in every usual encoding, by `***`."""

    def __init__(self, accounts: tuple[Account, ...] = ()) -> None:
        self._needles: tuple[str, ...] = ()
        for account in accounts:
            self.add(account)

    def add(self, account: Account) -> None:
        """Mask this account's token, alone and inside its basic-auth pair, from now on."""
        token = account.token.reveal()
        found = set(self._needles)
        for plain in (token, f"{account.email}:{token}"):
            found |= _encodings(plain)
        self._needles = tuple(sorted(found, key=lambda needle: (-len(needle), needle)))

    def text(self, text: str) -> str:
        """Return `text` without any registered secret."""
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, MASKED)
        return text

    def data(self, data: bytes) -> bytes:
        """Return bytes without any registered secret."""
        for needle in self._needles:
            raw = needle.encode()
            if raw in data:
                data = data.replace(raw, MASKED.encode())
        return data


def _encodings(plain: str) -> set[str]:
    raw = plain.encode()
    standard = base64.b64encode(raw).decode("ascii")
    urlsafe = base64.urlsafe_b64encode(raw).decode("ascii")
    in_json = json.dumps(plain)[1:-1]
    percent = {quote(text, safe=safe) for text in (plain, standard) for safe in ("", "/")}
    percent.add(quote_plus(plain))
    return {
        plain,
        standard,
        standard.rstrip("="),
        urlsafe,
        urlsafe.rstrip("="),
        *percent,
        *(_ESCAPES.sub(lambda found: found.group().lower(), text) for text in percent),
        in_json,
        in_json.replace("/", "\\/"),
        json.dumps(in_json)[1:-1],
        json.dumps(plain, ensure_ascii=False)[1:-1],
        _in_html(plain),
        raw.hex(),
        raw.hex().upper(),
    } - {""}


def _in_html(plain: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        plain = plain.replace(character, entity)
    return plain.replace("'", "&#x27;")
