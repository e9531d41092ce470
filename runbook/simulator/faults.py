"""What goes wrong, and when: a script of faults over the requests, and the levels of a rehearsal.

A `Fault` names the requests it is about (method, path, host), which of them it hits, and what
happens then. Faults touch only the way of a request or an answer; what truly happened stays in
the world (`World.true_outcome`), so that a rehearsal can play the person who asks Atlassian.

Some kinds need a connection: an adapter ends it with `Closed`. On real sockets a connection that
was accepted cannot be refused any more, so `refused` is exact only in process; the kind `outage`
closes the listening socket for a while and is exact in both.

Every level leaves an evening that can be finished: refusals are temporary, and where an outcome
stays unknown the world knows what truly happened. Requests before the first submission are spared,
since a run that never begins rehearses nothing.
"""

import json
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

from runbook.clock import isoformat_utc
from runbook.plan.model import Plan
from runbook.simulator.messages import Closed, Reply, SimRequest, html_reply, jira_error, json_reply

Level = Literal["none", "light", "heavy"]

SUBMIT = "/links/v1/{siteId}/jobs/cma"
STATUS = "/links/v1/{siteId}/jobs/status/{jobId}"
READ_LINKS = "/rest/api/3/issue/{issueIdOrKey}/remotelink"
# The job that nobody has: `run` asks for it before the first submission.
NIL_JOB = "*/00000000-0000-0000-0000-000000000000"


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

    def matches(self, request: SimRequest, template: str) -> bool:
        """Return whether the rule is about this request."""
        if self.not_path and fnmatchcase(request.path, self.not_path):
            return False
        return (
            fnmatchcase(request.method, self.method)
            and fnmatchcase(request.host, self.host)
            and (self.path == template or fnmatchcase(request.path, self.path))
        )


@dataclass(slots=True, kw_only=True)
class FaultScript:
    """The rules of a world; `fired` is what truly happened, in order."""

    rules: list[Fault] = field(default_factory=list)
    fired: list[Fault] = field(default_factory=list)
    _seen: dict[int, int] = field(default_factory=dict)

    def add(self, *faults: Fault) -> None:
        """Add rules; their counting starts now."""
        self.rules.extend(faults)

    def clear(self) -> None:
        """Drop every rule; what happened stays."""
        self.rules.clear()
        self._seen.clear()

    def hit(self, request: SimRequest, template: str) -> Fault | None:
        """Count a request against every rule; return the first rule that hits it."""
        found: Fault | None = None
        for position, rule in enumerate(self.rules):
            if rule.matches(request, template):
                count = self._seen[position] = self._seen.get(position, 0) + 1
                if found is None and rule.nth <= count < rule.nth + rule.times:
                    found = rule
        if found is not None:
            self.fired.append(found)
        return found


