"""Look for one link known from the Data Center: before a job's POST and after its `Complete`.

Where a link points is decided in `pointing`, by the target's key as known and as it is now, and by its
present issue id. What could not be looked at is `not_asked`, with the reason; it never counts as absent.
"""

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.atlassian.retry import Patience
from runbook.clock import Clock
from runbook.errors import RunbookError
from runbook.http import Exchange, ProbeReading, ProbeResult, Send
from runbook.plan.model import Plan, Site
from runbook.remotelinks.pointing import Addresses

_PATIENCE = Patience(attempts=3, limited_attempts=5, longest_wait_s=120.0)


async def look(
    source: JiraSite, destination: JiraSite, issue: str, target: str
) -> tuple[ProbeResult, str]:
    """Return the result and its detail: is there a link from `issue` of `source` to `target`?

    Raises:
        RunbookError: one of the sites could not be asked.
    """
    records = await source.remote_links(issue)
    info, _ = await destination.server_info()
    addresses = Addresses({destination.url: (info.get("baseUrl"), info.get("displayUrl"))})
    resolved = await destination.issue(target)
    keys, issue_id = {target.upper()}, None
    if resolved is not None:
        keys, issue_id = keys | {resolved.key.upper()}, resolved.id
    found = [
        record
        for record in records
        if addresses.pointer_of(record).hits(destination.url, keys, issue_id)
    ]
    if found:
        named = ", ".join(str(record.get("id")) for record in found)
        return "present", f"link {named} on `{issue}` points to `{target}`"
    seen = f"none of {len(records)} remote links" if records else "no remote link"
    gone = "" if resolved is not None else f"; `{target}` itself is absent, or not visible to us"
    return "absent", f"{seen} on `{issue}` points to `{target}`{gone}"


class RemoteLinkProber:
    """Look for known links on the sites of a plan, each with the account that the plan gives it."""

    def __init__(self, plan: Plan, send: Send, clock: Clock) -> None:
        self._plan, self._send, self._clock = plan, send, clock
        self._limits = Limits(clock)

    async def read(self, site: str, issue: str, target: str, destination: str) -> ProbeReading:
        """Return whether `issue` of `site` has a remote link to issue `target` of `destination`."""
        exchanges: list[Exchange] = []
        holder, other = self._plan.site(site), self._plan.site(destination)
        if holder is None or other is None:
            missing = site if holder is None else destination
            return ProbeReading(result="not_asked", detail=f"the plan has no site `{missing}`")
        source, target_site = (self._client(end, exchanges) for end in (holder, other))
        try:
            result, detail = await look(source, target_site, issue, target)
        except RunbookError as problem:
            result, detail = "not_asked", str(problem)
        return ProbeReading(result=result, detail=detail, exchanges=tuple(exchanges))

    def _client(self, site: Site, exchanges: list[Exchange]) -> JiraSite:
        return JiraSite(
            site,
            send=self._send,
            clock=self._clock,
            limits=self._limits,
            patience=_PATIENCE,
            watch=exchanges.append,
        )
