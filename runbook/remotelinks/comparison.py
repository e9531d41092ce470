"""The results of a comparison: single findings, links that arrived, links that are missing.

In: a `ComparisonStore` whose rows were judged (`comparison_join.compare` returns this value). Out: rows with
named columns, streamed from the database, since there may be a million. Lives as long as its store.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runbook.remotelinks.compare import Kind
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.model import HASH_DIGITS, RecordedLink
from runbook.remotelinks.pointing import Addresses
from runbook.remotelinks.unserved import Unserved

_SERVED = Unserved("", later=False)
# Issue keys as people count them: PLT-2 before PLT-10.
_BY_KEY = "substr({0}, 1, instr({0}, '-')), CAST(substr({0}, instr({0}, '-') + 1) AS INTEGER), {0}"

_FINDINGS = f"""
SELECT job, kind, site, issue, target, link_id, detail FROM finding
ORDER BY job IS NULL, job, site, {_BY_KEY.format("issue")}, n
"""  # noqa: S608 - no values

# What the ledger does not say yet. The hash stays the one that was recorded first: a link that somebody
# changed since is not ours.
_NEW_ARRIVALS = f"""
SELECT a.site, a.job, a.issue, a.link_id, a.hash, a.url, a.expected, a.before
FROM arrival a LEFT JOIN recorded r ON r.site = a.site AND r.link_id = a.link_id
WHERE r.link_id IS NULL
   OR (r.hash = substr(a.hash, 1, {HASH_DIGITS})
       AND (r.expected <> a.expected OR (r.before = 'unknown' AND a.before <> 'unknown')))
ORDER BY a.job, a.site, a.link_id
"""  # noqa: S608 - no values

_MISSING = f"""
SELECT f.n, f.job, f.site, f.issue, ts.url, coalesce(r.key, r2.key, t.key), e.target, e.target_was,
       coalesce(r.id, r2.id, t.id), e.label, f.detail, f.later
FROM finding f JOIN expected e ON e.n = f.row
JOIN site ts ON ts.number = e.target_site
LEFT JOIN after.resolved r ON r.site = ts.url AND r.asked = e.target AND r.state = 'found'
LEFT JOIN after.resolved r2 ON r2.site = ts.url AND r2.asked = e.target_was AND r2.state = 'found'
LEFT JOIN after.issue t ON t.site = ts.url AND t.asked = e.target
WHERE f.kind = 'missing' ORDER BY f.site, {_BY_KEY.format("f.issue")}, f.n
"""  # noqa: S608 - no values

_MADE = """
SELECT l.record, l.url, l.link_id, a.issue FROM arrival a
JOIN site s ON s.number = a.site
JOIN after.link l ON l.site = s.url AND l.issue = a.asked AND l.link_id = a.link_id
WHERE a.job = ? AND a.expected AND NOT EXISTS
      (SELECT 1 FROM written w WHERE w.site = a.site AND w.link_id = a.link_id)
LIMIT ?
"""


class FindingRow(NamedTuple):
    """One single finding; `issue` is a key, `target` a URL, `job` None where no job serves it."""

    job: str | None
    kind: str
    site: str | None
    issue: str
    target: str
    link_id: int | None
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as `verify --format json` and the ledger show it."""
        return self._asdict()


class Arrival(NamedTuple):
    """A link that points to the destination of a job and was not there before, as far as is known.

    `before` is `absent`, `unknown` (no snapshot from before, or the issue was not read in it), or the
    hash that the link had then, where it pointed to an old base URL.
    """

    site: str
    job: str
    issue: str
    link_id: int
    hash: str
    url: str
    expected: bool
    before: str

    def recorded(self) -> RecordedLink:
        """Return the arrival as the ledger records it."""
        return RecordedLink(self.issue, self.link_id, self.hash, self.expected, self.before)


class MadeLink(NamedTuple):
    """A link that a job made: its record as JSON, and the key and numeric id that it points to."""

    record: str
    key: str
    issue_id: int | None
    link_id: int
    issue: str


