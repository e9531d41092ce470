"""The errors of Jira requests.

```text
RunbookError
├── RemoteError
│   ├── JiraRefusedError      Jira refused the request: 4xx
│   ├── NotReachedError       no connection, no answer, or nothing but 429 and 5xx
│   └── NotDocumentedError    an answer that Jira does not document: a web page, a redirect, other JSON
├── CredentialError
│   └── LoginLostError        the credential is refused, or the request was taken as anonymous
└── WriteUnknownError         a write that may have arrived, which cannot be known
```

Each carries the exchange that caused it, as the ledger keeps it.
"""

from urllib.parse import urlsplit

from runbook.atlassian.retry import Meaning, Settled
from runbook.errors import CredentialError, ExitCode, RemoteError, RunbookError
from runbook.http import Answer, Exchange, NotSent, Outcome, Request, exchange_of
from runbook.text import shortened

_TRACE_HEADERS = ("atl-traceid", "atl-request-id", "x-arequestid")
_LIMIT_CHARACTERS = 300
CAPTCHA_HINT = "sign in once in a browser and solve the CAPTCHA, then run the same command again"


class _ExchangeError(RunbookError):
    """Base of the errors below: it carries the exchange, which is empty where none is at hand."""

    def __init__(self, message: str, exchange: Exchange | None = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exchange = exchange or {}


class JiraRefusedError(_ExchangeError, RemoteError):
    """Jira refused a request; `messages` are its own words, `trace` is its id of the request."""

    def __init__(self, request: Request, answer: Answer, *, hint: str = "") -> None:
        self.status = answer.status
        self.messages = messages_of(answer)
        self.trace = trace_of(answer)
        said = f": {'; '.join(self.messages)}" if self.messages else ""
        traced = f" (trace {self.trace})" if self.trace else ""
        super().__init__(
            f"{what(request)} was refused with {self.status}{said}{traced}",
            exchange_of(request, answer),
            hint=hint or _HINTS.get(self.status, ""),
        )


class NotReachedError(_ExchangeError, RemoteError):
    """No attempt got a usable answer; `answer` is the last one, None where none came at all."""

    def __init__(self, message: str, request: Request, outcome: Outcome, *, hint: str) -> None:
        super().__init__(message, exchange_of(request, outcome), hint=hint)
        self.answer = outcome if isinstance(outcome, Answer) else None


class NotDocumentedError(_ExchangeError, RemoteError):
    """An answer that Atlassian does not document for this request."""


class LoginLostError(_ExchangeError, CredentialError):
    """The site refuses the credential, or answers as if none had been sent."""


class WriteUnknownError(_ExchangeError):
    """A write was sent, and whether it arrived cannot be known."""

    exit_code = ExitCode.UNKNOWN


_HINTS = {
    400: "the request does not fit this issue or link; `runbook links list` shows what is there",
    403: "the account may not do this here, or issue linking is off on the site",
    404: "the issue or link is not there, or this account may not see it",
    413: "the issue holds as many remote links as Jira allows (2000); remove some first",
}


def trace_of(answer: Answer, headers: tuple[str, ...] = _TRACE_HEADERS) -> str | None:
    """Return Atlassian's id of a request, which their support asks for."""
    found = (answer.header(name) for name in headers)
    return next((value for value in found if value), None)


def messages_of(answer: Answer) -> tuple[str, ...]:
    """Return Atlassian's own words in an error, none where the body has no readable ones.

    Known shapes: `errorMessages` and `errors` (Jira), `message`, `errorMessage`, `error`, `detail`
    (gateway). The words are in the language of the account, so nothing is decided by them.
    """
    try:
        body = answer.json()
    except ValueError:
        text = "" if answer.is_html() else answer.text().strip()
        return (shortened(text, _LIMIT_CHARACTERS),) if text else ()
    if not isinstance(body, dict):
        return ()
    said: list[str] = []
    listed = body.get("errorMessages")
    if isinstance(listed, list):
        said += map(str, listed)
    named = body.get("errors")
    if isinstance(named, dict):
        said += [f"{name}: {text}" for name, text in named.items()]
    elif isinstance(named, list):
        texts = (
            error.get("message", error) if isinstance(error, dict) else error for error in named
        )
        said += map(str, texts)
    if not said:
        names = ("message", "errorMessage", "error", "detail")
        said += [body[name] for name in names if isinstance(body.get(name), str)]
    return tuple(shortened(text, _LIMIT_CHARACTERS) for text in said if text.strip())


def what(request: Request) -> str:
    """Return a request in a few words for a message, without its query."""
    parts = urlsplit(request.url)
    return f"`{request.method} {parts.hostname}{parts.path}`"


def error_of(request: Request, settled: Settled) -> RunbookError:
    """Return the error for a request without a good answer; the caller handles a lost login."""
    outcome = settled.outcome
    match settled.meaning:
        case Meaning.REFUSED if not settled.answer.is_html():
            return JiraRefusedError(request, settled.answer)
        case Meaning.REFUSED | Meaning.UNDOCUMENTED:
            return undocumented_answer(request, settled.answer)
        case Meaning.LIMITED:
            reason = settled.answer.header("ratelimit-reason")
            return NotReachedError(
                f"{what(request)} is limited by the site (429{f', {reason}' if reason else ''}), which asks to wait {settled.wait_s:.0f} s",
                request,
                outcome,
                hint="run the same command again later; other clients of the site may use up its limit",
            )
        case Meaning.NOT_SENT | Meaning.TRANSIENT:
            return _not_reached(request, outcome, settled.times)
        case _:
            return _write_unknown(request, outcome)


def undocumented_answer(request: Request, answer: Answer) -> NotDocumentedError:
    """Return the error for an answer that Atlassian does not document."""
    if 300 <= answer.status < 400:
        target = urlsplit(answer.header("location") or "").hostname or "somewhere else"
        said = f"was redirected ({answer.status}) to {target}; redirects are not followed with credentials"
        hint = "the site may have been renamed, or a proxy wants a login: check the address in a browser"
    elif answer.is_html():
        said = f"answered {answer.status} with a web page instead of JSON"
        hint = "likely a proxy, a login page or an IP allowlist of the site: check the address in a browser from this machine"
    else:
        said = f"answered {answer.status} with something other than the documented JSON"
        hint = "check what stands between this machine and the site"
    return NotDocumentedError(f"{what(request)} {said}", exchange_of(request, answer), hint=hint)


def login_was_lost(site: str, request: Request, answer: Answer) -> LoginLostError:
    """Return the error for an answer whose header says that the login failed."""
    reason = answer.header("x-seraph-loginreason") or ""
    return LoginLostError(
        f"`{site}` no longer takes the login (X-Seraph-LoginReason: {reason})",
        exchange_of(request, answer),
        hint=CAPTCHA_HINT
        if "DENIED" in reason.upper()
        else "the token may have expired or been revoked: set a new one, then run the same command again",
    )


def _not_reached(request: Request, outcome: Outcome, failed: int) -> NotReachedError:
    times = "once" if failed == 1 else f"{failed} times"
    if isinstance(outcome, Answer):
        said = f"answered {outcome.status}, asked {times}"
        hint = "see status.atlassian.com, then run the same command again"
    else:
        said = f"was not answered, asked {times}: {outcome.reason}"
        hint = outcome.hint if isinstance(outcome, NotSent) else ""
        hint = hint or "check the network, the VPN, and HTTPS_PROXY"
    return NotReachedError(f"{what(request)} {said}", request, outcome, hint=hint)


def _write_unknown(request: Request, outcome: Outcome) -> WriteUnknownError:
    how = f"answered {outcome.status}" if isinstance(outcome, Answer) else outcome.reason
    return WriteUnknownError(
        f"whether {what(request)} arrived cannot be known: {how}",
        exchange_of(request, outcome),
        hint="look with `runbook links list` before it is sent again",
    )