def arriving(fault: Fault, reply: Reply, now: datetime) -> Reply | Closed:
    """Return what arrives of the world's true answer, or instead of one where it was not asked."""
    match fault.kind:
        case FaultKind.EMPTY:
            return Reply(status=fault.status)
        case FaultKind.REFUSED:
            return Closed(ending="refused")
        case FaultKind.RESET:
            return Closed(ending="before")
        case FaultKind.STATUS | FaultKind.STATUS_AFTER:
            return _status(fault)
        case FaultKind.HTML | FaultKind.HTML_AFTER:
            return html_reply(200, "Log in to the proxy")
        case FaultKind.EMPTY_AFTER:
            return Reply(status=reply.status)
        case FaultKind.ANSWER_LOST:
            return Closed(ending="after")
        case FaultKind.TRUNCATED:
            return Closed(ending="after", partial=reply)
        case FaultKind.CUT_JSON:
            return replace(reply, body=reply.body[: max(1, len(reply.body) // 2)])
        case FaultKind.NO_ID:
            return json_reply({"message": "scheduled"}, reply.status)
        case FaultKind.UNKNOWN_WORD:
            return json_reply({"status": fault.word})
        case FaultKind.PLAIN_TEXT:
            text = _status_word(reply).encode()
            return Reply(status=reply.status, body=text, headers=(("Content-Type", "text/plain"),))
        case FaultKind.JSON_STRING:
            return json_reply(_status_word(reply), reply.status)
        case FaultKind.NESTED:
            return json_reply({"data": {"job": {"jobStatus": _status_word(reply)}}}, reply.status)
        case FaultKind.SLOW | FaultKind.OUTAGE:
            return reply
    return _too_many(fault, now)


def _status_word(reply: Reply) -> str:
    """Return the status word of a job's true answer; "" where it has none."""
    try:
        value = json.loads(reply.body)
    except ValueError:
        return ""
    return str(value.get("status", "")) if isinstance(value, dict) else ""


def _too_many(fault: Fault, now: datetime) -> Reply:
    reset = (now + timedelta(seconds=fault.amount_s)).replace(microsecond=0)
    told = {
        FaultKind.RETRY_AFTER_SECONDS: ("Retry-After", str(round(fault.amount_s))),
        FaultKind.RETRY_AFTER_DATE: ("Retry-After", format_datetime(reset, usegmt=True)),
        FaultKind.RESET_ISO: ("X-RateLimit-Reset", isoformat_utc(reset)),
        FaultKind.RESET_EPOCH: ("X-RateLimit-Reset", str(int(reset.timestamp()))),
    }
    headers = (told[fault.kind],) if fault.kind in told else ()
    return jira_error(429, "Rate limit exceeded.", headers=headers)


def _status(fault: Fault) -> Reply:
    if fault.body is not None:
        return Reply(
            status=fault.status, body=fault.body, headers=(("Content-Type", "application/json"),)
        )
    return json_reply({"code": fault.status, "message": "The service says no."}, fault.status)


def faults_for(level: Level, plan: Plan, *, seed: int = 0) -> tuple[Fault, ...]:
    """Return the faults of a level for a plan; the same seed gives the same faults.

    A fault that hits the fifth submission of a plan with four jobs never happens;
    `World.faults.fired` holds those that did.
    """
    if level == "none":
        return ()
    chance = random.Random(f"{seed}/{level}")  # noqa: S311 - a game, not a secret
    heavy = level == "heavy"
    submits = [*_SUBMIT_HEAVY, *_SUBMIT_LIGHT] if heavy else [*_SUBMIT_LIGHT]
    polls = [*_POLL_LIGHT, *_POLL_HEAVY] if heavy else [*_POLL_LIGHT]
    reads = [*_READ_LIGHT, *_READ_HEAVY] if heavy else [*_READ_LIGHT]
    return (
        *_spread(submits, chance, "POST", SUBMIT, max(len(plan.instances), len(submits))),
        *_spread(polls, chance, "GET", STATUS, 3 * len(polls)),
        *_spread(reads, chance, "GET", READ_LINKS, 4 * len(reads)),
    )


def _spread(
    drafts: list[Fault], chance: random.Random, method: str, path: str, within: int
) -> list[Fault]:
    """Spread faults over the first `within` requests of one operation, no two on the same."""
    numbers = sorted(chance.sample(range(1, within + 1), len(drafts)))
    return [
        replace(draft, method=method, path=path, not_path=NIL_JOB, nth=nth)
        for draft, nth in zip(drafts, numbers, strict=True)
    ]


def _draft(kind: FaultKind, sentence: str, advice: str, **more: Any) -> Fault:
    return Fault(kind=kind, sentence=sentence, advice=advice, **more)


_WAITED = "nothing: the wait that was told is kept, and no second request leaves meanwhile"
_GOES_ON = "nothing: a status is asked for again, and the job goes on at Atlassian meanwhile"
_ASK = (
    "look at Atlassian's own pages and logs whether the job is there, then `runbook resolve`; "
    "other jobs go on meanwhile"
)
_READ_AGAIN = "nothing: the issue is read again"
_UNDERSTOOD = "nothing: it is understood, and the raw answer is kept"
_SUBMIT_LIGHT = (
    _draft(
        FaultKind.RETRY_AFTER_SECONDS,
        "a submission was answered 429, with the seconds to wait",
        _WAITED,
        amount_s=45.0,
    ),
)
_SUBMIT_HEAVY = (
    _draft(
        FaultKind.ANSWER_LOST,
        "the connection broke after a job was accepted, before its id arrived",
        _ASK,
    ),
    _draft(
        FaultKind.STATUS,
        "a gateway answered 502 to a submission that never reached the service",
        _ASK,
        status=502,
    ),
    _draft(
        FaultKind.RETRY_AFTER_DATE,
        "a submission was answered 429, with the moment to wait for as an HTTP date",
        _WAITED,
        amount_s=80.0,
    ),
    _draft(
        FaultKind.RESET_ISO,
        "a submission was answered 429, with nothing but `X-RateLimit-Reset`",
        _WAITED,
        amount_s=60.0,
    ),
)
_POLL_LIGHT = (
    _draft(FaultKind.STATUS, "a status was answered 503", _GOES_ON, status=503),
    _draft(
        FaultKind.UNKNOWN_WORD,
        "a status was a word that Atlassian does not document",
        "nothing: a word that is not known means waiting, with a warning",
    ),
    _draft(FaultKind.SLOW, "a status took 20 s to arrive", _GOES_ON, amount_s=20.0),
)
_POLL_HEAVY = (
    _draft(
        FaultKind.OUTAGE,
        "the network was gone for 90 s",
        "check the VPN and the proxy; nothing is lost, requests that never left are repeated",
        amount_s=90.0,
    ),
    _draft(
        FaultKind.STATUS,
        "a status was answered 404 although the job exists",
        "nothing: a 404 on a status is no failure of the job",
        status=404,
    ),
    _draft(FaultKind.PLAIN_TEXT, "a status came as plain text", _UNDERSTOOD),
    _draft(FaultKind.NESTED, "a status came nested in other fields", _UNDERSTOOD),
    _draft(
        FaultKind.HTML_AFTER,
        "a web page came instead of a status",
        "look whether a proxy wants a login; the job goes on meanwhile",
    ),
    _draft(FaultKind.TRUNCATED, "the connection broke in the middle of a status", _GOES_ON),
)
_READ_LIGHT = (
    _draft(
        FaultKind.RETRY_AFTER_SECONDS,
        "reading remote links was answered 429",
        "nothing: reading pauses as told",
        amount_s=5.0,
    ),
)
_READ_HEAVY = (
    _draft(FaultKind.STATUS, "reading remote links was answered 503", _READ_AGAIN, status=503),
    _draft(FaultKind.RESET, "the connection broke while remote links were read", _READ_AGAIN),
)
