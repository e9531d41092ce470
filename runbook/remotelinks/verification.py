"""Verify a run: what the ledger and the changelogs say of a comparison, and the record of its result.

In: a comparison, the ledger, and where changelogs can be read. Out: counts per job and kind, and the
result: `differences` where anything is missing, wrong or old, else `partial` where something was not
looked at (absent ends, rows that no job serves and that are not local, rows that could not be read),
else `clean`. Single findings stay in the store and stream from it.

A sample's bound is the exact one of Clopper and Pearson: it holds whatever the true share is, and is a
little wide where the sample is a large part of the whole.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from runbook.clock import isoformat_utc, parse_utc
from runbook.errors import ExitCode, RunbookError, UsageError
from runbook.ledger.events.kinds import VerifyResult
from runbook.ledger.events.links import (
    LinksArrived,
    VerifyEnded,
    VerifyFound,
    WriteEnded,
    WriteIntended,
)
from runbook.ledger.store import Ledger
from runbook.plan.model import Plan
from runbook.remotelinks.compare import DIFFERENCES, KINDS, UNSEEN, Kind
from runbook.remotelinks.comparison import Comparison, MissingRow
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.history import SiteHistory, removal
from runbook.remotelinks.model import RecordedLink
from runbook.remotelinks.snapshot_file import Meta, open_snapshot
from runbook.text import printable
from runbook.view import RunView, served_at

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """A sample of `size` rows out of `total`; of the `looked_at`, `bad` were missing, wrong or old."""

    size: int
    looked_at: int
    total: int
    bad: int
    seed: str

    @property
    def at_most(self) -> float:
        """Return the share of bad rows that is not exceeded, with 95 % confidence.

        A drawn row that could not be looked at may be bad and counts so: what hides rows (a site that
        answers nothing) rarely hides them by chance.
        """
        return upper_bound(self.bad + self.size - self.looked_at, self.size)

    def sentence(self) -> str:
        """Return what the sample says, in words."""
        if self.looked_at == 0:
            return f"none of the {self.size} drawn rows could be looked at: the sample says nothing"
        unseen = self.size - self.looked_at
        hidden = (
            f" {unseen} of the {self.size} drawn could not be looked at and count as if they were;"
            if unseen
            else ""
        )
        return (
            f"{self.bad} of {self.looked_at} rows looked at are missing, wrong or old;{hidden} with 95 % confidence"
            f" at most {_percent(self.at_most)} of all {self.total} rows are"
            f" (at most {math.floor(self.at_most * self.total + 1e-9)}; Clopper-Pearson, one-sided, seed `{self.seed}`)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the sample as the ledger keeps it."""
        at_most, sentence = round(self.at_most, 6), self.sentence()
        return asdict(self) | {"confidence": CONFIDENCE, "at_most": at_most, "sentence": sentence}


