"""What goes wrong, and when: a script of faults over the requests that arrive.

A `Fault` names the requests it is about (method, path, host), which of them it hits, and what
happens then. Faults touch only the way of a request or an answer; what truly happened stays in
the world (`World.true_outcome`), so that a rehearsal can play the person who asks Atlassian.

Some kinds need a connection: an adapter ends it with `Closed`. On real sockets a connection that
was accepted cannot be refused any more, so `refused` is exact only in process; the kind `outage`
closes the listening socket for a while and is exact in both.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from runbook.clock import isoformat_utc
from runbook.simulator.messages import (
    Call,
    Closed,
    Ending,
    Reply,
    html_reply,
    jira_error,
    json_reply,
)


class FaultKind(StrEnum):
    """What happens to a request."""

    # The world is not asked.
    RETRY_AFTER_SECONDS = "retry_after_seconds"
    RETRY_AFTER_DATE = "retry_after_date"
    RESET_ISO = "reset_iso"
    RESET_EPOCH = "reset_epoch"
    TOO_MANY_BARE = "too_many_bare"
    STATUS = "status"
    HTML = "html"
    EMPTY = "empty"
    REFUSED = "refused"
    RESET = "reset"
    # The world is asked, and the answer is changed, delayed or lost.
    STATUS_AFTER = "status_after"
    HTML_AFTER = "html_after"
    EMPTY_AFTER = "empty_after"
    ANSWER_LOST = "answer_lost"
    TRUNCATED = "truncated"
    CUT_JSON = "cut_json"
    NO_ID = "no_id"
    UNKNOWN_WORD = "unknown_word"
    PLAIN_TEXT = "plain_text"
    JSON_STRING = "json_string"
    NESTED = "nested"
    SLOW = "slow"
    OUTAGE = "outage"


ASKS_THE_WORLD = frozenset(list(FaultKind)[list(FaultKind).index(FaultKind.STATUS_AFTER) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule.

    `method`, `path`, `host` and `not_path` are shell patterns; `path` is compared with the path
    itself and with its template (`/links/v1/{siteId}/jobs/cma`). The rule hits the matching requests
    number `nth` to `nth + times - 1`, counted from 1, faulted ones included. `amount_s` is the wait
    that is told or taken, `status` the status of the kinds `status` and `status_after`, `word` the
    unknown status word. `sentence` says what happened, `advice` what one would have done.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    host: str = "*"
    not_path: str = ""
    nth: int = 1
    times: int = 1
    amount_s: float = 30.0
    status: int = 503
    word: str = "Finalizing"
    body: bytes | None = None
    sentence: str = ""
    advice: str = ""

    def matches(self, call: Call, template: str) -> bool:
        """Return whether the rule is about this request."""
        if self.not_path and fnmatchcase(call.path, self.not_path):
            return False
        return (
            fnmatchcase(call.method, self.method)
            and fnmatchcase(call.host, self.host)
            and (self.path == template or fnmatchcase(call.path, self.path))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that happened, to which request and when."""

    at: datetime
    fault: Fault
    method: str
    host: str
    path: str


@dataclass(slots=True, kw_only=True)
class FaultScript:
    """The rules of a world; `fired` is what truly happened, in order."""

    rules: list[Fault] = field(default_factory=list)
    fired: list[Fired] = field(default_factory=list)
    _seen: dict[int, int] = field(default_factory=dict)

    def add(self, *faults: Fault) -> None:
        """Add rules; their counting starts now."""
        self.rules.extend(faults)

    def clear(self) -> None:
        """Drop every rule; what happened stays."""
        self.rules.clear()
        self._seen.clear()

    def hit(self, call: Call, template: str, now: datetime) -> Fault | None:
        """Count a request against every rule; return the first rule that hits it."""
        found: Fault | None = None
        for position, rule in enumerate(self.rules):
            if not rule.matches(call, template):
                continue
            count = self._seen[position] = self._seen.get(position, 0) + 1
            if found is None and rule.nth <= count < rule.nth + rule.times:
                found = rule
        if found is not None:
            self.fired.append(
                Fired(at=now, fault=found, method=call.method, host=call.host, path=call.path)
            )
        return found


def instead(fault: Fault, now: datetime) -> Reply | Closed:
    """Return what comes back of a fault that keeps the request from the world."""
    reset = (now + timedelta(seconds=fault.amount_s)).replace(microsecond=0)
    match fault.kind:
        case FaultKind.RETRY_AFTER_SECONDS:
            return _too_many(("Retry-After", str(round(fault.amount_s))))
        case FaultKind.RETRY_AFTER_DATE:
            return _too_many(("Retry-After", format_datetime(reset, usegmt=True)))
        case FaultKind.RESET_ISO:
            return _too_many(("X-RateLimit-Reset", isoformat_utc(reset)))
        case FaultKind.RESET_EPOCH:
            return _too_many(("X-RateLimit-Reset", str(int(reset.timestamp()))))
        case FaultKind.TOO_MANY_BARE:
            return _too_many()
        case FaultKind.STATUS:
            return _status(fault)
        case FaultKind.HTML:
            return html_reply(200, "Log in to the proxy")
        case FaultKind.EMPTY:
            return Reply(status=fault.status)
        case FaultKind.REFUSED:
            return Closed(ending=Ending.REFUSED)
        case _:
            return Closed(ending=Ending.BEFORE)


def altered(fault: Fault, reply: Reply) -> Reply | Closed:
    """Return what arrives of the world's true answer."""
    match fault.kind:
        case FaultKind.STATUS_AFTER:
            return _status(fault)
        case FaultKind.HTML_AFTER:
            return html_reply(200, "Log in to the proxy")
        case FaultKind.EMPTY_AFTER:
            return Reply(status=reply.status)
        case FaultKind.ANSWER_LOST:
            return Closed(ending=Ending.AFTER)
        case FaultKind.TRUNCATED:
            return Closed(ending=Ending.AFTER, partial=reply)
        case FaultKind.CUT_JSON:
            half = max(1, len(reply.body) // 2)
            return Reply(status=reply.status, headers=reply.headers, body=reply.body[:half])
        case FaultKind.NO_ID:
            return json_reply({"message": "scheduled"}, reply.status)
        case FaultKind.UNKNOWN_WORD:
            return json_reply({"status": fault.word})
        case FaultKind.PLAIN_TEXT:
            text = status_word(reply).encode()
            return Reply(status=reply.status, body=text, headers=(("Content-Type", "text/plain"),))
        case FaultKind.JSON_STRING:
            return json_reply(status_word(reply), reply.status)
        case FaultKind.NESTED:
            return json_reply({"data": {"job": {"jobStatus": status_word(reply)}}}, reply.status)
        case _:
            return reply


def status_word(reply: Reply) -> str:
    """Return the status word of a job's true answer; "" where it has none."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return ""
    return str(value.get("status", "")) if isinstance(value, dict) else ""


def _too_many(*headers: tuple[str, str]) -> Reply:
    return jira_error(429, "Rate limit exceeded.", headers=headers)


def _status(fault: Fault) -> Reply:
    if fault.body is not None:
        return Reply(
            status=fault.status, body=fault.body, headers=(("Content-Type", "application/json"),)
        )
    return json_reply({"code": fault.status, "message": "The service says no."}, fault.status)
