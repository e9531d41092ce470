"""Jira's documented rate limits as token buckets (jira-rest.md B5).

One bucket per site, method and endpoint, shared by all issues; besides it two sliding windows of
writes per issue. Time is the `now_s` of the caller, monotonic seconds.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from runbook.clock import isoformat_utc
from runbook.simulator.messages import Headers, Reply, jira_error

PER_METHOD = {"GET": 100, "POST": 100, "PUT": 50, "DELETE": 50}
PER_ENDPOINT = {
    ("GET", "/rest/api/3/issue/{issueIdOrKey}"): 150,
}
PER_ISSUE_WRITES = ((20, 2.0), (100, 30.0))


@dataclass(slots=True)
class _Bucket:
    size: int
    tokens: float
    filled_s: float

    def take(self, now_s: float) -> float:
        """Take one token; return 0, or the seconds until there is one."""
        self.tokens = min(self.size, self.tokens + (now_s - self.filled_s) * self.size)
        self.filled_s = now_s
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.size


@dataclass(slots=True, kw_only=True)
class Limits:
    """The limits of a world; `enabled` False lets everything through.

    `link_jobs_per_minute` limits `POST …/jobs/cma`, for which Atlassian names no number.
    `refused` counts the answers 429 by reason.
    """

    enabled: bool = True
    link_jobs_per_minute: int | None = None
    refused: dict[str, int] = field(default_factory=dict)
    _buckets: dict[tuple[str, str, str], _Bucket] = field(default_factory=dict)
    _writes: dict[tuple[str, int], deque[float]] = field(default_factory=dict)
    _jobs: deque[float] = field(default_factory=deque)

    def burst(
        self, site: str, method: str, template: str, now_s: float, now: datetime
    ) -> tuple[Reply | None, Headers]:
        """Return the refusal, if any, and the headers that every answer carries."""
        if not self.enabled:
            return None, ()
        key = (site, method, template)
        bucket = self._buckets.get(key)
        if bucket is None:
            size = PER_ENDPOINT.get((method, template)) or PER_METHOD.get(method, 100)
            bucket = self._buckets[key] = _Bucket(size, float(size), now_s)
        wait_s = bucket.take(now_s)
        if wait_s > 0.0:
            return self._refusal("jira-burst-based", bucket.size, wait_s, now), ()
        return None, (
            ("X-RateLimit-Limit", str(bucket.size)),
            ("X-RateLimit-Remaining", str(int(bucket.tokens))),
        )

    def issue_write(self, site: str, issue: int, now_s: float, now: datetime) -> Reply | None:
        """Count one write of an issue; return the refusal where it is one too many."""
        if not self.enabled:
            return None
        writes = self._writes.setdefault((site, issue), deque())
        while writes and now_s - writes[0] >= PER_ISSUE_WRITES[-1][1]:
            writes.popleft()
        for most, span_s in PER_ISSUE_WRITES:
            recent = [at for at in writes if now_s - at < span_s]
            if len(recent) >= most:
                wait_s = recent[-most] + span_s - now_s
                return self._refusal("jira-per-issue-on-write", most, wait_s, now)
        writes.append(now_s)
        return None

    def link_job(self, now_s: float, now: datetime) -> Reply | None:
        """Count one submission of a link-fixing job; return the refusal where it is one too many."""
        most = self.link_jobs_per_minute
        if not self.enabled or most is None:
            return None
        while self._jobs and now_s - self._jobs[0] >= 60.0:
            self._jobs.popleft()
        if len(self._jobs) >= most:
            return self._refusal(None, most, self._jobs[0] + 60.0 - now_s, now)
        self._jobs.append(now_s)
        return None

    def _refusal(self, reason: str | None, limit: int, wait_s: float, now: datetime) -> Reply:
        self.refused[reason or "links"] = self.refused.get(reason or "links", 0) + 1
        whole_s = max(1, -int(-wait_s // 1))
        reset = (now + timedelta(seconds=whole_s)).replace(microsecond=0)
        headers = [
            ("X-RateLimit-Limit", str(limit)),
            ("X-RateLimit-Remaining", "0"),
            ("X-RateLimit-Reset", isoformat_utc(reset)),
        ]
        if reason is not None:
            headers += [("Retry-After", str(whole_s)), ("RateLimit-Reason", reason)]
        return jira_error(429, "Rate limit exceeded.", headers=tuple(headers))
