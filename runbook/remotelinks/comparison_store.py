"""What a comparison needs, on disk: a temporary SQLite database of expected links and known ones.

In: a plan, the rows of expected links, what the ledger names, and the snapshot from before the run. Out:
tables that `comparison` joins with the snapshot from after it, and the tables of its results. Rows
are normalised in Python once and written in batches, so a million links need little memory.
"""

import contextlib
import random
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Self

from runbook.errors import UsageError
from runbook.plan.model import Plan
from runbook.remotelinks.compare import Kind
from runbook.remotelinks.expected import BadRow, ExpectedRow
from runbook.remotelinks.mapping import PlanMap, Route
from runbook.remotelinks.model import RecordedLink
from runbook.remotelinks.pointing import OLD, Addresses
from runbook.remotelinks.snapshot_file import open_snapshot

Role = Literal["source", "target"]

_BAD_ROWS_KEPT = 1000
# `want` holds each expected row under the key by which the snapshot holds its source; `twin` the other
# keys of an issue that the snapshot read several times; `earlier` what was there before the run (`old`:
# it pointed to an old base); `named` the links that are ours, `written` those that `repair` wrote.
_SCHEMA = """
CREATE TABLE site(number INTEGER PRIMARY KEY, url TEXT);
CREATE TABLE job(number INTEGER PRIMARY KEY, id TEXT UNIQUE);
CREATE TABLE expected(n INTEGER PRIMARY KEY, job TEXT, site INTEGER, key TEXT, was TEXT,
    target_site INTEGER, target TEXT, target_was TEXT, label TEXT);
CREATE TABLE want(site INTEGER, asked TEXT, n INTEGER, seen INTEGER, PRIMARY KEY(site, asked, n))
    WITHOUT ROWID;
CREATE TABLE twin(site INTEGER, asked TEXT, first TEXT, PRIMARY KEY(site, asked)) WITHOUT ROWID;
CREATE TABLE earlier(site INTEGER, link_id INTEGER, hash TEXT, old INTEGER,
    PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE earlier_issue(site INTEGER, name TEXT, PRIMARY KEY(site, name)) WITHOUT ROWID;
CREATE TABLE named(site INTEGER, link_id INTEGER, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE written(site INTEGER, link_id INTEGER, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE recorded(site INTEGER, link_id INTEGER, hash TEXT, expected INTEGER, before TEXT,
    PRIMARY KEY(site, link_id)) WITHOUT ROWID;
CREATE TABLE finding(n INTEGER PRIMARY KEY, job TEXT, kind TEXT, site TEXT, issue TEXT,
    target TEXT, link_id INTEGER, detail TEXT, row INTEGER, later INTEGER DEFAULT 0);
CREATE TABLE arrival(site INTEGER, job TEXT, asked TEXT, issue TEXT, link_id INTEGER, hash TEXT,
    expected INTEGER, before TEXT, PRIMARY KEY(site, link_id)) WITHOUT ROWID;
"""


