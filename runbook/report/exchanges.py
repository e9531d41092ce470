"""Requests and answers as the report prints them: word for word, cut only where they are overlong."""

import json
from datetime import datetime
from typing import Any

from runbook.ledger.events import Json
from runbook.report.page import Raw
from runbook.report.text import LONG, sha256, shortened
from runbook.report.timestamps import Zone
from runbook.report.translations import Words


def request_raw(
    label: str, request: Json, at: datetime | str | None, zone: Zone, w: Words, *, note: str = ""
) -> Raw:
    """Return a request for the page; its account lets it be copied as curl where nothing is cut."""
    body, cut = cut_text(as_text(request.get("body")), w)
    return Raw(
        label=label,
        moment=None if at is None else zone.moment(at),
        method=as_text(request.get("method")),
        line=cut_text(as_text(request.get("url")), w)[0],
        headers=cut_text(header_lines(request.get("headers")), w)[0],
        body=body,
        cut=cut,
        note=note,
        account="" if cut else as_text(request.get("account")),
    )


def answer_raw(
    label: str, exchange: Json | None, zone: Zone, w: Words, note: str = ""
) -> Raw | None:
    """Return an answer for the page, or what came instead of one; None where nothing is known."""
    if not exchange:
        return None
    answer = exchange.get("answer")
    if not isinstance(answer, dict):
        error = as_text(exchange.get("error"))
        return _words(label, error, w, note) if error else None
    body, cut = cut_text(body_of(answer), w)
    at = answer.get("at")
    return Raw(
        label=label,
        moment=zone.moment(at) if isinstance(at, str) else None,
        method="HTTP",
        line=as_text(answer.get("status")),
        headers=cut_text(header_lines(answer.get("headers")), w)[0],
        body=body or w("empty_body"),
        cut=cut,
        note=note,
    )


def _words(label: str, text: str, w: Words, note: str) -> Raw:
    shown, cut = cut_text(text, w)
    return Raw(
        label=label,
        moment=None,
        method="",
        line=w("no_answer"),
        headers="",
        body=shown,
        cut=cut,
        note=note,
    )


def body_of(answer: Json) -> str:
    """Return the body of an answer as text; bytes that are no text stay in base64, and say so."""
    if answer.get("body_base64") is not None:
        return f"base64: {answer['body_base64']}"
    return as_text(answer.get("body"))


def header_lines(headers: Any) -> str:
    """Return headers one per line, from a mapping or from a list of pairs."""
    pairs: list[Any] = []
    if isinstance(headers, dict):
        pairs = list(headers.items())
    elif isinstance(headers, list):
        pairs = [pair for pair in headers if isinstance(pair, list | tuple) and len(pair) == 2]
    return "\n".join(f"{as_text(name)}: {as_text(value)}" for name, value in pairs)


def cut_text(text: str, w: Words, limit: int = LONG) -> tuple[str, str]:
    """Return a text of at most `limit` characters, and what to say about the rest."""
    shown, more = shortened(text, limit)
    if not more:
        return text, ""
    return shown, w.plural("cut_in_data", more, sha=sha256(text)[:16])


def as_text(value: Any) -> str:
    """Return a JSON value as text: a string as it is, null as nothing, the rest as JSON."""
    if value is None:
        return ""
    return (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
