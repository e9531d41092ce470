"""What reaches the simulator and what it answers, as values: no sockets, no framework.

`app` turns them into ASGI.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import parse_qsl

Headers = tuple[tuple[str, str], ...]

JSON = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimRequest:
    """One request; `host` has no port, `path` is decoded, header names are in lower case."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def params(self) -> dict[str, str]:
        """Return the query's parameters; of a repeated one the last."""
        return dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {}

    def param_list(self, name: str) -> list[str]:
        """Return every value of a query parameter, comma-separated ones apart."""
        values = [value for key, value in parse_qsl(self.query) if key == name]
        return [part.strip() for value in values for part in value.split(",") if part.strip()]

    def json_object(self) -> dict[str, Any] | None:
        """Return the body where it is a JSON object, else None."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A complete answer."""

    status: int
    body: bytes = b""
    headers: Headers = ()

    def with_headers(self, more: Iterable[tuple[str, str]]) -> "Reply":
        """Return the same answer with further headers."""
        return replace(self, headers=(*self.headers, *more))


Handled = Reply | dict[str, Any] | list[Any]  # a bare value is the JSON of an answer 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A connection that ends without a complete answer.

    `ending` says how far the request came: no connection was made, the connection ended `before`
    anything was done, or `after` everything was, and the answer is lost. Of `partial` half the body
    leaves.
    """

    ending: Literal["refused", "before", "after"]
    partial: Reply | None = None


def json_reply(value: Any, status: int = 200, headers: Headers = ()) -> Reply:
    """Return an answer with a JSON body."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair, which a client may have written, stays the escape that it was.
    body = text.encode("utf-8", "backslashreplace")
    return Reply(status=status, body=body, headers=(("Content-Type", JSON), *headers))


def jira_error(
    status: int, *messages: str, fields: Mapping[str, str] | None = None, headers: Headers = ()
) -> Reply:
    """Return an error in Jira's form: `errorMessages` and `errors` by field."""
    answer = {"errorMessages": list(messages), "errors": dict(fields or {})}
    return json_reply(answer, status, headers)


def gateway_error(status: int, message: str) -> Reply:
    """Return an error in the form of Atlassian's API gateway."""
    return json_reply({"code": status, "message": message}, status)


def html_reply(status: int, title: str) -> Reply:
    """Return a web page, as a proxy, a login form or a missing site answers."""
    page = f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    return Reply(
        status=status, body=page.encode(), headers=(("Content-Type", "text/html;charset=UTF-8"),)
    )


NO_CONTENT = Reply(status=204)
