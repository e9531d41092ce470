"""Compare expected links with the links that a snapshot holds, issue by issue.

In: a `ComparisonStore` with the expected rows, and snapshots. Out: a `Comparison`, which streams its
rows from the database, since there may be a million, and lives as long as its store. SQL brings both
sides into the order of issues, so that one issue at a time is in memory; `compare.classify` decides.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from runbook.remotelinks.compare import Classified, Found, Kind, Wanted, by_job, classify
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.model import HASH_DIGITS, RecordedLink
from runbook.remotelinks.pointing import Addresses
from runbook.remotelinks.window_gaps import WindowGap

_SERVED = WindowGap("", later=False)
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

    def mark_gaps(self, why: Callable[[str, str, str], WindowGap | None]) -> int:
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


# Each expected row under the key by which the snapshot holds its source: the cloud's, else the Data
# Center's, else (seen = 0) the cloud's for want of a better one.
_WANT = """
INSERT INTO want
SELECT e.site, coalesce(now.asked, was.asked, e.key), e.n,
       now.asked IS NOT NULL OR was.asked IS NOT NULL
FROM expected e JOIN site s ON s.number = e.site
LEFT JOIN after.issue now ON now.site = s.url AND now.asked = e.key
LEFT JOIN after.issue was
       ON now.asked IS NULL AND e.was <> e.key AND was.site = s.url AND was.asked = e.was
"""

# Every other name by which the snapshot knows an issue: moved since, or asked otherwise.
_OTHER_NAMES = """
SELECT s.number, i.key, i.asked FROM site s JOIN after.issue i ON i.site = s.url
WHERE i.key IS NOT NULL AND i.key <> i.asked
UNION ALL
SELECT s.number, r.asked, i.asked FROM site s
JOIN after.resolved r ON r.site = s.url AND r.key <> r.asked
JOIN after.issue i ON i.site = s.url AND i.asked = r.key
"""

# One issue that the snapshot read under several keys: the first of them stands for all.
_TWINS = """
INSERT INTO twin
SELECT s.number, i.asked, twins.first
FROM (SELECT site, id, min(asked) AS first FROM after.issue
      WHERE state = 'read' AND id IS NOT NULL GROUP BY site, id HAVING count(*) > 1) twins
JOIN after.issue i ON i.site = twins.site AND i.id = twins.id AND i.state = 'read'
JOIN site s ON s.url = i.site
WHERE i.asked <> twins.first
"""

# The target's present key and id come from what was resolved (by its cloud key, `r`, or its Data Center
# key, `r2`), or from the issue itself where the snapshot read it (`t`).
_EXPECTED = """
SELECT s.url, w.asked, i.state, i.key, i.detail, e.n, e.job, ts.url, e.target, e.target_was, e.label,
       coalesce(r.key, r2.key, t.key), coalesce(r.id, r2.id, t.id),
       CASE WHEN 'found' IN (r.state, r2.state) OR t.state = 'read' THEN 'found'
            WHEN 'absent' IN (r.state, r2.state, t.state) THEN 'absent' END
FROM want w
JOIN expected e ON e.n = w.n
JOIN site s ON s.number = w.site
JOIN site ts ON ts.number = e.target_site
LEFT JOIN after.issue i ON i.site = s.url AND i.asked = w.asked
LEFT JOIN after.resolved r ON r.site = ts.url AND r.asked = e.target
LEFT JOIN after.resolved r2
       ON e.target_was <> e.target AND r2.site = ts.url AND r2.asked = e.target_was
LEFT JOIN after.issue t ON t.site = ts.url AND t.asked = e.target
ORDER BY w.site, w.asked, w.n
"""

# The application matters only where the globalId is not that of a job's link, and reading it out of the
# record's JSON is slow; twins are left out, since their first one shows the same links.
_HELD = """
SELECT s.url, l.issue, l.link_id, l.global_id, l.relationship, coalesce(l.url, ''),
       coalesce(l.title, ''), CASE WHEN l.global_id LIKE 'appId=%issueId=%' THEN NULL
       ELSE json_extract(l.record, '$.application.type') END,
       n.link_id IS NOT NULL, l.hash, b.hash, b.old
FROM site s
JOIN after.link l ON l.site = s.url
LEFT JOIN earlier b ON b.site = s.number AND b.link_id = l.link_id
LEFT JOIN named n ON n.site = s.number AND n.link_id = l.link_id
LEFT JOIN twin w ON w.site = s.number AND w.asked = l.issue
WHERE w.asked IS NULL
ORDER BY s.number, l.issue, l.link_id
"""


class _Expected(NamedTuple):
    """An expected link: the state, key and detail of its source in the snapshot, its target's address."""

    site: str
    asked: str
    state: str | None
    key: str | None
    detail: str | None
    target: str
    wanted: Wanted


def compare(store: ComparisonStore, after: Path, before: Path | None = None) -> Comparison:
    """Classify every expected row of a store against the snapshot from after the run.

    Raises:
        UsageError: a snapshot is not there, or it is no snapshot.
    """
    with store.attached(after, "after", note=True):
        addresses = _addresses(store)
        if before is not None:
            store.add_before(before, addresses)
        store.db.execute("BEGIN")
        store.db.execute(_WANT)
        _follow_moved(store.db)
        _join_twins(store.db)
        joiner = _Joiner(store, addresses, has_before=before is not None)
        store.add_arrivals(joiner.arrivals())
        store.db.execute("COMMIT")
    return Comparison(store, after, addresses)


