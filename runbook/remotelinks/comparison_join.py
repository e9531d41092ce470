"""The join of a comparison: expected links beside the links that a snapshot holds, judged by issue.

In: a `ComparisonStore` with the expected rows, and snapshots. Out: a `Comparison`. SQL brings both sides
into the order of issues, so that one issue at a time is judged in memory; `compare.judge` decides.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from runbook.remotelinks.compare import Found, Kind, Verdict, Wanted, by_job, judge
from runbook.remotelinks.comparison import Comparison
from runbook.remotelinks.comparison_store import ComparisonStore
from runbook.remotelinks.pointing import Addresses

_ARRIVED_RIGHT = (Kind.RECREATED, Kind.WRONG_TYPE)

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
WHERE e.job IS NOT NULL
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
SELECT w.site, w.asked, i.state, i.key, i.detail, e.n, e.job, e.target_site, e.target, e.target_was,
       e.label, coalesce(r.key, r2.key, t.key), coalesce(r.id, r2.id, t.id),
       'found' IN (r.state, r2.state) OR t.state = 'read', 'absent' IN (r.state, r2.state, t.state)
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
_LINKS = """
SELECT s.number, l.issue, l.link_id, l.global_id, l.relationship, l.url, l.title,
       CASE WHEN l.global_id LIKE 'appId=%issueId=%' THEN NULL
            ELSE json_extract(l.record, '$.application.type') END,
       l.hash, b.hash, b.old, n.link_id IS NOT NULL
