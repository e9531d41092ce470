"""Requests and answers as the report prints them: word for word, cut only where they are overlong."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runbook.jobs import HEADERS
from runbook.ledger.events import Json
from runbook.report.facts import ReportFacts
from runbook.report.text import LONG, Composed, clip, sha256, shortened, thousands
from runbook.report.timestamps import Timestamp
from runbook.report.translations import Words
from runbook.view import JobView, Poll, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedExchange:
    """What went over the wire: a first line, headers, a body; `note` stands beside it.

    `account` is set for a request that can be copied as curl; `more` is what followed it, where that
    is not written as values of its own.
    """

    label: str
    moment: Timestamp | None = None
    method: str = ""
    line: str
    headers: str = ""
    body: str = ""
    cut: str = ""
    note: str = ""
    account: str = ""
    more: str = ""


def exchanges_of(job: JobView, facts: ReportFacts) -> tuple[PrintedExchange, ...]:
    """Return what was sent for a job and answered, or what would be sent for one that was not."""
    if not job.sent:
        return (_planned(job, facts),)
    polls = [_poll(stretch, facts) for stretch in stretches(job.polls)]
    sent = [printed for submission in job.sent for printed in _submission(submission, job, facts)]
    if not facts.zone.lean:
        return (*sent, *polls)
    # On a page of very many jobs a request carries its answer and all looks as one text.
    return tuple(
        replace(request, more=_told(answer, polls if answer is sent[-1] else []))
        for request, answer in zip(sent[::2], sent[1::2], strict=True)
    )


def _planned(job: JobView, facts: ReportFacts) -> PrintedExchange:
    request = {
        "method": job.job.method,
        "url": job.job.url,
        "headers": dict(HEADERS),
        "body": job.job.body_bytes().decode("utf-8", "replace"),
        "account": job.job.account,
    }
    return _request(facts.w("raw_would"), request, None, facts)


def _submission(
    submission: Submission, job: JobView, facts: ReportFacts
) -> Iterator[PrintedExchange]:
    w = facts.w
    request = {"account": job.job.account, **submission.request}
    printed = _request(w("raw_request", number=submission.number), request, submission.at, facts)
    word = submission.by_word
    yield printed if word is None else replace(printed, note=w("raw_by_word", word=clip(word, 120)))
    said = facts.chips.outcome(submission.outcome).word
    if submission.causes:
        causes = " · ".join(clip(cause, 200) for cause in submission.causes)
        said = f"{said}. {w('raw_causes', causes=causes)}"
    label = w("raw_answer", number=submission.number)
    answer = _answer(label, submission.exchange, said, facts)
    if answer is not None:
        yield answer
        return
    shown, cut = cut_text(submission.detail, w)
    at = submission.answered_at
    yield PrintedExchange(
        label=label,
        moment=None if at is None else facts.zone.moment(at),
        line=w("no_answer"),
        body=shown or w("no_answer_yet"),
        cut=cut,
        note=said,
    )


def _told(answer: PrintedExchange, polls: list[PrintedExchange]) -> str:
    """Return what followed a request in one text: the answer, and each look at the status."""
    first = _spaced(answer.method, answer.line, _when(answer), answer.note)
    parts = ["\n".join(filter(None, (first, answer.headers, answer.body, answer.cut)))]
    if polls:
        lines = [f"{polls[0].method} {polls[0].line.rpartition(' → ')[0]}"]
        for poll in polls:
            named = [line for line in poll.headers.split("\n") if "trace" in line.partition(":")[0]]
            status = poll.line.rpartition(" → ")[2]
            lines.append(_spaced(_when(poll), status, *named, poll.note, poll.body, poll.cut))
        parts.append("\n".join(lines))
    return Composed("\n\n".join(parts))


def _spaced(*parts: str) -> str:
    return "  ".join(filter(None, parts))


def _when(printed: PrintedExchange) -> str:
    return "" if printed.moment is None else printed.moment.local


@dataclass(frozen=True, slots=True)
class Stretch:
    """Polls in a row that said the same: the first, the last, and how many."""

    first: Poll
    last: Poll
    count: int


def stretches(polls: tuple[Poll, ...]) -> list[Stretch]:
    """Return polls with equal ones in a row taken together."""
    found: list[Stretch] = []
    for poll in polls:
        if found and _said(found[-1].first) == _said(poll):
            found[-1] = replace(found[-1], last=poll, count=found[-1].count + 1)
        else:
            found.append(Stretch(poll, poll, 1))
    return found


def _said(poll: Poll) -> tuple[str | None, str | None, str | None]:
    return poll.state, poll.word, poll.warning


def _poll(stretch: Stretch, facts: ReportFacts) -> PrintedExchange:
    w, zone, poll = facts.w, facts.zone, stretch.first
    request = poll.exchange.get("request") or {}
    notes = [clip(poll.warning, 300)] if poll.warning else []
    if stretch.count > 1:
        last = zone.said(stretch.last.at)
        notes.append(w("raw_repeated", times=thousands(stretch.count), at=last))
    label, note = w("raw_status"), "; ".join(notes)
    nothing = PrintedExchange(label=label, line=w("no_answer"))
    answer = _answer(label, poll.exchange, note, facts) or nothing
    return replace(
        answer,
        moment=zone.moment(poll.at),
        method=as_text(request.get("method")) or "GET",
        line=f"{cut_text(as_text(request.get('url')), w)[0]} → {answer.line}",
        note=note,
    )


def _request(label: str, request: Json, at: datetime | None, facts: ReportFacts) -> PrintedExchange:
    """Return a request for the page; its account lets it be copied as curl where nothing is cut."""
    w = facts.w
    body, cut = cut_text(as_text(request.get("body")), w)
    return PrintedExchange(
        label=label,
        moment=None if at is None else facts.zone.moment(at),
        method=as_text(request.get("method")),
        line=cut_text(as_text(request.get("url")), w)[0],
        headers=cut_text(header_lines(request.get("headers")), w)[0],
        body=body,
        cut=cut,
        account="" if cut else as_text(request.get("account")),
    )


def _answer(
    label: str, exchange: Json | None, note: str, facts: ReportFacts
) -> PrintedExchange | None:
    """Return an answer for the page, or what came instead of one; None where nothing is known."""
    w, answer = facts.w, (exchange or {}).get("answer")
    if not isinstance(answer, dict):
        error, cut = cut_text(as_text((exchange or {}).get("error")), w)
        if not error:
            return None
        return PrintedExchange(label=label, line=w("no_answer"), body=error, cut=cut, note=note)
    body, cut = cut_text(body_of(answer), w)
    at = answer.get("at")
    return PrintedExchange(
        label=label,
        moment=facts.zone.moment(at) if isinstance(at, str) else None,
        method="HTTP",
        line=as_text(answer.get("status")),
        headers=cut_text(header_lines(answer.get("headers")), w)[0],
        body=body or w("empty_body"),
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
