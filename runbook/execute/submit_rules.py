"""What a submission asks, and what its answer means: design section 6, one row of its table per class.

Pure: an outcome of the wire goes in, a result comes out. The question behind every row is whether
Atlassian may have accepted the job, since nothing lists, cancels or undoes one (links-api.md 1.1).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from runbook.atlassian import errors
from runbook.atlassian.retry import retry_after_s
from runbook.http import Answer, Lost, NotSent, Outcome, Request
from runbook.jobs import HEADERS, SITE_ID_PLACEHOLDER, CmaJob

Scope = Literal["job", "site", "account"]

ID_FIELDS = ("uuid", "jobId", "id")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The gateway of this API names further headers than Jira does, and its bodies hold ids too.
_TRACE_HEADERS = ("atl-traceid", "x-trace-id", "x-request-id", "atl-request-id", "x-arequestid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A 2xx with a job id."""

    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """The job may or may not have been accepted; only a person or verification can tell."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Atlassian said no. `scope` is what else is affected: `job`, `site` (403) or `account` (401)."""

    scope: Scope
    detail: str
    trace_id: str | None
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """Not accepted, because of a rate limit; `wait_s` is what we were told, None where nothing."""

    wait_s: float | None
    detail: str


SubmitResult = Accepted | Uncertain | Refused | Limited | NotSent


def request_of(job: CmaJob, site_ids: Mapping[str, str]) -> Request:
    """Return the submission of a job, with the site's id in place of the placeholder."""
    url = job.url
    if SITE_ID_PLACEHOLDER in url:
        url = url.replace(SITE_ID_PLACEHOLDER, quote(site_ids[job.site], safe=""))
    return Request(
        method=job.method,
        url=url,
        headers=HEADERS,
        body=job.body_bytes(),
        account=job.account,
        # A connection that was kept may be dead already, and then nobody could say what arrived.
        fresh=True,
    )


def result_of(outcome: Outcome, now: datetime) -> SubmitResult:
    """Return what a submission's outcome means; `now` resolves absolute reset times."""
    if isinstance(outcome, NotSent):
        return outcome
    if isinstance(outcome, Lost):
        return Uncertain(detail=f"no complete answer came: {outcome.reason}")
    status, words = outcome.status, words_of(outcome)
    if 200 <= status < 300:
        found = job_id_in(outcome)
        if found is not None:
            return Accepted(uuid=found)
        kind = "a web page" if outcome.is_html() else "no job id"
        return Uncertain(detail=f"answer {status} holds {kind}; the raw answer is kept")
    if status == 429:
        return Limited(wait_s=retry_after_s(outcome, now), detail=words)
    if status == 407:
        return NotSent(
            reason="the proxy asks for a user and password (407)",
            hint="put them into HTTPS_PROXY, or exclude the host with NO_PROXY",
        )
    words = words or "no further words"
    if 400 <= status < 500 and status != 408:
        scopes: dict[int, Scope] = {401: "account", 403: "site"}
        return Refused(
            scope=scopes.get(status, "job"),
            detail=f"{status}: {words}",
            trace_id=trace_of(outcome),
            causes=likely_causes(outcome),
        )
    return Uncertain(detail=f"answer {status} does not say whether the job was accepted: {words}")


def job_id_in(answer: Answer) -> str | None:
    """Return the job id of an accepting answer; documented as `uuid` (links-api.md 1.3)."""
    try:
        return _job_id(answer.json())
    except ValueError:
        return None


def _job_id(value: Any) -> str | None:
    if isinstance(value, str):
        return value if _UUID.fullmatch(value.strip()) else None
    if not isinstance(value, dict):
        return None
    for name in ID_FIELDS:
        found = value.get(name)
        # Half a surrogate pair cannot be written down, and so is no id.
        if isinstance(found, str) and found.strip() and not _SURROGATE.search(found):
            return found.strip()
    return _job_id(value.get("data")) or _job_id(value.get("job"))


def words_of(answer: Answer) -> str:
    """Return Atlassian's own words in an answer, shortened; error bodies are not documented."""
    if answer.is_html():
        title = re.search(r"<title[^>]*>(.*?)</title>", answer.text(), re.IGNORECASE | re.DOTALL)
        return f"a web page{f' titled {title.group(1).strip()!r}' if title else ''}"[:300]
    try:
        value = answer.json()
    except ValueError:
        return " ".join(answer.text().split())[:500]
    words = list(dict.fromkeys(_words(value)))
    return ("; ".join(words) or json.dumps(value, ensure_ascii=False))[:1000] if value else ""


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key in ("message", "errorMessage", "errorMessages", "error", "detail", "title"):
        found += _words(value.get(key))
    errors = value.get("errors")
    if isinstance(errors, dict):
        found += [f"{name}: {word}" for name, item in errors.items() for word in _words(item)]
    else:
        found += _words(errors)
    return found


def trace_of(answer: Answer) -> str | None:
    """Return the id under which Atlassian's support finds the request, None where none came."""
    traced = errors.trace_of(answer, _TRACE_HEADERS)
    if traced is not None:
        return traced
    try:
        value = answer.json()
    except ValueError:
        return None
    found = value.get("id") or value.get("traceId") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def likely_causes(answer: Answer) -> tuple[str, ...]:
    """Return the likely causes of a refusal, in order.

    No error table of this API is known (links-api.md 2.4); the order follows its sibling APIs.
    """
    words = words_of(answer).lower()
    if answer.is_html():
        return (
            "a proxy or login page answered instead of Atlassian: check HTTPS_PROXY and the VPN",
        )
    match answer.status:
        case 401 if "scope" in words:
            return ("the API token has scopes: make one without scopes for this job",)
        case 401:
            return (
                "e-mail and API token do not belong together, or one has a typing error",
                "the API token has expired or was revoked",
                "the API token has scopes: whether this API takes such tokens is not known; make one without",
            )
        case 403:
            return (
                "the account is neither organization admin nor site admin",
                "the account is no admin of the product that holds the links",
                "the app link is not authorized in this direction by this account",
                "the API token has scopes, or belongs to a service account",
            )
        case 404:
            return (
                "the site id is not that of the site of productURL",
                "the account has no access to that site",
            )
        case 400 | 422:
            named = tuple(
                f"`{field}` is named in the answer: compare it with the plan"
                for field in ("productURL", "destinationURL", "migratedFrom", "product")
                if field.lower() in words
            )
            style = (
                "booleans: set `booleans: string` in the plan (Atlassian's two documents differ)",
            )
            boolean_named = "recreateasremote" in words or "createbackup" in words
            return (
                *(style if boolean_named else ()),
                *named,
                "`migratedFrom` is not the base URL that the Data Center had at migration time",
                "the app link is not authorized in this direction",
                "the two weeks are over",
                *(() if boolean_named else style),
            )
        case _:
            return ("not documented: ask Atlassian's support with the trace id",)
