"""What an answer of Jira means, and what follows: decisions as values, no waiting here.

Reading may be repeated, so only documented refusals end it. A write is repeated only when it cannot
have arrived (no connection) or was not accepted (429); the table is the one of jobs: 3xx, 408, 5xx,
a time-out and a lost connection leave it unknown.
"""

from dataclasses import dataclass
from enum import Enum, auto

from runbook.http import Answer, Lost, NotSent, Outcome

SERAPH = "x-seraph-loginreason"
_SERAPH_LOST = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")


class Meaning(Enum):
    """What an outcome says about a request."""

    GOOD = auto()
    REFUSED = auto()
    UNAUTHORIZED = auto()
    LOGIN_LOST = auto()
    LIMITED = auto()
    NOT_SENT = auto()
    PASSING = auto()
    ODD = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on: `attempts` at failures, `limited_attempts` at 429, no wait above `longest_wait_s`."""

    attempts: int = 5
    limited_attempts: int = 20
    longest_wait_s: float = 7200.0


def meaning_of_read(outcome: Outcome) -> Meaning:
    """Return what an outcome says about a request that may be repeated at will."""
    match outcome:
        case NotSent():
            return Meaning.NOT_SENT
        case Lost():
            return Meaning.PASSING
        case Answer(status=status) as answer:
            if login_lost(answer):
                return Meaning.LOGIN_LOST
            if status == 429:
                return Meaning.LIMITED
            if status == 401:
                return Meaning.UNAUTHORIZED
            if status == 408 or status >= 500:
                return Meaning.PASSING
            if status < 200 or 300 <= status < 400 or answer.is_html():
                return Meaning.ODD
            return Meaning.GOOD if status < 300 else Meaning.REFUSED


def meaning_of_write(outcome: Outcome) -> Meaning:
    """Return what an outcome says about a request that may have changed something."""
    match outcome:
        case NotSent():
            return Meaning.NOT_SENT
        case Lost():
            return Meaning.UNKNOWN
        case Answer(status=status) as answer:
            if status == 429:
                return Meaning.LIMITED
            if status == 401:
                return Meaning.UNAUTHORIZED
            if status < 200 or 300 <= status < 400 or status == 408 or status >= 500:
                return Meaning.UNKNOWN
            if status < 300:
                return Meaning.UNKNOWN if answer.is_html() else Meaning.GOOD
            return Meaning.LOGIN_LOST if login_lost(answer) else Meaning.REFUSED


def login_lost(answer: Answer) -> bool:
    """Return whether Jira took the request as nobody's although a credential was sent (jira-rest.md B8)."""
    reason = (answer.header(SERAPH) or "").upper()
    return any(word in reason for word in _SERAPH_LOST)
