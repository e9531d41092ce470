"""Who approved what will be sent."""

from collections.abc import Iterable
from datetime import datetime

from runbook.ledger.codec import Recorded
from runbook.ledger.events.handover import ApprovalGiven


def approvals_for(
    events: Iterable[Recorded], jobs_digest: str
) -> tuple[tuple[datetime, ApprovalGiven], ...]:
    """Return the approvals of exactly this list of jobs, oldest first, each with its moment."""
    return tuple(
        (seen.at, seen.event)
        for seen in events
        if isinstance(seen.event, ApprovalGiven) and seen.event.jobs_digest == jobs_digest
    )
