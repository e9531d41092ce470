"""Look for one link known from the Data Center: before a job's POST and after its `Complete`.

A link points to the target when its `globalId` holds the target's present issue id, or when its
address is `/browse/KEY` on the destination's base or display address. What could not be looked at is
`not_asked`, with the reason; it never counts as absent.
"""

from collections.abc import Callable, Mapping

from runbook.atlassian.jira import IssueRef, JiraSite, Record
from runbook.atlassian.limits import Limits
from runbook.atlassian.outcomes import Patience
from runbook.clock import Clock
from runbook.errors import RunbookError
from runbook.http import Exchange, ProbeReading, Send
from runbook.plan.model import Plan, Site
from runbook.remotelinks.target import browse_target, issue_id_of, places_of

PRESENT = "present"
ABSENT = "absent"
NOT_ASKED = "not_asked"
_PATIENCE = Patience(attempts=3, limited_attempts=5, longest_wait_s=120.0)


def points_to(record: Record, target: str, issue: IssueRef | None, places: frozenset[str]) -> bool:
    """Return whether a record points to an issue.

    `target` is the key as known, `issue` what it resolves to now, `places` the destination's base
    addresses as `place_of` writes them. An issue id alone counts only where the address, too, could
    be the destination's: ids of different sites may be equal.
    """
    held = record.get("object")
    url = str(held.get("url") or "") if isinstance(held, Mapping) else ""
    keys = {target.upper()} | ({issue.key.upper()} if issue is not None else set())
    named = browse_target(url)
    if named is not None and named[0] in places and named[1] in keys:
        return True
    if issue is None or issue_id_of(str(record.get("globalId") or "")) != issue.id:
        return False
    return named is None or named[0] in places


async def look(source: JiraSite, destination: JiraSite, issue: str, target: str) -> tuple[str, str]:
    """Return the result and its detail: is there a link from `issue` of `source` to `target`?

    Raises:
        RunbookError: one of the sites could not be asked.
    """
    records = await source.remote_links(issue)
    info, _ = await destination.server_info()
    places = places_of((destination.url, info.get("baseUrl"), info.get("displayUrl")))
    resolved = await destination.issue(target)
    found = [record for record in records if points_to(record, target, resolved, places)]
    if found:
        named = ", ".join(str(record.get("id")) for record in found)
        return PRESENT, f"link {named} on `{issue}` points to `{target}`"
    seen = f"none of {len(records)} remote links" if records else "no remote link"
    gone = "" if resolved is not None else f"; `{target}` itself is absent, or not visible to us"
    return ABSENT, f"{seen} on `{issue}` points to `{target}`{gone}"


class RemoteLinkProber:
    """Look for known links on the sites of a plan, each with the account that the plan gives it."""

    def __init__(
        self,
        plan: Plan,
        send: Send,
        clock: Clock,
        *,
        limits: Limits | None = None,
        random: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self._plan = plan
        self._send = send
        self._clock = clock
        self._limits = limits or Limits(clock)
        self._random = random

    async def read(self, site: str, issue: str, target: str, destination: str) -> ProbeReading:
        """Return whether `issue` of `site` has a remote link to issue `target` of `destination`."""
        exchanges: list[Exchange] = []
        holder, other = self._plan.site(site), self._plan.site(destination)
        if holder is None or other is None:
            missing = site if holder is None else destination
            return ProbeReading(result=NOT_ASKED, detail=f"the plan has no site `{missing}`")
        try:
            result, detail = await look(
                self._client(holder, exchanges), self._client(other, exchanges), issue, target
            )
        except RunbookError as problem:
            return ProbeReading(result=NOT_ASKED, detail=str(problem), exchanges=tuple(exchanges))
        return ProbeReading(result=result, detail=detail, exchanges=tuple(exchanges))

    def _client(self, site: Site, exchanges: list[Exchange]) -> JiraSite:
        return JiraSite.of(
            site,
            send=self._send,
            clock=self._clock,
            limits=self._limits,
            random=self._random,
            patience=_PATIENCE,
            watch=exchanges.append,
        )