class ComparisonStore:
    """The database of one comparison; close it to remove its file.

    Sites have `numbers` in it, in the order of their addresses, since a million rows name them. `counts`
    holds what became of the expected links by job and kind, under None for those that no job serves. `bad`
    are the first rows that were not taken, `bad_count` is how many there were, `local_count` counts the
    links with both ends on one site, `expected_count` all good rows; `sampled` is the size of a sample.
    """

    def __init__(self, plan: Plan, *, folder: Path | None = None) -> None:
        self.plan = plan
        self.map = PlanMap(plan)
        self.notes: list[str] = []
        self.bad: list[BadRow] = []
        self.bad_count = self.local_count = self.expected_count = 0
        self.sampled: int | None = None
        urls = sorted(site.url for site in plan.sites)
        self.numbers = {url: number for number, url in enumerate(urls, start=1)}
        self.counts: dict[str | None, dict[Kind, int]] = {
            instance.id: dict.fromkeys(Kind, 0)
            for instance in plan.instances
            if self.map.job_between(instance.product_url, instance.destination_url) is instance
        }
        self._folder = tempfile.TemporaryDirectory(prefix="runbook-", dir=folder)
        self.db = sqlite3.connect(
            str(Path(self._folder.name) / "compare.sqlite"), uri=True, isolation_level=None
        )
        # Nothing survives this process, so nothing has to be safe on disk.
        self.db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -48000;"
            + _SCHEMA
        )
        self.db.executemany("INSERT INTO site(url) VALUES (?)", ((url,) for url in urls))
        jobs = ((instance.id,) for instance in plan.instances)
        self.db.executemany("INSERT OR IGNORE INTO job(id) VALUES (?)", jobs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the temporary database."""
        self.db.close()
        self._folder.cleanup()

    # Expected links

    def add_expected(self, rows: Iterable[ExpectedRow | BadRow]) -> None:
        """Take in the expected rows; those that no job serves are settled at once."""
        self.db.execute("BEGIN")
        self.db.executemany(
            "INSERT INTO expected(job, site, key, was, target_site, target, target_was, label)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            self._served(rows),
        )
        self.db.execute("COMMIT")
        if self.local_count:
            self.notes.append(
                f"{self.local_count} expected links have both ends on one site: local links that no job recreates, counted as no_job and not listed"
            )
        if self.bad_count:
            self.notes.append(f"{self.bad_count} rows of the expected links were not taken")

    def _served(self, rows: Iterable[ExpectedRow | BadRow]) -> Iterator[tuple[Any, ...]]:
        for row in rows:
            if isinstance(row, BadRow):
                self.bad_count += 1
                if len(self.bad) < _BAD_ROWS_KEPT:
                    self.bad.append(row)
                continue
            self.expected_count += 1
            route = self.map.route(row)
            source, target = route.source, route.target
            if route.job is None or source is None or target is None:
                self._no_job(row, route)
                continue
            yield (
                route.job.id,
                self.numbers[source.site.url],
                source.key,
                row.source_key,
                self.numbers[target.site.url],
                target.key,
                row.destination_key,
                row.link_type,
            )

    def _no_job(self, row: ExpectedRow, route: Route) -> None:
        self.counts.setdefault(None, dict.fromkeys(Kind, 0))[Kind.NO_JOB] += 1
        if route.same_site:
            self.local_count += 1
            return
        site, issue = None, row.source_key
        if route.source is not None:
            site, issue = route.source.site.url, route.source.key
        base, key = next(iter(self.map.old_bases()), ""), row.destination_key
        if route.target is not None:
            base, key = route.target.site.url, route.target.key
        target = f"{base}/browse/{key}"
        self.add_finding(None, Kind.NO_JOB, site, issue, target, None, route.why, None)

    def draw(self, size: int, seed: str) -> int:
        """Keep a random sample of the rows that a job serves; the others are not looked at.

        Returns how many rows there were to draw from; the same seed draws the same rows.
        """
        total = int(self.db.execute("SELECT count(*) FROM expected").fetchone()[0])
        if size >= total:
            return total
        drawn = sorted(random.Random(seed).sample(range(1, total + 1), size))  # noqa: S311 - a sample
        self.db.execute("CREATE TABLE drawn(n INTEGER PRIMARY KEY)")
        self.db.executemany("INSERT INTO drawn VALUES (?)", ((n,) for n in drawn))
        for job, left in self.db.execute(
            "SELECT job, count(*) FROM expected WHERE n NOT IN (SELECT n FROM drawn) GROUP BY job"
        ).fetchall():
            self.counts[job][Kind.NOT_LOOKED_AT] += left
        self.db.execute("DELETE FROM expected WHERE n NOT IN (SELECT n FROM drawn)")
        self.sampled = size
        return total

    def in_scope(self) -> Iterator[tuple[str, str, Role]]:
        """Yield (site, key, role) of every issue that must be read or resolved, each once.

        `role` is `source` for issues whose links are needed, `target` for keys to be resolved.
        """
        yield from self.db.execute(
            "SELECT DISTINCT s.url, e.key, 'source' FROM expected e JOIN site s ON s.number = e.site"
            " UNION ALL SELECT DISTINCT s.url, e.target, 'target' FROM expected e"
            " JOIN site s ON s.number = e.target_site ORDER BY 1, 2"
        )

    # What the ledger names

    def add_recorded(self, site: str, links: Iterable[RecordedLink]) -> None:
        """Take in links that an earlier verification recorded as arrived; later ones win.

        A link that was not there before the run counts as ours from now on.
        """
        number = self.numbers.get(site)
        if number is None:
            return
        links = tuple(links)
        self.db.executemany(
            "INSERT OR REPLACE INTO recorded VALUES (?, ?, ?, ?, ?)",
            ((number, link.link_id, link.hash, link.expected, link.before) for link in links),
        )
        self.add_ours((site, link.link_id) for link in links if link.before != "unknown")

    def add_ours(self, links: Iterable[tuple[str, int]], *, written: bool = False) -> None:
        """Take in links that count as ours: (site, link id); `written` by `repair`, not by a job."""
        known = [(self.numbers[site], link) for site, link in links if site in self.numbers]
        self.db.executemany("INSERT OR IGNORE INTO named VALUES (?, ?)", known)
        if written:
            self.db.executemany("INSERT OR IGNORE INTO written VALUES (?, ?)", known)

    def is_ours(self, site: str, link_id: str) -> bool:
        """Return whether the ledger names a link as recorded or written by us."""
        if not (link_id.isascii() and link_id.isdigit() and len(link_id) < 19):
            return False
        query = "SELECT 1 FROM named WHERE site = ? AND link_id = ?"
        found = self.db.execute(query, (self.numbers.get(site), int(link_id))).fetchone()
        return found is not None

    # Snapshots

    @contextlib.contextmanager
    def attached(
        self, path: Path, name: Literal["after", "before"], *, note: bool = False
    ) -> Iterator[None]:
        """Have the tables of a snapshot under `name`, read-only; `note` where it is not whole.

        Raises:
            UsageError: the snapshot is not there, or it is no snapshot.
        """
        with open_snapshot(path) as snapshot:
            if note and snapshot.meta().finished_at is None:
                self.notes.append(
                    f"the snapshot `{path.name}` is not whole: run its `runbook snapshot` command again to finish it"
                )
        try:
            self.db.execute(f"ATTACH DATABASE ? AS {name}", (f"{path.resolve().as_uri()}?mode=ro",))
        except sqlite3.Error as problem:
            raise UsageError(f"cannot read the snapshot `{path}`: {problem}") from problem
        try:
            yield
        finally:
            if self.db.in_transaction:
                self.db.execute("COMMIT")
            self.db.execute(f"DETACH DATABASE {name}")

    def add_before(self, path: Path, addresses: Addresses) -> None:
        """Take in which issues and links were there before the run.

        Raises:
            UsageError: the snapshot is not there, or it is no snapshot.
        """
        self.db.create_function("is_old", 1, lambda url: addresses.pointer(url).site == OLD)
        with self.attached(path, "before", note=True):
            self.db.execute("BEGIN")
            self.db.execute(
                "INSERT OR IGNORE INTO earlier SELECT s.number, l.link_id, l.hash, is_old(l.url)"
                " FROM site s JOIN before.link l ON l.site = s.url"
            )
            # An issue may have been asked by another key then: both names count.
            for name in ("asked", "key"):
                self.db.execute(
                    "INSERT OR IGNORE INTO earlier_issue"  # noqa: S608 - one of two column names
                    f" SELECT s.number, i.{name} FROM site s JOIN before.issue i ON i.site = s.url"
                    f" WHERE i.state = 'read' AND i.{name} IS NOT NULL"
                )
            self.db.execute("COMMIT")

    def was_read(self, site: str, *names: str) -> bool:
        """Return whether an issue was read before the run, under one of two names."""
        query = "SELECT 1 FROM earlier_issue WHERE site = ? AND name IN (?, ?)"
        return self.db.execute(query, (self.numbers[site], *names)).fetchone() is not None

    # Results

    def add_finding(self, *values: Any) -> None:
        """Keep a single finding; `row`, the last of its columns, is the expected row it is about."""
        self.db.execute(
            "INSERT INTO finding(job, kind, site, issue, target, link_id, detail, row)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def add_arrivals(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Keep links that arrived, by the columns of their table; expected once is expected."""
        self.db.executemany(
            "INSERT INTO arrival VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET expected = max(expected, excluded.expected)",
            rows,
        )
