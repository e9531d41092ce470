"""A comparison on disk: expected rows and snapshots are joined in a temporary SQLite database.

In: a plan, expected rows, the snapshot taken after the run and, where there is one, before it. Out:
counts per job and kind, single findings, and the links that arrived. Rows are normalised in Python
once, joined by SQL in key order, and judged issue by issue, so a million links need little memory.
The snapshots are attached read-only; nothing here touches the network or the ledger.
"""

import contextlib
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Self

from runbook.errors import UsageError
from runbook.plan.model import Plan
from runbook.remotelinks.compare import (
    OLD,
    Addresses,
    Found,
    Kind,
    Verdict,
    Wanted,
    by_job,
    judge,
)
from runbook.remotelinks.expected import BadRow, ExpectedRow
from runbook.remotelinks.mapping import PlanMap, Route
from runbook.remotelinks.snapshot_file import open_snapshot
from runbook.remotelinks.unserved import Unserved

_BATCH = 2000
HASH_DIGITS = 32  # of a record's content hash, as the ledger names arrived links
_SCHEMA = """
CREATE TABLE site(number INTEGER PRIMARY KEY, url TEXT);
CREATE TABLE expected(n INTEGER PRIMARY KEY, line INTEGER, job INTEGER, site INTEGER, key TEXT,
    was TEXT, target_site INTEGER, target TEXT, target_was TEXT, label TEXT);
CREATE TABLE want(site INTEGER, asked TEXT, n INTEGER, seen INTEGER, PRIMARY KEY(site, asked, n))
    WITHOUT ROWID;
CREATE TABLE twin(site INTEGER, asked TEXT, first TEXT, PRIMARY KEY(site, asked)) WITHOUT ROWID;
CREATE TABLE earlier(site INTEGER, link_id INTEGER, hash TEXT, old INTEGER,
    PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE earlier_issue(site INTEGER, name TEXT, PRIMARY KEY(site, name)) WITHOUT ROWID;
CREATE TABLE named(site INTEGER, link_id INTEGER, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE written(site INTEGER, link_id INTEGER, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE recorded(site INTEGER, link_id INTEGER, line TEXT, PRIMARY KEY(site, link_id))
    WITHOUT ROWID;
CREATE TABLE finding(n INTEGER PRIMARY KEY, job INTEGER, kind TEXT, site TEXT, issue TEXT,
    target TEXT, link_id INTEGER, detail TEXT, row INTEGER, later INTEGER DEFAULT 0);
CREATE TABLE arrival(site INTEGER, job INTEGER, asked TEXT, issue TEXT, link_id INTEGER, hash TEXT, url TEXT,
    expected INTEGER, before TEXT, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
"""

_WANT = """
INSERT INTO want
SELECT e.site, coalesce(one.asked, other.asked, e.key), e.n,
       one.asked IS NOT NULL OR other.asked IS NOT NULL
FROM expected e JOIN site s ON s.number = e.site
LEFT JOIN after.issue one ON one.site = s.url AND one.asked = e.key
LEFT JOIN after.issue other
       ON one.asked IS NULL AND e.was <> e.key AND other.site = s.url AND other.asked = e.was
WHERE e.job IS NOT NULL
"""

_ROWS = """
SELECT w.site, w.asked, i.state, i.key, i.detail, e.n, e.job, e.target_site, e.target, e.target_was,
       e.label, r.state, r.key, r.id, r2.state, r2.key, r2.id, t.state, t.key, t.id
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

# One issue that the snapshot read under several keys: the first of them stands for all.
_TWINS = """
INSERT INTO twin
SELECT s.number, i.asked, one.first
FROM (SELECT site, id, min(asked) AS first FROM after.issue
      WHERE state = 'read' AND id IS NOT NULL GROUP BY site, id HAVING count(*) > 1) one
