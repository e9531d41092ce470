"""Keep to Jira's documented rate limits, and pause what a 429 asks to pause.

Three limits are independent of each other (jira-rest.md B5): a token bucket per site, method and
endpoint template; writes per issue; and, for apps only, a quota per hour. `RequestPace` and
`IssueWrites` decide when the next request may leave and read no clock; `Limits` waits.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from runbook.clock import Clock

# Per second, by method; then the endpoints that Atlassian lists with a number of their own.
_BY_METHOD = {"GET": 100.0, "POST": 100.0, "PUT": 50.0, "DELETE": 50.0}
_BY_ENDPOINT = {
    ("GET", "issue/{issue}"): 150.0,
    ("GET", "issue/{issue}/changelog"): 200.0,
    ("POST", "search/approximate-count"): 150.0,
}
# (writes, seconds) of one issue.
PER_ISSUE_WRITES: tuple[tuple[int, float], ...] = ((20, 2.0), (100, 30.0))

# The server's bucket holds a second's worth of requests. Ours bursts a tenth of it, since requests
# that leave evenly do not arrive evenly, and other clients of the site use the same bucket.
_BURST_SHARE = 0.1
_SLOWEST_SHARE = 0.05
_RECOVER_EVERY_S = 5.0
_RECOVER_FACTOR = 1.25

# What a 429 pauses.
PauseScope = Literal["all sites", "site", "endpoint", "issue"]


def paused_by(reason: str | None) -> PauseScope:
    """Return what pauses for a `RateLimit-Reason`; only the endpoint where it is absent or not known."""
    words = (reason or "").lower()
    if "quota-global" in words:
        return "all sites"
    if "quota" in words:
        return "site"
    return "issue" if "per-issue" in words else "endpoint"


def documented_rate_per_s(method: str, endpoint: str) -> float:
    """Return Atlassian's documented rate of an endpoint template such as `issue/{issue}/remotelink`."""
    return _BY_ENDPOINT.get((method, endpoint), _BY_METHOD.get(method, 50.0))


@dataclass(slots=True)
class RequestPace:
    """When the next request of one endpoint may leave: a token bucket, kept as one moment.

    Moments are seconds of a monotonic clock. `rate_per_s` falls by half for each 429 and comes back
    by a quarter every five seconds.
    """

    full_rate_per_s: float
    burst: float
    rate_per_s: float = 0.0
    _level_s: float = float("-inf")
    _changed_s: float = 0.0

    def __post_init__(self) -> None:
        self.rate_per_s = self.full_rate_per_s

    def reserve(self, now_s: float) -> float:
        """Reserve the next token and return when it may be used, `now_s` where one is there."""
        self._recover(now_s)
        interval_s = 1.0 / self.rate_per_s
        # `_level_s` is the moment at which the bucket is full again.
        self._level_s = max(self._level_s, now_s) + interval_s
        return max(now_s, self._level_s - max(1.0, self.burst) * interval_s)

    def slow_down(self, now_s: float) -> None:
        """Halve the rate: the server's bucket was empty."""
        self.rate_per_s = max(self.full_rate_per_s * _SLOWEST_SHARE, self.rate_per_s / 2)
        self._changed_s = now_s

    def _recover(self, now_s: float) -> None:
        if self.rate_per_s < self.full_rate_per_s and now_s - self._changed_s >= _RECOVER_EVERY_S:
            self.rate_per_s = min(self.full_rate_per_s, self.rate_per_s * _RECOVER_FACTOR)
            self._changed_s = now_s


@dataclass(slots=True)
class IssueWrites:
    """When the next write of one issue may leave: sliding windows over its last writes."""

    _moments_s: deque[float] = field(
        default_factory=lambda: deque(maxlen=max(count for count, _ in PER_ISSUE_WRITES))
    )

    def reserve(self, now_s: float) -> float:
        """Reserve the next write and return when it may leave."""
        at_s = max(now_s, self._moments_s[-1]) if self._moments_s else now_s
        for count, window_s in PER_ISSUE_WRITES:
            if len(self._moments_s) >= count:
                at_s = max(at_s, self._moments_s[-count] + window_s)
        self._moments_s.append(at_s)
        return at_s

    def idle(self, now_s: float) -> bool:
        """Return whether no window holds a write any more."""
        longest_s = max(window_s for _, window_s in PER_ISSUE_WRITES)
        return not self._moments_s or self._moments_s[-1] + longest_s < now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedRequest:
    """What a request counts against; `endpoint` is a template, `issue` is the one that a write changes."""

    site: str
    method: str
    endpoint: str
    issue: str | None = None


class Limits:
    """The limits of every site this process talks to; requests of one process share one object.

    `rate_cap_per_s` lowers every endpoint's rate, for a site that others work on (`--rate`).
    """

    def __init__(self, clock: Clock, *, rate_cap_per_s: float | None = None) -> None:
        self._clock = clock
        self._cap = rate_cap_per_s
        self._paces: dict[tuple[str, str, str], RequestPace] = {}
        self._writes: dict[tuple[str, str], IssueWrites] = {}
        self._paused_until_s: dict[tuple[str, ...], float] = {}

    async def enter(self, request: LimitedRequest) -> None:
        """Return when the request may leave."""
        while True:
            now_s = self._clock.monotonic_s()
            paused_s = self._paused(request)
            if paused_s > now_s:
                await self._clock.sleep(paused_s - now_s)
                continue
            at_s = self._reserve(request, now_s)
            if at_s <= now_s:
                return
            await self._clock.sleep(at_s - now_s)
            # Another request may have met a 429 while this one waited.
            if self._paused(request) <= self._clock.monotonic_s():
                return

    def refused(self, request: LimitedRequest, reason: str | None, wait_s: float) -> None:
        """Pause what a 429 pauses for `wait_s` seconds, and slow its endpoint down."""
        scope = paused_by(reason)
        now_s = self._clock.monotonic_s()
        key = _pause_keys(request)[scope]
        was_s = self._paused_until_s.get(key, 0.0)
        if scope == "endpoint" and was_s <= now_s:
            # Of many requests that were under way together, the first one counts.
            self._pace(request).slow_down(now_s)
        self._paused_until_s[key] = max(was_s, now_s + wait_s)

    def _paused(self, request: LimitedRequest) -> float:
        if not self._paused_until_s:
            return 0.0
        return max(self._paused_until_s.get(key, 0.0) for key in _pause_keys(request).values())

    def _reserve(self, request: LimitedRequest, now_s: float) -> float:
        at_s = self._pace(request).reserve(now_s)
        if request.issue is None:
            return at_s
        if len(self._writes) > 10_000:
            self._writes = {
                key: writes for key, writes in self._writes.items() if not writes.idle(now_s)
            }
        writes = self._writes.setdefault((request.site, request.issue), IssueWrites())
        return max(at_s, writes.reserve(at_s))

    def _pace(self, request: LimitedRequest) -> RequestPace:
        key = (request.site, request.method, request.endpoint)
        if key not in self._paces:
            rate = documented_rate_per_s(request.method, request.endpoint)
            rate = rate if self._cap is None else min(rate, self._cap)
            self._paces[key] = RequestPace(rate, max(1.0, rate * _BURST_SHARE))
        return self._paces[key]


def _pause_keys(request: LimitedRequest) -> dict[PauseScope, tuple[str, ...]]:
    """Return under which key each kind of pause that meets a request is kept."""
    site = request.site
    return {
        "all sites": (),
        "site": (site,),
        "endpoint": (site, request.method, request.endpoint),
        "issue": (site, "issue", request.issue or "", ""),
    }
