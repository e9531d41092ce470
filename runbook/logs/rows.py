"""Which job a row of Atlassian's log belongs to, as far as that can be said.

In: a parsed log, the jobs of its site with the times between which each was at work, and the rows
that earlier imports already held. Out: counts that add up to the rows. Pure.

Atlassian's logs are kept per product, not per job (links-api.md 1.5). A row belongs to a job if its
time lies within the job's, if its new address lies on the job's destination, or if it is new since
the last import and only one job ran between. Whatever fits several jobs or none stays unattributed.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from runbook.logs.read import Log

# Clocks of two machines, and the time a row takes to be written.
SLACK = timedelta(minutes=2)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_NUMBER = re.compile(r"\d{9,16}(?:\.\d+)?\Z")
_OTHER_FORMS = ("%d/%b/%y %I:%M %p", "%d/%b/%Y %H:%M", "%d %b %Y %H:%M:%S", "%Y/%m/%d %H:%M:%S")

NO_JOB = "no job fits"
SEVERAL = "several jobs fit"
NOTHING_SAID = "neither time nor target tells"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpan:
    """One job of the site and when it was at work; `ended` is None where it did not end."""

    id: str
    destination: str
    submitted: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What earlier imports of the same log of the same site held."""

    at: datetime | None = None
    fingerprints: frozenset[str] = frozenset()


@dataclass(slots=True)
class Attribution:
    """Rows per job; the counts, those seen before and those unattributed add up to the rows."""

    jobs: dict[str, int] = field(default_factory=dict)
    seen_before: int = 0
    unattributed: dict[str, int] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the counts as the ledger keeps them."""
        return {
            "jobs": self.jobs,
            "seen_before": self.seen_before,
            "unattributed": sum(self.unattributed.values()),
            "because": self.unattributed,
            "status": self.status,
        }


def attribute(log: Log, jobs: Iterable[JobSpan], earlier: Earlier) -> Attribution:
    """Return how many rows of a log belong to each job, and why the rest belongs to none."""
    jobs = tuple(jobs)
    result = Attribution(jobs={job.id: 0 for job in jobs})
    since_import = [job for job in jobs if earlier.at is not None and job.submitted > earlier.at]
    for row in log.rows:
        if fingerprint(row) in earlier.fingerprints:
            result.seen_before += 1
            continue
        _count(result.status, row.get(log.roles.get("status", ""), ""))
        found = _job_of(log, row, jobs, since_import)
        if isinstance(found, JobSpan):
            result.jobs[found.id] += 1
        else:
            _count(result.unattributed, found)
    return result


def fingerprint(row: Mapping[str, str]) -> str:
    """Return what makes two rows of two downloads the same row."""
    joined = "\x1f".join(f"{name}\x1e{value}" for name, value in sorted(row.items()) if value)
    return hashlib.sha256(joined.encode("utf-8", "replace")).hexdigest()


def moment_of(text: str) -> datetime | None:
    """Return the moment that a cell of a log says, None where it cannot be told.

    Without an offset UTC is taken, as in Atlassian's other logs. A form that could mean two days,
    such as 11/12/2026, is not guessed at.
    """
    text = text.strip()
    try:
        if _ISO.match(text):
            return _aware(datetime.fromisoformat(text))
        if _NUMBER.match(text):
            seconds = float(text)
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    for form in _OTHER_FORMS:
        try:
            return _aware(datetime.strptime(text, form))  # noqa: DTZ007 - made aware here
        except ValueError:
            continue
    try:
        return _aware(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError):
        return None


def _aware(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _job_of(
    log: Log, row: Mapping[str, str], jobs: tuple[JobSpan, ...], since_import: list[JobSpan]
) -> JobSpan | str:
    at = moment_of(row.get(log.roles.get("at", ""), ""))
    target = row.get(log.roles.get("new", ""), "").strip().lower()
    fitting = list(jobs)
    if at is not None:
        fitting = [job for job in fitting if _within(job, at)]
    if "://" in target:
        fitting = [job for job in fitting if _points_to(target, job.destination)]
    elif at is None:
        if len(since_import) == 1:
            return since_import[0]
        return NOTHING_SAID if jobs else NO_JOB
    if len(fitting) == 1:
        return fitting[0]
    return SEVERAL if fitting else NO_JOB


def _within(job: JobSpan, at: datetime) -> bool:
    return job.submitted - SLACK <= at and (job.ended is None or at <= job.ended + SLACK)


def _points_to(target: str, destination: str) -> bool:
    base = destination.lower().rstrip("/")
    return target == base or target.startswith((f"{base}/", f"{base}?", f"{base}#"))


def _count(counts: dict[str, int], word: str) -> None:
    word = word.strip()[:60]
    if word and (word in counts or len(counts) < 50):
        counts[word] = counts.get(word, 0) + 1