FROM site s
JOIN after.link l ON l.site = s.url
LEFT JOIN earlier b ON b.site = s.number AND b.link_id = l.link_id
LEFT JOIN named n ON n.site = s.number AND n.link_id = l.link_id
LEFT JOIN twin w ON w.site = s.number AND w.asked = l.issue
WHERE w.asked IS NULL
ORDER BY s.number, l.issue, l.link_id
"""


class _Expected(NamedTuple):
    """A row of `_EXPECTED`: an expected link, its source as the snapshot has it, its target as it is now."""

    site: int
    asked: str
    state: str | None
    key: str | None
    detail: str | None
    n: int
    job: int
    target_site: int
    target: str
    target_was: str
    label: str
    target_key: str | None
    target_id: int | None
    target_found: int | None
    target_absent: int | None

    def wanted(self) -> Wanted:
        """Return the row as `judge` takes it."""
        found, absent = bool(self.target_found), not self.target_found and bool(self.target_absent)
        keys = (self.target, self.target_was)
        return Wanted(
            self.n,
            self.job,
            self.target_site,
            (*keys, self.target_key) if found and self.target_key else keys,
            self.target_id if found else None,
            found or absent,
            absent,
            self.label,
        )


class _Held(NamedTuple):
    """A row of `_LINKS`: a link that the snapshot holds, and what is known of it from before."""

    site: int
    asked: str
    link_id: int
    global_id: str | None
    relationship: str | None
    url: str | None
    title: str | None
    application: str | None
    hash: str
    hash_before: str | None
    old_before: int | None
    ours: int

    def found(self, *, known: bool) -> Found:
        """Return the row as `judge` takes it; `known` says that the issue was read before the run."""
        # A link that pointed to an old base and now does not was rewritten: it arrived.
        was_there = self.hash_before is not None and not self.old_before
        return Found(
            self.link_id,
            self.global_id,
            self.relationship,
            self.url or "",
            self.title or "",
            self.application,
            True if was_there else (False if known else None),
            bool(self.ours),
        )


def compare(store: ComparisonStore, after: Path, before: Path | None = None) -> Comparison:
    """Judge every expected row of a store against the snapshot from after the run.

    Raises:
        UsageError: a snapshot is not there, or it is no snapshot.
    """
    store.note_unfinished(after)
    with store.attached(after, "after"):
        addresses = _addresses(store)
        if before is not None:
            store.add_before(before, addresses)
        store.db.execute("BEGIN")
        store.db.execute(_WANT)
        _follow_moved(store)
        _join_twins(store)
        joiner = _Joiner(store, addresses, has_before=before is not None)
        for place, expected, held in _by_issue(store):
            joiner.judge(*place, expected, held)
        store.flush()
        store.db.execute("COMMIT")
    return Comparison(store, after, addresses)


def _addresses(store: ComparisonStore) -> Addresses:
    bases = {number: [url] for url, number in store.numbers.items()}
    for url, base, display in store.db.execute("SELECT url, base_url, display_url FROM after.site"):
        if url in store.numbers:
            bases[store.numbers[url]] += [address for address in (base, display) if address]
    return Addresses(bases, store.map.old_bases())


def _follow_moved(store: ComparisonStore) -> None:
    """Find sources that the snapshot holds under another key: moved since, or asked otherwise."""
    lost = store.db.execute("SELECT site, asked, n FROM want WHERE NOT seen").fetchall()
    if not lost:
        return
    names = {
        (site, name): asked
        for site, name, asked in store.db.execute(
            "SELECT s.number, i.key, i.asked FROM site s JOIN after.issue i ON i.site = s.url"
            " WHERE i.key IS NOT NULL AND i.key <> i.asked"
            " UNION ALL SELECT s.number, r.asked, i.asked FROM site s"
            " JOIN after.resolved r ON r.site = s.url AND r.key <> r.asked"
            " JOIN after.issue i ON i.site = s.url AND i.asked = r.key"
        )
    }
    store.db.executemany(
        "UPDATE want SET asked = ?, seen = 1 WHERE site = ? AND asked = ? AND n = ?",
        ((names[site, asked], site, asked, n) for site, asked, n in lost if (site, asked) in names),
    )


def _join_twins(store: ComparisonStore) -> None:
    """Bring the rows of one issue together that name it by several keys."""
    store.db.execute(_TWINS)
    store.db.executemany(
        "UPDATE want SET asked = ? WHERE site = ? AND asked = ?",
        store.db.execute("SELECT first, site, asked FROM twin").fetchall(),
    )


def _by_issue(
    store: ComparisonStore,
) -> Iterator[tuple[tuple[int, str], list[_Expected], list[_Held]]]:
    """Yield ((site, key as asked), its expected links, its links), in the order of both queries."""
    place = itemgetter(0, 1)
    rows = groupby(map(_Expected._make, store.db.cursor().execute(_EXPECTED)), place)
    links = groupby(map(_Held._make, store.db.cursor().execute(_LINKS)), place)
    row, link = next(rows, None), next(links, None)
    while row is not None or link is not None:
        here = min(group[0] for group in (row, link) if group is not None)
        expected: list[_Expected] = []
        held: list[_Held] = []
        if row is not None and row[0] == here:
            expected, row = list(row[1]), next(rows, None)
        if link is not None and link[0] == here:
            held, link = list(link[1]), next(links, None)
        yield here, expected, held


class _Joiner:
    """Judges issues one by one and writes what became of their links to the store."""

    def __init__(self, store: ComparisonStore, addresses: Addresses, *, has_before: bool) -> None:
        self._store = store
        self._addresses = addresses
        self._has_before = has_before
        self._jobs_by_site: dict[int, dict[int, int]] = {n: {} for n in store.numbers.values()}
        for job in store.counts:
            if job is not None:
                instance = store.plan.instances[job]
                source = store.numbers.get(instance.product_url)
                target = store.numbers.get(instance.destination_url)
                if source is not None and target is not None:
                    self._jobs_by_site[source][target] = job

    def judge(
        self, site: int, asked: str, expected: Sequence[_Expected], held: Sequence[_Held]
    ) -> None:
        """Judge one issue: `asked` is the key by which the snapshot holds it."""
        issue = expected[0].key or asked if expected else asked
        if expected and expected[0].state != "read":
            self._not_read(issue, expected)
            return
        known = self._has_before and self._was_read(site, asked, issue)
        verdicts = judge(
            [row.wanted() for row in expected],
            [link.found(known=known) for link in held],
            self._addresses,
            self._jobs_by_site[site],
            besides=self._store.sampled is None,
        )
        rows: dict[int | None, _Expected] = {row.n: row for row in expected}
        links = {link.link_id: link for link in held}
        for verdict in verdicts:
            self._count(verdict, site, issue, rows.get(verdict.row))
            if verdict.link is not None and self._store.sampled is None and by_job(verdict.link):
                link = links[verdict.link.link_id]
                self._arrived(verdict, issue, link, known=known)

    def _was_read(self, site: int, asked: str, issue: str) -> bool:
        query = "SELECT 1 FROM earlier_issue WHERE site = ? AND name IN (?, ?)"
        return self._store.db.execute(query, (site, asked, issue)).fetchone() is not None

    def _not_read(self, issue: str, expected: Sequence[_Expected]) -> None:
        kind, state = Kind.NOT_LOOKED_AT, expected[0].state
        if state == "absent":
            kind = Kind.SOURCE_ABSENT
            detail = "the issue does not exist there, or this account cannot see it"
        elif state is None:
            detail = "the snapshot does not hold this issue"
        else:
            said = expected[0].detail or "no further words"
            detail = f"the issue was not read ({state}): {said}"
        for row in expected:
            self._count(Verdict(row.n, row.job, kind, None, detail), row.site, issue, row)

    def _count(self, verdict: Verdict, site: int, issue: str, row: _Expected | None) -> None:
        store, link = self._store, verdict.link
        store.counts[verdict.job][verdict.kind] += 1
        if verdict.kind is Kind.RECREATED:
            return
        if row is not None:
            key = row.target_key or row.target
            target = f"{store.sites[row.target_site - 1]}/browse/{key}"
        else:
            target = "" if link is None else link.url
        store.add_finding(
            job=verdict.job,
            kind=verdict.kind,
            site=store.sites[site - 1],
            issue=issue,
            target=target,
            link_id=None if link is None else link.link_id,
            detail=verdict.detail,
            row=verdict.row,
        )

    def _arrived(self, verdict: Verdict, issue: str, link: _Held, *, known: bool) -> None:
        self._store.add_arrival(
            link.site,
            verdict.job,
            link.asked,
            issue,
            link.link_id,
            link.hash,
            link.url or "",
            verdict.kind in _ARRIVED_RIGHT,
            link.hash_before or ("absent" if known else "unknown"),
        )
