"""Hold requests and answers against Atlassian's own OpenAPI document of the Jira REST API.

`validate_request` and `validate_answer` take what went over the wire and raise `AssertionError` with
every problem. Paths of version 2 and of the gateway are compared with the document's version 3.
The document is not part of this repository; `needs_document` skips where it is absent.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from jsonschema import Draft4Validator

DOCUMENT = Path(__file__).resolve().parents[3] / "shared" / "reference" / "jira-openapi-subset.json"
# Rate limits and failures are documented for the API as a whole, not per operation.
ALWAYS = frozenset({429, 500, 502, 503})
JIRA = re.compile(r"(?:/ex/jira/[^/]+)?/rest/api/[23]/(.*)")

needs_document = pytest.mark.skipif(
    not DOCUMENT.exists(), reason=f"Atlassian's OpenAPI document is not at {DOCUMENT}"
)


@functools.cache
def document() -> dict[str, Any]:
    """Return the document, with OpenAPI's `nullable` in the words of JSON Schema."""
    return _with_nulls(json.loads(DOCUMENT.read_text(encoding="utf-8")))


def validate_request(method: str, url: str, body: bytes = b"") -> None:
    """Raise where a request is not as the document has it: operation, parameters, body."""
    operation, _ = _operation(method, url)
    problems = _parameter_problems(operation, url)
    wanted = operation.get("requestBody")
    if wanted is None:
        problems += ["the operation takes no body"] if body else []
    elif not body:
        problems += ["the body is missing"] if wanted.get("required") else []
    else:
        schema = wanted["content"]["application/json"]["schema"]
        problems += _schema_problems(schema, json.loads(body), "request")
    assert not problems, f"{method} {url}: {problems}"


def validate_answer(method: str, url: str, status: int, body: bytes = b"") -> None:
    """Raise where an answer is not as the document has it: status and body."""
    operation, template = _operation(method, url)
    responses = operation["responses"]
    if str(status) not in responses:
        assert status in ALWAYS, f"{method} {template} does not document {status}"
        return
    if status == 204:
        assert body == b"", f"{method} {template}: a 204 has no body"
        return
    if not body:
        assert status >= 400, f"{method} {template}: {status} without a body"
        return
    content = responses[str(status)].get("content", {}).get("application/json", {})
    schema = content.get("schema")
    if not schema and status >= 400:
        schema = {"$ref": "#/components/schemas/ErrorCollection"}
    if schema:
        problems = _schema_problems(schema, json.loads(body), "answer")
        assert not problems, f"{method} {template} {status}: {problems}"


class ValidatingTransport(httpx.AsyncBaseTransport):
    """Hold every exchange with Jira against the document on its way through another transport."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.validated = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        url = str(request.url)
        if DOCUMENT.exists() and JIRA.fullmatch(urlsplit(url).path):
            await response.aread()
            if response.status_code < 400:
                validate_request(request.method, url, request.content)
            validate_answer(request.method, url, response.status_code, response.content)
            self.validated += 1
        return response


def _operation(method: str, url: str) -> tuple[dict[str, Any], str]:
    matched = JIRA.fullmatch(urlsplit(url).path)
    assert matched, f"{url} is no address of the Jira REST API"
    path = "/rest/api/3/" + matched.group(1)
    fitting = [
        template
        for template in document()["paths"]
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path)
        and method.lower() in document()["paths"][template]
    ]
    assert fitting, f"the document has no {method} {path}"
    template = min(fitting, key=lambda template: template.count("{"))
    return document()["paths"][template][method.lower()], template


def _parameter_problems(operation: dict[str, Any], url: str) -> list[str]:
    known = {
        parameter["name"]: parameter
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }
    given = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    problems = [f"no parameter `{name}` is documented" for name in sorted(given - set(known))]
    return problems + [
        f"the parameter `{name}` is required"
        for name, parameter in known.items()
        if parameter.get("required") and name not in given
    ]


def _schema_problems(schema: dict[str, Any], value: Any, what: str) -> list[str]:
    root = {"components": document()["components"], "allOf": [schema]}
    return [
        f"{what} at {'/'.join(str(step) for step in error.absolute_path) or '.'}: {error.message[:200]}"
        for error in Draft4Validator(root).iter_errors(value)
    ]


def _with_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {name: _with_nulls(item) for name, item in value.items()}
    if changed.get("nullable") is True and isinstance(changed.get("type"), str):
        changed["type"] = [changed["type"], "null"]
    return changed
