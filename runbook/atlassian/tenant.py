"""The cloud id of a site, which `/_edge/tenant_info` tells anybody (links-api.md 3).

No credential is sent: the page needs none, and a host that is no cloud site must not get one.
"""

from runbook.http import Answer, Outcome, Request, Send

PATH = "/_edge/tenant_info"


def site_id_in(outcome: Outcome) -> str | None:
    """Return the id that an answer of the page tells, None where it tells none."""
    if not isinstance(outcome, Answer) or not 200 <= outcome.status < 300:
        return None
    try:
        body = outcome.json()
    except ValueError:
        return None
    found = body.get("cloudId") if isinstance(body, dict) else None
    return found if isinstance(found, str) and found else None


async def ask_site_id(send: Send, site: str, *, timeout_s: float = 60.0) -> Outcome:
    """Return what a site answers to the question for its id."""
    return await send(Request(method="GET", url=f"{site}{PATH}", timeout_s=timeout_s))
