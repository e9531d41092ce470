"""What the report knows of a run, computed once: every section reads it from here.

Pure. Everything is judged at the ledger's last event, since the report reads no clock. A submission
serves a pair of waves where it was, or may have been, accepted while the pair's window was open or
late.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from runbook.ledger.events import Json
from runbook.plan.model import Plan
from runbook.report.planned import plan_of
from runbook.report.states import Chip, Chips
from runbook.report.text import clip
from runbook.report.timestamps import Zone
from runbook.report.translations import Words, words_of
from runbook.view import JobState, JobView, RunView, Verification, served_at
from runbook.windows import AUDIT_LOG_KEPT, Pair, WindowState

# Beyond so many jobs the report says the same in fewer bytes (design 9: 1 000 jobs within 5 MB).
LEAN_JOBS = 150
# So many sites leave room for words in the matrix, and so many for a matrix at all.
ROOMY = 7
LARGEST = 36

_TO_COME = (WindowState.NOT_YET, WindowState.OPEN, WindowState.LATE)
_DIFFERING = ("missing", "wrong_target", "old_url")


@dataclass(frozen=True, slots=True)
class Unserved:
    """A pair of waves of a job that no submission has served, and its state at the report's moment."""

    job: JobView
    pair: Pair
    state: WindowState

    @property
    def named(self) -> str:
        """Return job and waves for a list: `eng-to-ops: wave-2 → wave-1`."""
        return f"{self.job.id}: {self.pair.from_wave.name} → {self.pair.to_wave.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """A run as the report sees it.

    `zone.lean` is set where there are so many jobs that everything has to be written shortly. `due`
    holds the pairs that need a later round, `missed` those that no round can serve any more; `done`
    the ids of the jobs that need nothing more from the run itself, `undone` every other job, those
    that need a person first. `verification` is the last one that came to an end.
    """

    view: RunView
    plan: Plan | None
    zone: Zone
    w: Words
    chips: Chips
    preview: bool
    due: tuple[Unserved, ...]
    missed: tuple[Unserved, ...]
    done: frozenset[str]
    undone: tuple[JobView, ...]
    verification: Verification | None

    @property
    def at(self) -> datetime:
        """Return the moment at which clocks are judged."""
        return self.view.last_at

    @property
    def expected_links(self) -> int:
        """Return how many links the last verification expected, over all jobs."""
        return total_of(self.verification, "expected")

    @property
    def differing_links(self) -> int:
        """Return how many expected links the last verification found to differ."""
        return differing_of(self.verification)

    @property
    def unprobed(self) -> int:
        """Return how many jobs are complete while nobody looked for their known links."""
        return sum(bool(job.unprobed()) for job in self.view.jobs)

    @property
    def unasked(self) -> int:
        """Return how many sites the last check did not ask."""
        return sum(finding.get("code") == "RB690" for finding in self.view.findings)

    @property
    def audit_log_kept(self) -> bool:
        """Return whether the ledger keeps an audit log of any site."""
        return any(log.log == "audit" for _, log in self.view.logs)

    @property
    def evidence_hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each evidence file by its path."""
        return {str(file.get("path")): str(file.get("sha256") or "") for file in self.view.evidence}

    @property
    def states_found(self) -> list[tuple[str, str]]:
        """Return the states in which there are jobs, with their words."""
        counts = self.view.counts()
        return [(state, self.chips.job_state(state).word) for state in counts if counts[state]]


def facts_of(view: RunView, lang: str) -> ReportFacts:
    """Return what the report knows of a run, or of a plan that `planned_view` made look like one.

    Raises:
        UsageError: the language is not known.
    """
    w = words_of(lang)
    unserved = tuple(_unserved(view))
    # A job that was never submitted is itself what is left to do: of its pairs only those count
    # whose window is not open yet.
    due = tuple(
        waiting
        for waiting in unserved
        if waiting.state is WindowState.NOT_YET
        or (waiting.state in _TO_COME and served_at(waiting.job))
    )
    done = frozenset(
        job.id
        for job in view.jobs
        if job.state is JobState.COMPLETE and not job.needs_person() and not job.unprobed()
    )
    undone = sorted(
        (job for job in view.jobs if job.id not in done), key=lambda job: not job.needs_person()
    )
    ended = [found for found in view.verifications if found.ended is not None]
    # Nothing is green while a later round is due, or while a known link is still to be looked for.
    clean = (
        view.verification == "clean" and not any(job.unprobed() for job in view.jobs) and not due
    )
    return ReportFacts(
        view=view,
        plan=plan_of(view),
        zone=Zone(view.started.zone_minutes, lean=len(view.jobs) > LEAN_JOBS),
        w=w,
        chips=Chips(w, clean=clean),
        preview=view.started.options.get("preview") is True,
        due=due,
        missed=tuple(waiting for waiting in unserved if waiting.state not in _TO_COME),
        done=done,
        undone=tuple(undone),
        verification=ended[-1] if ended else None,
    )


def _unserved(view: RunView) -> Iterator[Unserved]:
    for job in view.jobs:
        moments = served_at(job)
        for pair in job.windows:
            if not any(pair.servable(moment) for moment in moments):
                yield Unserved(job, pair, pair.state(view.last_at))


def names_of(waiting: Iterable[Unserved], limit: int) -> str:
    """Return the jobs and waves of pairs in one line of at most `limit` characters."""
    return clip("; ".join(dict.fromkeys(pair.named for pair in waiting)), limit)


def evidence_deadline(job: JobView) -> datetime | None:
    """Return when Atlassian's audit log loses what this job changed, None while it is not complete."""
    if job.state is not JobState.COMPLETE or job.ended_at is None:
        return None
    return job.ended_at + AUDIT_LOG_KEPT


def counted(counts: Json, kind: str) -> int:
    """Return a number of a verification's counts, 0 where there is none."""
    value = counts.get(kind)
    return value if isinstance(value, int) else 0


def differing_of(verification: Verification | None) -> int:
    """Return how many expected links are missing, point elsewhere, or keep an old address."""
    return sum(total_of(verification, kind) for kind in _DIFFERING)


def total_of(verification: Verification | None, kind: str) -> int:
    """Return how many links of a kind a verification found, over all jobs."""
    if verification is None or verification.ended is None:
        return 0
    return sum(counted(job, kind) for job in verification.ended.jobs)


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