def _addresses(store: ComparisonStore) -> Addresses:
    rows = store.db.execute("SELECT url, base_url, display_url FROM after.site")
    described = {url: bases for url, *bases in rows}
    sites = {site.url: described.get(site.url, ()) for site in store.plan.sites}
    return Addresses(sites, store.map.old_bases())


def _follow_moved(db: sqlite3.Connection) -> None:
    """Find sources that the snapshot holds under another key."""
    lost = db.execute("SELECT site, asked, n FROM want WHERE NOT seen").fetchall()
    if lost:
        names = {(site, name): asked for site, name, asked in db.execute(_OTHER_NAMES)}
        db.executemany(
            "UPDATE want SET asked = ?, seen = 1 WHERE site = ? AND asked = ? AND n = ?",
            ((names[row[:2]], *row) for row in lost if row[:2] in names),
        )


def _join_twins(db: sqlite3.Connection) -> None:
    """Bring the rows of one issue together that name it by several keys."""
    db.execute(_TWINS)
    db.executemany(
        "UPDATE want SET asked = ? WHERE site = ? AND asked = ?",
        db.execute("SELECT first, site, asked FROM twin").fetchall(),
    )


def _expected_rows(db: sqlite3.Connection) -> Iterator[_Expected]:
    for site, asked, state, key, detail, *want in db.execute(_EXPECTED):
        n, job, target_site, target, was, label, now, issue_id, known = want
        keys = (target, was, now) if now else (target, was)
        resolved, absent = known is not None, known == "absent"
        wanted = Wanted(n, job, target_site, keys, issue_id, resolved, absent, label)
        yield _Expected(
            site, asked, state, key, detail, f"{target_site}/browse/{now or target}", wanted
        )


class _Joiner:
    """Judges issue by issue: counts and findings go to the store, links that arrived come out."""

    def __init__(self, store: ComparisonStore, addresses: Addresses, *, has_before: bool) -> None:
        self._store = store
        self._addresses = addresses
        self._has_before = has_before
        self._jobs: dict[str, dict[str, str]] = {site.url: {} for site in store.plan.sites}
        for instance in store.plan.instances:
            if instance.id in store.counts and instance.product_url in self._jobs:
                self._jobs[instance.product_url][instance.destination_url] = instance.id

    def arrivals(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the table `arrival`; both sides come in the order of site and key."""
        db, site_and_key = self._store.db, itemgetter(0, 1)
        rows = groupby(_expected_rows(db), site_and_key)
        links = groupby(db.execute(_HELD), site_and_key)
        row, link = next(rows, None), next(links, None)
        while row is not None or link is not None:
            here = min(group[0] for group in (row, link) if group is not None)
            expected: list[_Expected] = []
            held: list[tuple[Any, ...]] = []
            if row is not None and row[0] == here:
                expected, row = list(row[1]), next(rows, None)
            if link is not None and link[0] == here:
                held, link = list(link[1]), next(links, None)
            if expected and expected[0].state != "read":
                self._not_read(expected)
            else:
                yield from self._judged(here, expected, held)

    def _judged(
        self, here: tuple[str, str], expected: list[_Expected], held: list[tuple[Any, ...]]
    ) -> Iterator[tuple[Any, ...]]:
        """Classify one issue: `here` is its site and the key by which the snapshot holds it."""
        site, asked = here
        issue = expected[0].key or asked if expected else asked
        known = self._has_before and self._store.was_read(site, asked, issue)
        found: list[Found] = []
        hashes: dict[int, tuple[str, str]] = {}
        for _, _, link_id, global_id, label, url, title, app, ours, digest, *earlier in held:
            digest_before, pointed_to_old = earlier
            # A link that pointed to an old base and now does not was rewritten: it arrived.
            was_there = digest_before is not None and not pointed_to_old
            before = True if was_there else (False if known else None)
            found.append(Found(link_id, global_id, label, url, title, app, before, bool(ours)))
            hashes[link_id] = digest, digest_before or ("absent" if known else "unknown")
        whole = self._store.sampled is None
        wanted = [row.wanted for row in expected]
        rows: dict[int | None, _Expected] = {row.wanted.row: row for row in expected}
        number = self._store.numbers[site]
        for finding in classify(wanted, found, self._addresses, self._jobs[site], besides=whole):
            kind, link, row = finding.kind, finding.link, rows.get(finding.row)
            if row is not None:
                self._count(finding, site, issue, row.target)
            elif link is not None:
                self._count(finding, site, issue, link.url)
            if whole and link is not None and by_job(link):
                right = kind in (Kind.RECREATED, Kind.WRONG_TYPE)
                digest, then = hashes[link.link_id]
                yield number, finding.job, asked, issue, link.link_id, digest, right, then

    def _not_read(self, expected: list[_Expected]) -> None:
        site, asked, state, key, said, *_ = expected[0]
        kind = Kind.SOURCE_ABSENT if state == "absent" else Kind.NOT_LOOKED_AT
        if state == "absent":
            detail = "the issue does not exist there, or this account cannot see it"
        elif state is None:
            detail = "the snapshot does not hold this issue"
        else:
            detail = f"the issue was not read ({state}): {said or 'no further words'}"
        for row in expected:
            finding = Classified(row.wanted.row, row.wanted.job, kind, None, detail)
            self._count(finding, site, key or asked, row.target)

    def _count(self, finding: Classified, site: str, issue: str, target: str) -> None:
        row, job, kind, link, detail = finding
        self._store.counts[job][kind] += 1
        if kind is not Kind.RECREATED:
            link_id = None if link is None else link.link_id
            self._store.add_finding(job, kind, site, issue, target, link_id, detail, row)
