"""What goes over the wire, as values: requests without credentials, and what became of them.

The core decides on these values; `runbook.atlassian.transport` is the only place that turns them
into HTTP. The account's name travels with the request, its token never does.
"""

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from runbook.clock import isoformat_utc

# Whoever reads an answer may descend into it without counting.
DEEPEST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, complete but for the `Authorization` header.

    `account` names the credential profile; None sends no credential. `fresh` asks for a connection
    of its own, since a stale one makes outcomes unknown that need not be.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    account: str | None = None
    fresh: bool = False
    timeout_s: float = 60.0

    def as_json(self) -> dict[str, Any]:
        """Return the request as the ledger keeps it."""
        return {
            "method": self.method,
            "url": self.url,
            "headers": dict(self.headers),
            "body": None if self.body is None else self.body.decode("utf-8"),
            "account": self.account,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A complete HTTP answer; header names are in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    at: datetime

    def header(self, name: str) -> str | None:
        """Return the first value of a header, None where it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    def text(self) -> str:
        """Return the body as text; bytes that are not UTF-8 become replacement characters."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the parsed body.

        Raises:
            ValueError: the body is not JSON, or nested deeper than any answer of an API.
        """
        try:
            value = json.loads(self.body)
        except RecursionError as problem:
            raise ValueError("the body is nested too deeply") from problem
        if self.body.count(b"[") + self.body.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
            raise ValueError(f"the body is nested more than {DEEPEST} levels deep")
        return value

    def json_object(self) -> dict[str, Any]:
        """Return the parsed body where it is a JSON object, else an empty one."""
        try:
            value = self.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def is_html(self) -> bool:
        """Return whether the body is a web page: a login page or a proxy, never an API."""
        start = self.body[:512].lstrip().lower()
        typed = "text/html" in (self.header("content-type") or "").lower()
        return bool(start) and (typed or start.startswith((b"<!doctype html", b"<html")))

    def as_json(self) -> dict[str, Any]:
        """Return the answer as the ledger keeps it: bytes that are not text in base64."""
        try:
            body: dict[str, Any] = {"body": self.body.decode("utf-8")}
        except UnicodeDecodeError:
            body = {"body": None, "body_base64": base64.b64encode(self.body).decode("ascii")}
        return {
            "status": self.status,
            "headers": [list(pair) for pair in self.headers],
            "at": isoformat_utc(self.at),
            **body,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """No connection was made, so the target cannot have received the request."""

    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The request may have left, and no complete answer came back."""

    reason: str


Outcome = Answer | NotSent | Lost
Exchange = dict[str, Any]


def exchange_of(request: Request, outcome: Outcome) -> Exchange:
    """Return a request and what became of it, as the ledger keeps it."""
    if isinstance(outcome, Answer):
        return {"request": request.as_json(), "answer": outcome.as_json(), "error": None}
    return {"request": request.as_json(), "answer": None, "error": outcome.reason}


def _deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            member
            for holder in level
            for member in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(member, dict | list)
        ]
        if not level:
            return False
    return True


ProbeResult = Literal["present", "absent", "not_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReading:
    """Whether a known link is there: `present`, `absent` or `not_asked`, with the reason in `detail`."""

    result: ProbeResult
    detail: str = ""
    exchanges: tuple[dict[str, Any], ...] = ()


class Send(Protocol):
    """Carry one request to its host and report what became of it; never raises for the network."""

    async def __call__(self, request: Request) -> Outcome:
        """Send `request` once."""