class MissingRow(NamedTuple):
    """An expected link that is not there, with what is needed to ask the changelog or to repair it.

    `target_keys` begin with the present key. `detail` is empty, or says why no submission could have made
    the link; `later` that the next round can.
    """

    finding: int
    job: str
    site: str
    issue: str
    target_site: str
    target_keys: tuple[str, ...]
    target_id: int | None
    label: str
    detail: str = ""
    later: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the expected links of a store, compared with the snapshot `after`."""

    store: ComparisonStore
    after: Path
    addresses: Addresses

    @property
    def counts(self) -> Mapping[int | None, dict[Kind, int]]:
        """Return the counts by kind of every job, by its number; None for what no job serves."""
        return self.store.counts

    def count(self, kind: Kind) -> int:
        """Return how many there are of a kind, over all jobs."""
        return sum(counts[kind] for counts in self.counts.values())

    def findings(self) -> Iterator[FindingRow]:
        """Yield single findings by job, site and issue, as people count."""
        for job, *rest in self.store.db.cursor().execute(_FINDINGS):
            yield FindingRow(None if job is None else self.store.jobs[job], *rest)

    def new_arrivals(self) -> Iterator[Arrival]:
        """Yield the links that arrived and of which the ledger does not say as much yet, by job and site."""
        for (
            site,
            job,
            issue,
            link_id,
            digest,
            url,
            expected,
            before,
        ) in self.store.db.cursor().execute(_NEW_ARRIVALS):
            yield Arrival(
                self.store.sites[site - 1],
                self.store.jobs[job],
                issue,
                link_id,
                digest,
                url,
                bool(expected),
                before,
            )

    def missing(self) -> tuple[MissingRow, ...]:
        """Return what is missing, with the target's present key and id, by site and issue."""
        with self.store.attached(self.after, "after"):
            return tuple(
                MissingRow._make(
                    (
                        finding,
                        self.store.jobs[job],
                        site,
                        issue,
                        target_site,
                        tuple(dict.fromkeys(key for key in (now, target, was) if key)),
                        *rest,
                        bool(later),
                    )
                )
                for finding, job, site, issue, target_site, now, target, was, *rest, later in (
                    self.store.db.execute(_MISSING)
                )
            )

    def made_links(self, job: str, *, limit: int) -> list[MadeLink]:
        """Return links to an expected target that a job recreated, not those that `repair` wrote."""
        instance = self.store.plan.instance(job)
        if instance is None:
            return []
        result: list[MadeLink] = []
        with self.store.attached(self.after, "after"):
            rows = self.store.db.execute(_MADE, (self.store.job_numbers[job], limit)).fetchall()
            for record, url, link_id, issue in rows:
                key = self.addresses.pointer(url).key
                found = self.store.db.execute(
                    "SELECT id FROM after.resolved WHERE site = ? AND asked = ? AND state = 'found'",
                    (instance.destination_url, key),
                ).fetchone()
                if key is not None:
                    issue_id = None if found is None else found[0]
                    result.append(MadeLink(record, key, issue_id, link_id, issue))
        return result

    def change_kind(self, changes: Iterable[tuple[MissingRow, Kind, str]]) -> None:
        """Give missing rows another kind, with the reason; the counts go along."""
        for row, kind, detail in changes:
            self.store.db.execute(
                "UPDATE finding SET kind = ?, detail = ? WHERE n = ?",
                (kind.value, detail, row.finding),
            )
            counts = self.counts[self.store.job_numbers[row.job]]
            counts[Kind.MISSING] -= 1
            counts[kind] += 1

    def mark_unserved(self, why: Callable[[str, str, str], Unserved | None]) -> int:
        """Say of missing rows why no submission served them; return how many a later round serves.

        `why` takes a job's id and the keys of both ends, as the plan maps them.
        """
        db, jobs = self.store.db, self.store.jobs

        def unserved(job: int, key: str, target: str) -> Unserved:
            return why(jobs[job], key, target) or _SERVED

        # Functions of SQL, since there may be a million missing rows.
        db.create_function("unserved_detail", 3, lambda *ends: unserved(*ends).detail)
        db.create_function("unserved_later", 3, lambda *ends: unserved(*ends).later)
        db.execute(
            "UPDATE finding SET (detail, later) ="
            " (SELECT unserved_detail(e.job, e.key, e.target), unserved_later(e.job, e.key, e.target)"
            " FROM expected e WHERE e.n = finding.row) WHERE kind = 'missing'"
        )
        return int(db.execute("SELECT count(*) FROM finding WHERE later").fetchone()[0])