JOIN after.issue i ON i.site = one.site AND i.id = one.id AND i.state = 'read'
JOIN site s ON s.url = i.site
WHERE i.asked <> one.first
"""

# Issue keys as people count them: PLT-2 before PLT-10.
_BY_KEY = "substr({0}, 1, instr({0}, '-')), CAST(substr({0}, instr({0}, '-') + 1) AS INTEGER), {0}"

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


class MadeLink(NamedTuple):
    """A link that a job made: its record as JSON, and the key and numeric id that it points to."""

    record: str
    key: str
    issue_id: int | None
    link_id: int
    issue: str


class MissingRow(NamedTuple):
    """An expected link that is not there, with what is needed to ask the changelog or to repair it.

    `detail` is empty, or says why no submission could have made it; `later` that the next round can.
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


class Stage:
    """One comparison under way; close it to remove its temporary file."""

    def __init__(self, plan: Plan, *, folder: Path | None = None) -> None:
        self.plan = plan
        self.map = PlanMap(plan)
        self.notes: list[str] = []
        self.bad: list[BadRow] = []
        self.bad_count = 0
        self.local_count = 0
        self.sampled: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="runbook-", dir=folder)
        self._db = sqlite3.connect(
            str(Path(self._folder.name) / "compare.sqlite"), uri=True, isolation_level=None
        )
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -48000;"
            + _SCHEMA
        )
        self.sites = sorted(site.url for site in plan.sites)
        self._numbers = {url: number for number, url in enumerate(self.sites, start=1)}
        self.addresses: Addresses | None = None
        self._db.executemany("INSERT INTO site VALUES (?, ?)", enumerate(self.sites, start=1))
        self.jobs = [instance.id for instance in plan.instances]
        self._job_numbers = {job: number for number, job in enumerate(self.jobs)}
        self.counts: dict[int | None, dict[Kind, int]] = {}
        for number, instance in enumerate(plan.instances):
            if self.map.job_between(instance.product_url, instance.destination_url) is instance:
                self.counts[number] = dict.fromkeys(Kind, 0)
        self._findings: list[tuple[Any, ...]] = []
        self._arrivals: list[tuple[Any, ...]] = []
        self._expected_total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary database."""
        self._db.close()
        self._folder.cleanup()

    # Expected rows

    def add_expected(self, rows: Iterable[ExpectedRow | BadRow], *, keep_bad: int = 1000) -> None:
        """Stage the expected rows; those that no job serves are settled at once.

        Bad rows are counted (`bad_count`), and the first `keep_bad` kept with their lines;
        `local_count` counts the links with both ends on one site.
        """
        routes = self.map.route
        batch: list[tuple[Any, ...]] = []
        self._db.execute("BEGIN")
        for row in rows:
            if isinstance(row, BadRow):
                self.bad_count += 1
                if len(self.bad) < keep_bad:
                    self.bad.append(row)
                continue
            self._expected_total += 1
            route = routes(row)
            if route.job is None or route.source is None or route.target is None:
                self.local_count += route.same_site
                self._no_job(row, route)
                continue
            batch.append(
                (
                    row.line,
                    self._job_numbers[route.job.id],
                    self._numbers[route.source.site.url],
                    route.source.key,
                    row.source_key,
                    self._numbers[route.target.site.url],
                    route.target.key,
                    row.destination_key,
                    row.link_type,
                )
            )
            if len(batch) >= _BATCH:
                self._stage(batch)
        self._stage(batch)
        self._flush()
        self._db.execute("COMMIT")
        if self.local_count:
            self.notes.append(
                f"{self.local_count} expected links have both ends on one site: local links that no job recreates, counted as no_job and not listed"
            )
        if self.bad_count:
            self.notes.append(f"{self.bad_count} rows of the expected links were not taken")

    def _stage(self, batch: list[tuple[Any, ...]]) -> None:
        self._db.executemany(
            "INSERT INTO expected(line, job, site, key, was, target_site, target, target_was, label)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            batch,
        )
        batch.clear()

    def _no_job(self, row: ExpectedRow, route: Route) -> None:
        self.counts.setdefault(None, dict.fromkeys(Kind, 0))[Kind.NO_JOB] += 1
        if route.same_site:
            return
        site = None if route.source is None else route.source.site.url
        issue = row.source_key if route.source is None else route.source.key
        if route.target is None:
            base = next(iter(self.map.old_bases()), "")
            target = f"{base}/browse/{row.destination_key}"
        else:
            target = f"{route.target.site.url}/browse/{route.target.key}"
        self._find(None, Kind.NO_JOB, site, issue, target, None, route.why, None)

    def draw(self, size: int, seed: str) -> int:
        """Keep a random sample of the rows that a job serves; the others are not looked at.

        Returns how many rows there were to draw from; the same seed draws the same rows.
        """
        total = int(self._db.execute("SELECT count(*) FROM expected").fetchone()[0])
        if size >= total:
            return total
        drawn = sorted(random.Random(seed).sample(range(1, total + 1), size))  # noqa: S311 - a sample
        self._db.execute("CREATE TABLE drawn(n INTEGER PRIMARY KEY)")
        self._db.executemany("INSERT INTO drawn VALUES (?)", ((n,) for n in drawn))
        for job, left in self._db.execute(
            "SELECT job, count(*) FROM expected WHERE n NOT IN (SELECT n FROM drawn) GROUP BY job"
        ).fetchall():
            self.counts[job][Kind.NOT_LOOKED_AT] += left
        self._db.execute("DELETE FROM expected WHERE n NOT IN (SELECT n FROM drawn)")
        self.sampled = size
        return total

    def expected_total(self) -> int:
        """Return how many good rows were given, sampled or not."""
        return self._expected_total

    def in_scope(self) -> Iterator[tuple[str, str, str]]:
        """Yield (site, key, role) of every issue that must be read or resolved, each once.

        `role` is `source` for issues whose links are needed, `target` for keys to be resolved.
        """
        yield from self._db.execute(
            "SELECT DISTINCT s.url, e.key, 'source' FROM expected e JOIN site s ON s.number = e.site"
            " UNION ALL SELECT DISTINCT s.url, e.target, 'target' FROM expected e"
            " JOIN site s ON s.number = e.target_site ORDER BY 1, 2"
        )

    @property
    def numbers(self) -> Mapping[str, int]:
        """Return the number by which each site is known to `addresses`."""
        return self._numbers

    # What the ledger names

    def recall(self, site: str, lines: Iterable[str]) -> None:
        """Take in links that an earlier verification recorded as arrived; later lines win.

        `lines` are those of `links.arrived`. A link that was absent before counts as ours from now on.
        """
        number = self._numbers.get(site)
        if number is None:
            return
        parts = [(line, line.split(" ")) for line in lines]
        self._db.executemany(
            "INSERT OR REPLACE INTO recorded VALUES (?, ?, ?)",
            ((number, int(part[1]), line) for line, part in parts if len(part) == 5),
        )
        self.name(
            (site, int(part[1])) for _, part in parts if len(part) == 5 and part[4] != "unknown"
        )

    def name(self, links: Iterable[tuple[str, int]], *, written: bool = False) -> None:
        """Take in links that count as ours: (site, link id); `written` by `repair`, not by a job."""
        known = [(self._numbers[site], one) for site, one in links if site in self._numbers]
        self._db.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", known)
        if written:
            self._db.executemany("INSERT OR IGNORE INTO written VALUES (?, ?)", known)

    def is_ours(self, site: str, link_id: str) -> bool:
        """Return whether the ledger names a link as recorded or written by us."""
        query = "SELECT 1 FROM named WHERE site = ? AND link_id = ?"
        if not (link_id.isascii() and link_id.isdigit() and len(link_id) < 19):
            return False
        found = self._db.execute(query, (self._numbers.get(site), int(link_id))).fetchone()
        return found is not None

    # The comparison

    def compare(self, after: Path, before: Path | None = None) -> None:
        """Judge every staged row against the snapshot of after the run.

        Raises:
            UsageError: a snapshot is not there, or no snapshot.
        """
        with _attached(self._db, after, "after", self.notes):
            addresses = self.addresses = self._addresses()
            if before is not None:
                with _attached(self._db, before, "before", self.notes):
                    self._stage_before(addresses)
            self._db.execute("BEGIN")
            self._db.execute(_WANT)
            self._follow_moved()
            self._join_twins()
            self._judge_all(addresses, has_before=before is not None)
            self._flush()
            self._db.execute("COMMIT")

    def _addresses(self) -> Addresses:
        bases: dict[int, list[str]] = {
            number: [url] for number, url in enumerate(self.sites, start=1)
        }
        for url, base, display in self._db.execute(
            "SELECT url, base_url, display_url FROM after.site"
        ):
            if url in self._numbers:
                bases[self._numbers[url]] += [one for one in (base, display) if one]
        return Addresses(bases, self.map.old_bases())

    def _stage_before(self, addresses: Addresses) -> None:
        links = self._db.execute(
            "SELECT s.number, l.link_id, l.hash, l.url FROM site s JOIN before.link l ON l.site = s.url"
        )
        self._db.execute("BEGIN")
        writer = self._db.cursor()
        while batch := links.fetchmany(_BATCH):
            writer.executemany(
                "INSERT OR IGNORE INTO earlier VALUES (?, ?, ?, ?)",
                (
                    (site, link_id, digest, addresses.pointer(url, None).site == OLD)
                    for site, link_id, digest, url in batch
                ),
            )
        for name in ("asked", "key"):
            self._db.execute(
                "INSERT OR IGNORE INTO earlier_issue"  # noqa: S608 - one of two column names
                f" SELECT s.number, i.{name} FROM site s JOIN before.issue i ON i.site = s.url"
                f" WHERE i.state = 'read' AND i.{name} IS NOT NULL"
            )
        self._db.execute("COMMIT")

    def _follow_moved(self) -> None:
        """Find sources that the snapshot holds under another key: moved since, or asked otherwise."""
        lost = self._db.execute("SELECT site, asked, n FROM want WHERE NOT seen").fetchall()
        if not lost:
            return
        names = {
            (site, name): asked
            for site, name, asked in self._db.execute(
                "SELECT s.number, i.key, i.asked FROM site s JOIN after.issue i ON i.site = s.url"
                " WHERE i.key IS NOT NULL AND i.key <> i.asked"
                " UNION ALL SELECT s.number, r.asked, i.asked FROM site s"
                " JOIN after.resolved r ON r.site = s.url AND r.key <> r.asked"
                " JOIN after.issue i ON i.site = s.url AND i.asked = r.key"
            )
        }
        for site, asked, n in lost:
            found = names.get((site, asked))
            if found is not None:
                self._db.execute(
                    "DELETE FROM want WHERE site=? AND asked=? AND n=?", (site, asked, n)
                )
                self._db.execute("INSERT INTO want VALUES (?, ?, ?, 1)", (site, found, n))

    def _join_twins(self) -> None:
        """Bring the rows of one issue together that name it by several keys."""
        self._db.execute(_TWINS)
        for site, asked, first in self._db.execute("SELECT * FROM twin").fetchall():
            self._db.execute(
                "UPDATE want SET asked = ? WHERE site = ? AND asked = ?", (first, site, asked)
            )

    def _judge_all(self, addresses: Addresses, *, has_before: bool) -> None:
        place = itemgetter(0, 1)
        rows = groupby(self._db.cursor().execute(_ROWS), place)
        links = groupby(self._db.cursor().execute(_LINKS), place)
        at_row, at_link = next(rows, None), next(links, None)
        jobs = self._jobs_by_site()
        while at_row is not None or at_link is not None:
            if at_row is None or (at_link is not None and at_link[0] < at_row[0]):
                assert at_link is not None  # noqa: S101 - the loop's own condition
                where, wanted, found = at_link[0], [], list(at_link[1])
                at_link = next(links, None)
            elif at_link is None or at_row[0] < at_link[0]:
                where, wanted, found = at_row[0], list(at_row[1]), []
                at_row = next(rows, None)
            else:
                where, wanted, found = at_row[0], list(at_row[1]), list(at_link[1])
                at_row, at_link = next(rows, None), next(links, None)
            here = jobs[where[0]]
            self._judge_one(where, wanted, found, addresses, here, has_before=has_before)

    def _jobs_by_site(self) -> dict[int, dict[int, int]]:
        result: dict[int, dict[int, int]] = {number: {} for number in self._numbers.values()}
        for number in self.counts:
            if number is not None:
                instance = self.plan.instances[number]
                source = self._numbers.get(instance.product_url)
                target = self._numbers.get(instance.destination_url)
                if source is not None and target is not None:
                    result[source][target] = number
        return result

    def _judge_one(
        self,
        where: tuple[int, str],
        rows: list[Any],
        links: list[Any],
        addresses: Addresses,
        jobs_here: Mapping[int, int],
        *,
        has_before: bool,
    ) -> None:
        number, asked = where
        issue = asked
        if rows:
            state, issue = rows[0][2], rows[0][3] or asked
            if state != "read":
                self._not_read(rows, self.sites[number - 1], issue, state, rows[0][4])
                return
        known = has_before and self._was_read(number, asked, issue)
        found = [_found(link, known) for link in links]
        wanted = [_wanted(row) for row in rows]
        verdicts = judge(wanted, found, addresses, jobs_here, besides=self.sampled is None)
        targets = {row[5]: row for row in rows}
        hashes = {link[2]: link for link in links}
        for verdict in verdicts:
            self._take(verdict, number, issue, targets, hashes, known=known)
        if len(self._findings) >= _BATCH or len(self._arrivals) >= _BATCH:
            self._flush()

    def _was_read(self, number: int, asked: str, issue: str) -> bool:
        query = "SELECT 1 FROM earlier_issue WHERE site = ? AND name IN (?, ?)"
        return self._db.execute(query, (number, asked, issue)).fetchone() is not None

    def _not_read(
        self, rows: list[Any], site: str, issue: str, state: str | None, detail: str | None
    ) -> None:
        kind = Kind.SOURCE_ABSENT if state == "absent" else Kind.NOT_LOOKED_AT
        if kind is Kind.SOURCE_ABSENT:
            words = "the issue does not exist there, or this account cannot see it"
        elif state is None:
            words = "the snapshot does not hold this issue"
        else:
            words = f"the issue was not read ({state}): {detail or 'no further words'}"
        for row in rows:
            self.counts[row[6]][kind] += 1
            self._find(row[6], kind, site, issue, self._target(row), None, words, row[5])

    def _take(
        self,
        verdict: Verdict,
        number: int,
        issue: str,
        targets: Mapping[int, Any],
        links: Mapping[int, Any],
        *,
        known: bool,
    ) -> None:
        job, kind, link = verdict.job, verdict.kind, verdict.link
        assert job is not None  # noqa: S101 - only rows and links of a job are judged
        self.counts[job][kind] += 1
        if kind is not Kind.RECREATED:
            row = None if verdict.row is None else targets[verdict.row]
            target = link.url if row is None and link is not None else self._target(row)
            link_id = None if link is None else link.link_id
            site = self.sites[number - 1]
            self._find(job, kind, site, issue, target, link_id, verdict.detail, verdict.row)
        if link is not None and self.sampled is None and by_job(link):
            record = links[link.link_id]
            before = record[9] or ("absent" if known else "unknown")
            good = kind in (Kind.RECREATED, Kind.WRONG_TYPE)
            self._arrivals.append(
                (number, job, record[1], issue, link.link_id, record[8], link.url, good, before)
            )

    def _target(self, row: Any) -> str:
        key = row[12] or row[15] or row[18] or row[8]
        return f"{self.sites[row[7] - 1]}/browse/{key}"

    def _find(self, *values: Any) -> None:
        self._findings.append(values)
        if len(self._findings) >= 10 * _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._db.executemany(
            "INSERT INTO finding(job, kind, site, issue, target, link_id, detail, row)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._findings,
        )
        self._db.executemany(
            "INSERT INTO arrival VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET expected = max(expected, excluded.expected)",
            self._arrivals,
        )
        self._findings.clear()
        self._arrivals.clear()

    # Results

    def findings(self, *kinds: Kind) -> Iterator[FindingRow]:
        """Yield single findings by job, site and issue, as people count; only of `kinds` where given."""
        marks = ",".join("?" * len(kinds))
        where = f"WHERE kind IN ({marks})" if kinds else ""
        for job, *rest in self._db.cursor().execute(
            f"SELECT job, kind, site, issue, target, link_id, detail FROM finding {where}"  # noqa: S608
            f" ORDER BY job IS NULL, job, site, {_BY_KEY.format('issue')}, n",
            [kind.value for kind in kinds],
        ):
            yield FindingRow(None if job is None else self.jobs[job], *rest)

    def finding_count(self, *kinds: Kind) -> int:
        """Return how many single findings of these kinds there are, over all jobs."""
        return sum(counts[kind] for counts in self.counts.values() for kind in kinds)

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the links that arrived, by job, site and issue."""
        for number, job, *rest in self._db.cursor().execute(
            "SELECT site, job, issue, link_id, hash, url, expected, before FROM arrival"
            " ORDER BY job, site, link_id"
        ):
            issue, link_id, digest, url, expected, before = rest
            yield Arrival(
                self.sites[number - 1],
                self.jobs[job],
                issue,
                link_id,
                digest,
                url,
                bool(expected),
                before,
            )

    def new_arrivals(self) -> Iterator[Arrival]:
        """Yield the links that arrived and of which the ledger does not say as much yet."""
        query = "SELECT line FROM recorded WHERE site = ? AND link_id = ?"
        for arrival in self.arrivals():
            known = self._db.execute(
                query, (self._numbers[arrival.site], arrival.link_id)
            ).fetchone()
            if known is None or _adds(known[0], arrival):
                yield arrival

    def missing(self, after: Path) -> Iterator[MissingRow]:
        """Yield what is missing, with the target's present key and id, by site and issue."""
        with _attached(self._db, after, "after", []):
            rows = self._db.cursor().execute(
                "SELECT f.n, f.job, f.site, f.issue, ts.url, e.target, e.target_was,"  # noqa: S608
                " coalesce(r.key, r2.key, t.key), coalesce(r.id, r2.id, t.id), e.label, f.detail,"
                " f.later"
                " FROM finding f JOIN expected e ON e.n = f.row"
                " JOIN site ts ON ts.number = e.target_site"
                " LEFT JOIN after.resolved r ON r.site = ts.url AND r.asked = e.target"
                "      AND r.state = 'found'"
                " LEFT JOIN after.resolved r2 ON r2.site = ts.url AND r2.asked = e.target_was"
                "      AND r2.state = 'found'"
                " LEFT JOIN after.issue t ON t.site = ts.url AND t.asked = e.target"
                f" WHERE f.kind = 'missing' ORDER BY f.site, {_BY_KEY.format('f.issue')}, f.n"
            )
            for n, job, site, issue, target_site, key, was, now, *rest in rows:
                keys = tuple(dict.fromkeys(one for one in (now, key, was) if one))
                issue_id, label, detail, later = rest
                yield MissingRow(
                    n,
                    self.jobs[job],
                    site,
                    issue,
                    target_site,
                    keys,
                    issue_id,
                    label,
                    detail,
                    bool(later),
                )

    def made_links(self, job: str, after: Path, *, limit: int) -> list[MadeLink]:
        """Return links to an expected target that a job recreated, not those that `repair` wrote."""
        instance = self.plan.instance(job)
        if instance is None or self.addresses is None:
            return []
        result: list[MadeLink] = []
        with _attached(self._db, after, "after", []):
            rows = self._db.execute(
                "SELECT l.record, l.url, l.link_id, a.issue FROM arrival a"
                " JOIN site s ON s.number = a.site"
                " JOIN after.link l ON l.site = s.url AND l.issue = a.asked AND l.link_id = a.link_id"
                " WHERE a.job = ? AND a.expected AND NOT EXISTS"
                " (SELECT 1 FROM written w WHERE w.site = a.site AND w.link_id = a.link_id) LIMIT ?",
                (self._job_numbers[job], limit),
            ).fetchall()
            for record, url, link_id, issue in rows:
                key = self.addresses.pointer(url, None).key
                found = self._db.execute(
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
            self._db.execute(
                "UPDATE finding SET kind = ?, detail = ? WHERE n = ?",
                (kind.value, detail, row.finding),
            )
            job = self._job_numbers[row.job]
            self.counts[job][Kind.MISSING] -= 1
            self.counts[job][kind] += 1

    def mark_unserved(self, why: Callable[[str, str, str], Unserved | None]) -> int:
        """Say of missing rows why no submission served them; return how many a later round serves.

        `why` takes a job's id and the keys of both ends, as the plan maps them.
        """

        def detail(job: int, key: str, target: str) -> str:
            word = why(self.jobs[job], key, target)
            return "" if word is None else word.detail

        def later(job: int, key: str, target: str) -> int:
            word = why(self.jobs[job], key, target)
            return 0 if word is None else int(word.later)

        self._db.create_function("why_unserved", 3, detail, deterministic=True)
        self._db.create_function("served_later", 3, later, deterministic=True)
        self._db.execute(
            "UPDATE finding SET (detail, later) = (SELECT why_unserved(e.job, e.key, e.target),"
            " served_later(e.job, e.key, e.target) FROM expected e WHERE e.n = finding.row)"
            " WHERE kind = 'missing'"
        )
        return int(self._db.execute("SELECT count(*) FROM finding WHERE later").fetchone()[0])


def _adds(line: str, arrival: Arrival) -> bool:
    """Return whether an arrival says more than its line in the ledger.

    The hash stays the one that was recorded first: a link that somebody changed since is not ours.
    """
    _, _, digest, expected, before = line.split(" ")
    if digest != arrival.hash[:HASH_DIGITS]:
        return False
    found_out = before == "unknown" and arrival.before != "unknown"
    return found_out or int(expected) != arrival.expected


def _found(link: Any, known: bool) -> Found:
    # A link that pointed to an old base and now does not was rewritten: it arrived.
    was_there = link[9] is not None and not link[10]
    before = True if was_there else (False if known else None)
    return Found(link[2], link[3], link[4], link[5] or "", link[6] or "", link[7], before, link[11])


def _wanted(row: Any) -> Wanted:
    n, job, site, target, was, label = row[5:11]
    if row[11] is None and row[14] is None and row[17] is None:
        return Wanted(n, job, site, (target, was), None, False, False, label)
    if row[11] == "found":
        now, issue_id, state = row[12], row[13], "found"
    elif row[14] == "found":
        now, issue_id, state = row[15], row[16], "found"
    elif row[17] == "read":
        now, issue_id, state = row[18], row[19], "found"
    else:
        now, issue_id = None, None
        state = "absent" if "absent" in (row[11], row[14], row[17]) else "unknown"
    keys = (target, was) if now is None else (target, was, now)
    return Wanted(n, job, site, keys, issue_id, state != "unknown", state == "absent", label)


@contextlib.contextmanager
def _attached(db: sqlite3.Connection, path: Path, name: str, notes: list[str]) -> Iterator[None]:
    with open_snapshot(path) as snapshot:
        if snapshot.meta().finished_at is None:
            notes.append(
                f"the snapshot `{path.name}` is not whole: run its `runbook snapshot` command again to finish it"
            )
    try:
        db.execute(f"ATTACH DATABASE ? AS {name}", (f"{path.resolve().as_uri()}?mode=ro",))
    except sqlite3.Error as problem:
        raise UsageError(f"cannot read the snapshot `{path}`: {problem}") from problem
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("COMMIT")
        db.execute(f"DETACH DATABASE {name}")
