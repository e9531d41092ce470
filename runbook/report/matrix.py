"""The matrix of sites: who holds links (rows), where they point (columns), and how each job stands."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runbook.report.facts import ReportFacts
from runbook.report.states import Chip
from runbook.view import JobState

ROOMY = 7
LARGEST = 36


@dataclass(frozen=True, slots=True)
class Matrix:
    """The sites of a run, and the ids and states of the jobs from one to another.

    A `small` matrix leaves only symbols to be seen, under short names for the sites. One that is
    `too_large` is a list of directions.
    """

    sites: Sequence[str]
    jobs: Mapping[tuple[str, str], Sequence[tuple[str, Chip]]]
    key: Sequence[Chip]

    @property
    def small(self) -> bool:
        """Return whether there is no room for words in the cells."""
        return len(self.sites) > ROOMY

    @property
    def too_large(self) -> bool:
        """Return whether there are too many sites for a table of all directions."""
        return len(self.sites) > LARGEST


def matrix(facts: ReportFacts) -> Matrix:
    """Return the sites in the order in which the jobs name them, with the jobs between them."""
    jobs: dict[tuple[str, str], list[tuple[str, Chip]]] = defaultdict(list)
    for job in facts.view.jobs:
        jobs[job.job.site, job.job.destination].append((job.id, facts.chips.job(job)))
    order = list(JobState)
    by_state = sorted(facts.view.jobs, key=lambda job: order.index(job.state))
    return Matrix(
        sites=list(dict.fromkeys(site for direction in jobs for site in direction)),
        jobs=dict(jobs),
        key=list(dict.fromkeys(map(facts.chips.job, by_state))),
    )