def upper_bound(bad: int, looked_at: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest share under which `bad` or fewer of `looked_at` still happen 1 time in 20.

    None looked at says nothing: 1. None bad gives `1 - 0.05 ** (1 / n)`, close to the rule of three.
    """
    if looked_at <= 0 or bad >= looked_at:
        return 1.0
    low, high = bad / looked_at, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if at_most_probability(bad, looked_at, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def at_most_probability(bad: int, looked_at: int, share: float) -> float:
    """Return the probability of `bad` or fewer among `looked_at`, each bad with probability `share`."""
    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 1.0 if bad >= looked_at else 0.0
    whole = math.lgamma(looked_at + 1)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(looked_at - k + 1)
            + k * math.log(share)
            + (looked_at - k) * math.log1p(-share)
        )
        for k in range(bad + 1)
    )


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.1f} %"


FINDINGS_PER_EVENT = 1000
_ISSUES_PER_QUESTION = 500

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found; `jobs` are those of `verify --format json`.

    `comparison` streams the single findings as long as its store is open; `later` counts the missing
    links that the next round of the run can still serve.
    """

    result: VerifyResult
    comparison: Comparison = field(repr=False, compare=False)
    jobs: tuple[dict[str, Any], ...]
    sample: SampleResult | None
    later: int

    @property
    def concerned(self) -> int:
        """Return how many expected links there are without the local ones, which no job recreates."""
        local = self.comparison.store.local_count
        return int(sum(job["expected"] for job in self.jobs)) - local

    def unseen(self) -> dict[Kind, int]:
        """Return how many expected links were not really looked at, by kind; local ones left out."""
        found = {kind: self.total(kind) for kind in UNSEEN}
        found[Kind.NO_JOB] -= self.comparison.store.local_count
        return {kind: count for kind, count in found.items() if count}

    @property
    def exit_code(self) -> ExitCode:
        """Return 8 where anything is missing, wrong or old, else 0."""
        return ExitCode.DIFFERENCES if self.result == "differences" else ExitCode.DONE

    def total(self, *kinds: Kind) -> int:
        """Return how many there are of these kinds over all jobs."""
        return _total(self.jobs, kinds)


def record(
    comparison: Comparison,
    ledger: Ledger,
    run: str,
    verification: str,
    *,
    sample: SampleResult | None,
    later: int,
) -> Verified:
    """Record what a comparison found: findings, links that arrived, sums; return it.

    `sample` names what was drawn; its `looked_at` and `bad` are counted here.
    """
    store = comparison.store
    # `id` is null for what no job serves.
    jobs: list[dict[str, Any]] = [
        {"id": job, "expected": sum(counts[kind] for kind in KINDS)}
        | {kind.value: counts[kind] for kind in Kind}
        for job, counts in store.counts.items()
    ]
    if sample is not None:
        served = [job for job in jobs if job["id"] is not None]
        looked_at = sum(job["expected"] for job in served) - _total(served, UNSEEN)
        sample = replace(sample, looked_at=looked_at, bad=_total(served, DIFFERENCES))
    result: VerifyResult = "clean"
    if _total(jobs, DIFFERENCES):
        result = "differences"
    # No job serves links with both ends on one site, and none has to.
    elif (
        sample
        or store.bad_count
        or not store.expected_count
        or _total(jobs, UNSEEN) > store.local_count
    ):
        result = "partial"
    for batch in batches(comparison.findings(), FINDINGS_PER_EVENT):
        findings = [finding.as_json() for finding in batch]
        ledger.append(VerifyFound(verification=verification, findings=findings), run=run)
    _record_arrivals(comparison, ledger, run, verification)
    ended = VerifyEnded(
        verification=verification,
        result=result,
        jobs=jobs,
        pairs=_pair_counts(store.plan, jobs),
        sample=None if sample is None else sample.as_json(),
        notes=list(store.notes),
    )
    ledger.append(ended, run=run)
    return Verified(result, comparison, tuple(jobs), sample, later)


def recall(store: ComparisonStore, ledger: Ledger, run: str) -> None:
    """Tell the store which links the ledger names: recorded as arrived, or written by `repair`."""
    created: dict[str, str] = {}
    written: list[tuple[str, int]] = []
    kinds = (LinksArrived.KIND, WriteIntended.KIND, WriteEnded.KIND)
    for recorded in ledger.events(kinds=kinds):
        event = recorded.event
        if recorded.run != run:
            continue
        if isinstance(event, LinksArrived):
            store.add_recorded(event.site, RecordedLink.in_lines(event.links))
        elif isinstance(event, WriteIntended) and event.purpose == "repair":
            created[event.write] = event.site
        elif (
            isinstance(event, WriteEnded)
            and event.write in created
            and event.result == "done"
            and event.link_id is not None
        ):
            written.append((created[event.write], int(event.link_id)))
    store.add_ours(written, written=True)


async def ask_history(
    comparison: Comparison, history: SiteHistory | None, history_absent: str, view: RunView
) -> None:
    """Turn `missing` into `removed_since` where the issue's own history says that the link was removed.

    Only removals since the job's first submission count, or since the run began where there was none.
    """
    if not comparison.count(Kind.MISSING):
        return
    notes = comparison.store.notes
    if history is None:
        notes.append(
            f"no changelog was read ({history_absent}): links that somebody removed since count as missing"
        )
        return
    submitted = {job.id: min(served_at(job), default=view.started_at) for job in view.jobs}
    for site, rows in groupby(comparison.missing(), key=lambda row: row.site):
        issues = ((key, list(members)) for key, members in groupby(rows, lambda row: row.issue))
        for batch in batches(issues, _ISSUES_PER_QUESTION):
            try:
                await _ask(comparison, history, site, dict(batch), submitted)
            except RunbookError as problem:
                notes.append(
                    f"the changelog of `{site}` could not be read: {problem}; links that somebody removed since count as missing there"
                )
                break


async def _ask(
    comparison: Comparison,
    history: SiteHistory,
    site: str,
    by_issue: dict[str, list[MissingRow]],
    submitted: Mapping[str, datetime],
) -> None:
    ours = partial(comparison.store.is_ours, site)
    async for issue, changes in history.changes(site, tuple(by_issue)):
        gone = []
        for row in by_issue.get(issue, ()):
            since, keys = submitted.get(row.job), row.target_keys
            change = since and removal(changes, keys, submitted_at=since, ours=ours)
            if change:
                when = "" if change.at is None else f" at {change.at:%Y-%m-%d %H:%M} UTC"
                gone.append((row, Kind.REMOVED_SINCE, f"removed by {change.author}{when}"))
        comparison.change_kind(gone)


def _pair_counts(plan: Plan, jobs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the counts per pair of sites: `{from, to, expected, <one count per kind>}`."""
    result = []
    for job in jobs:
        instance = None if job["id"] is None else plan.instance(job["id"])
        if instance is not None:
            counts = {name: value for name, value in job.items() if name != "id"}
            result.append({"from": instance.product_url, "to": instance.destination_url, **counts})
    return result


def _total(jobs: Iterable[dict[str, Any]], kinds: Iterable[Kind]) -> int:
    return sum(job[kind.value] for job in jobs for kind in kinds)


def file_json(path: Path) -> dict[str, Any]:
    """Return a file as the ledger names it: its name and SHA-256."""
    with path.open("rb") as file:
        return {"file": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield items in lists of at most `size`, keeping order."""
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def _record_arrivals(comparison: Comparison, ledger: Ledger, run: str, verification: str) -> None:
    for (job, site), arrivals in groupby(comparison.new_arrivals(), key=itemgetter(0, 1)):
        instance = comparison.store.plan.instance(job)
        if instance is None:
            continue
        for batch in batches(arrivals, FINDINGS_PER_EVENT):
            event = LinksArrived(
                verification=verification,
                site=site,
                destination=instance.destination_url,
                links="\n".join(link.line() for _, _, link in batch),
            )
            ledger.append(event, run=run, job=job)


def check_after(path: Path, view: RunView) -> None:
    """Hold that a snapshot is of the run's plan and was begun after the last job of the run ended.

    A job that has not ended counts with its submission.

    Raises:
        UsageError: it was not, or it cannot be read.
    """
    meta = _of_this_plan(path, view, "--after")
    ends = [(job.ended_at or job.submitted_at, job.id) for job in view.jobs]
    moments = [(at, job) for at, job in ends if at is not None]
    if not moments:
        return
    end, job = max(moments)
    if parse_utc(meta.created_at) < end:
        raise UsageError(
            f"the snapshot `{path}` was begun at {meta.created_at}, before job `{printable(job)}` of run `{view.id}` ended or was submitted ({isoformat_utc(end)}): it cannot say what arrived",
            hint="leave out `--after` to take one now, or name one that was taken after the run",
        )


def check_before(path: Path, view: RunView) -> None:
    """Hold that a snapshot is of the run's plan and was whole before the run's first submission.

    Raises:
        UsageError: it was not, or it cannot be read.
    """
    meta = _of_this_plan(path, view, "--before")
    moments = [moment for job in view.jobs for moment in served_at(job)]
    made = meta.finished_at or meta.created_at
    if moments and parse_utc(made) > min(moments):
        raise UsageError(
            f"the snapshot `{path}` was made at {made}, after the first submission of run `{view.id}` ({min(moments):%Y-%m-%dT%H:%M:%SZ}): it cannot say what was there before",
            hint="leave out `--before`, or name one that was finished before the run",
        )


def _of_this_plan(path: Path, view: RunView, option: str) -> Meta:
    with open_snapshot(path) as snapshot:
        meta = snapshot.meta()
    if meta.plan != view.started.plan_name:
        raise UsageError(
            f"the snapshot `{path}` is of plan `{printable(meta.plan)}`, run `{view.id}` of plan `{printable(view.started.plan_name)}`",
            hint=f"name with `{option}` a snapshot of this run's plan",
        )
    return meta
