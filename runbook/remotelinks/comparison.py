"""The results of a comparison: single findings, links that arrived, links that are missing.

In: a `ComparisonStore` whose rows were judged (`comparison_join.compare` returns this value). Out: rows with
named columns, streamed from the database, since there may be a million. Lives as long as its store.
"""

from collections.abc import Callable, Iterable, Iterator
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
SELECT f.job, kind, site, issue, target, link_id, detail
FROM finding f LEFT JOIN job j ON j.id = f.job
ORDER BY j.number IS NULL, j.number, site, {_BY_KEY.format("issue")}, n
"""  # noqa: S608 - no values

# What the ledger does not say yet. The hash stays the one that was recorded first: a link that somebody
# changed since is not ours.
_NEW_ARRIVALS = f"""
SELECT a.job, s.url, a.issue, a.link_id, a.hash, a.expected, a.before
FROM arrival a JOIN site s ON s.number = a.site JOIN job j ON j.id = a.job
LEFT JOIN recorded r ON r.site = a.site AND r.link_id = a.link_id
WHERE r.link_id IS NULL
   OR (r.hash = substr(a.hash, 1, {HASH_DIGITS})
       AND (r.expected <> a.expected OR (r.before = 'unknown' AND a.before <> 'unknown')))
ORDER BY j.number, a.site, a.link_id
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
SELECT made.record, made.key, r.id, made.link_id, made.issue
FROM (SELECT l.record, browse_key(l.url) AS key, l.link_id, a.issue
      FROM arrival a JOIN site s ON s.number = a.site
      JOIN after.link l ON l.site = s.url AND l.issue = a.asked AND l.link_id = a.link_id
      WHERE a.job = ? AND a.expected AND NOT EXISTS
            (SELECT 1 FROM written w WHERE w.site = a.site AND w.link_id = a.link_id)
      LIMIT ?) made
LEFT JOIN after.resolved r ON r.site = ? AND r.asked = made.key AND r.state = 'found'
WHERE made.key IS NOT NULL
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


class MadeLink(NamedTuple):
    """A link that a job made: its record as JSON, and the key and numeric id that it points to."""

    record: str
    key: str
    issue_id: int | None
    link_id: int
    issue: str


class MissingRow(NamedTuple):
    """An expected link that is not there, with what is needed to ask the changelog or to repair it.

    The target's key is known as it is now, as the plan maps it, and as it was in the Data Center.
    `detail` is empty, or says why no submission could have made the link; `later` that the next round can.
    """

    finding: int
    job: str
    site: str
    issue: str
    target_site: str
    target_now: str | None
    target_mapped: str
    target_was: str
    target_id: int | None
    label: str
    detail: str
    later: int

    @property
    def target_keys(self) -> tuple[str, ...]:
        """Return every key of the target, the present one first."""
        keys = (self.target_now, self.target_mapped, self.target_was)
        return tuple(dict.fromkeys(key for key in keys if key))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the expected links of a store, compared with the snapshot `after`."""

    store: ComparisonStore
    after: Path
    addresses: Addresses

    def count(self, kind: Kind) -> int:
        """Return how many there are of a kind, over all jobs."""
        return sum(counts[kind] for counts in self.store.counts.values())

    def findings(self) -> Iterator[FindingRow]:
        """Yield single findings by job, site and issue, as people count."""
        return map(FindingRow._make, self.store.db.execute(_FINDINGS))

    def new_arrivals(self) -> Iterator[tuple[str, str, RecordedLink]]:
        """Yield (job, site, link) of every arrival of which the ledger does not say as much yet."""
        for job, site, *link in self.store.db.execute(_NEW_ARRIVALS):
            yield job, site, RecordedLink._make(link)

    def missing(self) -> tuple[MissingRow, ...]:
        """Return what is missing, with the target's present key and id, by site and issue."""
        with self.store.attached(self.after, "after"):
            return tuple(map(MissingRow._make, self.store.db.execute(_MISSING)))

    def made_links(self, job: str, destination: str, *, limit: int) -> tuple[MadeLink, ...]:
        """Return links to an expected target that a job recreated, not those that `repair` wrote."""
        db = self.store.db
        db.create_function("browse_key", 1, lambda url: self.addresses.pointer(url).key)
        with self.store.attached(self.after, "after"):
            return tuple(map(MadeLink._make, db.execute(_MADE, (job, limit, destination))))

    def change_kind(self, changes: Iterable[tuple[MissingRow, Kind, str]]) -> None:
        """Give missing rows another kind, with the reason; the counts go along."""
        for row, kind, detail in changes:
            self.store.db.execute(
                "UPDATE finding SET kind = ?, detail = ? WHERE n = ?", (kind, detail, row.finding)
            )
            self.store.counts[row.job][Kind.MISSING] -= 1
            self.store.counts[row.job][kind] += 1

    def mark_unserved(self, why: Callable[[str, str, str], Unserved | None]) -> int:
        """Say of missing rows why no submission served them; return how many a later round serves.

        `why` takes a job's id and the keys of both ends, as the plan maps them.
        """
        db = self.store.db
        # Functions of SQL, since there may be a million missing rows.
        db.create_function("unserved_detail", 3, lambda *ends: (why(*ends) or _SERVED).detail)
        db.create_function("unserved_later", 3, lambda *ends: (why(*ends) or _SERVED).later)
        db.execute(
            "UPDATE finding SET (detail, later) ="
            " (SELECT unserved_detail(e.job, e.key, e.target), unserved_later(e.job, e.key, e.target)"
            " FROM expected e WHERE e.n = finding.row) WHERE kind = 'missing'"
        )
        return int(db.execute("SELECT count(*) FROM finding WHERE later").fetchone()[0])
