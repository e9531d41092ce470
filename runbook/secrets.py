"""Credentials as a type that never shows itself, and a mask for every sink.

The transport passes every answer through a `Mask` before anything else sees it; the ledger writer,
the console and the error boundary do so again, so that a credential which a server echoes, in any
usual encoding, is not kept either.
"""

import base64
import re
from dataclasses import dataclass
from typing import Any

from runbook.encoded_forms import SHORTEST, EncodedForms, letters_escaped

MASKED = "***"
_OWN_WORD = re.compile("[a-z_]{1,24}")


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
    """Replace every known secret, in every usual encoding, by `***`.

    Words of fewer than `SHORTEST` characters are left alone: they are what people practise with
    (real hosts are never sent one), and masking `x` or `e` would make text unreadable.
    """

    def __init__(self, accounts: tuple[Account, ...] = ()) -> None:
        self._forms: dict[str, EncodedForms] = {}
        for account in accounts:
            self.add(account)

    def add(self, account: Account) -> None:
        """Mask this account's token, alone and inside its basic-auth pair, from now on."""
        token = account.token.reveal()
        if len(token) >= SHORTEST and token not in self._forms:
            self._forms[token] = EncodedForms(token)

    def text(self, text: str) -> str:
        """Return `text` without any registered secret."""
        if not self._forms:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self.data(data)
        return text if masked is data else masked.decode("utf-8", "surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Return bytes without any registered secret: `data` itself where there is none."""
        forms = self._forms.values()
        if not (any(form.maybe_in(data) for form in forms) or (forms and letters_escaped(data))):
            return data
        matches = sorted(match for form in forms for match in form.matches(data))
        if not matches:
            return data
        parts, last = list[bytes](), 0
        for begin, end in matches:
            if begin >= last:
                parts += (data[last:begin], MASKED.encode())
            last = max(last, end)
        return b"".join((*parts, data[last:]))

    def value(self, value: Any) -> Any:
        """Return a JSON value with every text in it masked: keys and plain words of ours stay.

        A name of a field, and a whole text of one word in lower case (`accepted`, `not_attempted`),
        is our own vocabulary; without it nobody could read a record of practice with such a token.
        """
        match value:
            case str():
                return value if _OWN_WORD.fullmatch(value) else self.text(value)
            case dict():
                return {key: self.value(member) for key, member in value.items()}
            case list() | tuple():
                return [self.value(member) for member in value]
            case _:
                return value
