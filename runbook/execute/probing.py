"""Look for the links that are known from the Data Center, before and after a job.

A probe that did not arrive holds the site's later jobs: it catches the empty `Complete` while the
window is still open (design section 8).
"""

from runbook.execute.books import Books
from runbook.http import ProbeReading
from runbook.ledger.events import ProbeRead
from runbook.plan.model import Probe
from runbook.view import JobView


async def probe(books: Books, job_id: str, phase: str) -> None:
    """Read the probes of a job and write down what was found; `phase` is `before` or `after`.

    After a job only those are read that were not yet, so that a crash in between loses none.
    """
    view = books.jobs[job_id]
    for one in view.probe_links if phase == "before" else view.unprobed():
        reading = ProbeReading(result="not_asked", detail="no way to read remote links was given")
        if books.ports.prober is not None:
            reading = await books.ports.prober.read(
                view.job.site, one.issue, one.target, view.job.destination
            )
        result = reading.result if phase == "before" else arrival(view, one, reading.result)
        books.record(
            ProbeRead(
                phase=phase,
                issue=one.issue,
                target=one.target,
                result=result,
                detail=reading.detail,
                exchanges=list(reading.exchanges),
            ),
            job_id,
        )
    books.hold_site_of(books.jobs[job_id])


def arrival(view: JobView, one: Probe, result: str) -> str:
    """Return what a reading after the job means, given the one before it."""
    if result not in ("present", "absent"):
        return "not_asked"
    if result == "absent":
        return "not_arrived"
    was = [
        earlier.result
        for _, earlier in view.probes
        if earlier.phase == "before" and (earlier.issue, earlier.target) == (one.issue, one.target)
    ]
    return "already_there" if was and was[-1] == "present" else "arrived"
