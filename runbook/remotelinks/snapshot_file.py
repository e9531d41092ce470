"""The snapshot file: every remote link of every issue in scope, as SQLite.

A chunk (one site, up to 1 000 issues) is written in one transaction together with its mark, so a
file of a killed process holds whole chunks only and the same command goes on behind the last one.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from runbook.clock import isoformat_utc
from runbook.errors import UsageError
from runbook.json_text import json_text
from runbook.remotelinks.model import content_hash
from runbook.text import encodable

APPLICATION_ID = 0x52424B53  # "RBKS"
FORMAT = 1

_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE site(url TEXT PRIMARY KEY, base_url TEXT, display_url TEXT, account TEXT,
    app_via TEXT, started_at TEXT, finished_at TEXT);
CREATE TABLE chunk(site TEXT, number INTEGER, keys TEXT, done_at TEXT, PRIMARY KEY(site, number));
CREATE TABLE issue(site TEXT, asked TEXT, key TEXT, id INTEGER, state TEXT, detail TEXT,
    PRIMARY KEY(site, asked)) WITHOUT ROWID;
CREATE TABLE link(site TEXT, issue TEXT, link_id INTEGER, global_id TEXT, relationship TEXT,
    url TEXT, title TEXT, record TEXT, hash TEXT, PRIMARY KEY(site, issue, link_id)) WITHOUT ROWID;
CREATE TABLE resolved(site TEXT, asked TEXT, key TEXT, id INTEGER, state TEXT,
    PRIMARY KEY(site, asked)) WITHOUT ROWID;
"""


class IssueState(StrEnum):
    """What became of an issue that was asked for; every issue in scope has exactly one."""

    READ = "read"
    ABSENT = "absent"
    REFUSED = "refused"
    FAILED = "failed"


class IssueRow(NamedTuple):
    """A row of the table `issue`."""

    site: str
    asked: str
    key: str | None
    id: int | None
    state: str
    detail: str


class LinkRow(NamedTuple):
    """A row of the table `link`; `issue` is the key as asked, `record` Atlassian's record as JSON."""

    site: str
    issue: str
    link_id: int
    global_id: str | None
    relationship: str | None
    url: str
    title: str
    record: str
    hash: str


def link_row(site: str, issue: str, record: Any) -> LinkRow:
    """Return the row of a record of an issue's remote link.

    Raises:
        ValueError: the record is no remote link: no object, no numeric `id`, or no `object`.
    """
    if not isinstance(record, Mapping):
        raise ValueError("the record is no JSON object")  # noqa: TRY004 - one error for bad data
    try:
        link_id = int(record["id"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("the record has no numeric `id`") from None
    target = record.get("object")
    if not isinstance(target, Mapping):
        raise ValueError(f"link {link_id} has no `object`")  # noqa: TRY004 - one error for bad data
    return LinkRow(
        site,
        issue,
        link_id,
        _held(record.get("globalId")),
        _held(record.get("relationship")),
        _held(target.get("url")) or "",
        _held(target.get("title")) or "",
        json_text(record),
        content_hash(record),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadIssue:
    """One issue as it was read: `key` and `id` are the present ones, where they could be resolved."""

    asked: str
    state: IssueState
    key: str | None = None
    id: int | None = None
    detail: str = ""
    links: tuple[LinkRow, ...] = ()


class ResolvedRow(NamedTuple):
    """A row of the table `resolved`: a key that some link or expectation points to."""

    site: str
    asked: str
    key: str | None
    id: int | None
    state: Literal["found", "absent"]


class SiteRow(NamedTuple):
    """A row of the table `site`; `base_url` and `display_url` are the site's own words."""

    url: str
    base_url: str | None
    display_url: str | None
    account: str
    app_via: str | None
    started_at: str | None
    finished_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What the snapshot is of; `finished_at` is None while chunks are missing."""

    plan: str
    digest: str
    scope: Mapping[str, Any]
    created_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of work: issues of one site, recorded when whole."""

    site: str
    number: int
    keys: tuple[str, ...]


class SnapshotFile:
    """An open snapshot; see `create_snapshot` and `open_snapshot`."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # What is in it

    def meta(self) -> Meta:
        """Return what the snapshot is of."""
        rows = dict(self._rows("SELECT key, value FROM meta"))
        return Meta(
            plan=rows["plan"],
            digest=rows["digest"],
            scope=json.loads(rows["scope"]),
            created_at=rows["created_at"],
            finished_at=rows.get("finished_at"),
        )

    def sites(self) -> tuple[SiteRow, ...]:
        """Return the sites, in the order of their addresses."""
        return tuple(SiteRow(*row) for row in self._rows("SELECT * FROM site ORDER BY url"))

    def issues(self, site: str | None = None, *, state: str | None = None) -> Iterator[IssueRow]:
        """Yield issues by site and key as asked."""
        where, values = _where(site=site, state=state)
        query = f"SELECT * FROM issue{where} ORDER BY site, asked"  # noqa: S608
        return map(IssueRow._make, self._rows(query, values))

    def links(self, site: str | None = None, issue: str | None = None) -> Iterator[LinkRow]:
        """Yield links by site, issue as asked and link id."""
        where, values = _where(site=site, issue=issue)
        query = f"SELECT * FROM link{where} ORDER BY site, issue, link_id"  # noqa: S608
        return map(LinkRow._make, self._rows(query, values))

    def resolved(self, site: str) -> Iterator[ResolvedRow]:
        """Yield the targets' keys that were resolved on a site, by key as asked."""
        query = "SELECT * FROM resolved WHERE site = ? ORDER BY asked"
        return map(ResolvedRow._make, self._rows(query, (site,)))

    def states(self, site: str | None = None) -> dict[str, int]:
        """Return how many issues are in each state; the numbers add up to those looked at."""
        where, values = _where(site=site)
        query = f"SELECT state, count(*) FROM issue{where} GROUP BY state ORDER BY state"  # noqa: S608
        return dict(self._rows(query, values))

    def link_count(self, site: str | None = None) -> int:
        """Return how many links are held."""
        where, values = _where(site=site)
        return int(next(self._rows(f"SELECT count(*) FROM link{where}", values))[0])  # noqa: S608

    # Writing, chunk by chunk

    def add_site(self, url: str, *, account: str, at: datetime) -> None:
        """Note that a site is being read; a site that is there already stays as it is."""
        insert = "INSERT OR IGNORE INTO site(url, account, started_at) VALUES (?, ?, ?)"
        self._write(insert, url, account, isoformat_utc(at))

    def describe_site(
        self, url: str, *, base_url: str | None, display_url: str | None, via: str
    ) -> None:
        """Keep the site's own addresses, and by which host it was read (`site` or `gateway`)."""
        update = "UPDATE site SET base_url = ?, display_url = ?, app_via = ? WHERE url = ?"
        self._write(update, _held(base_url), _held(display_url), via, url)

    def finish_site(self, url: str, at: datetime) -> None:
        """Note that every chunk of a site is done."""
        self._write("UPDATE site SET finished_at = ? WHERE url = ?", isoformat_utc(at), url)

    def planned(self, site: str) -> bool:
        """Return whether the chunks of a site were cut already."""
        note = self._rows("SELECT value FROM meta WHERE key = ?", (f"planned {site}",))
        return next(note, None) is not None

    def plan_chunks(self, site: str, chunks: Iterable[Sequence[str]]) -> None:
        """Cut the work of one site, in one transaction: all of its chunks or none."""
        with self._writing() as db:
            rows = ((site, n, json.dumps(list(keys))) for n, keys in enumerate(chunks, start=1))
            db.executemany("INSERT INTO chunk(site, number, keys) VALUES (?, ?, ?)", rows)
            db.execute("INSERT INTO meta VALUES (?, 'yes')", (f"planned {site}",))

    def open_chunks(self, site: str) -> tuple[Chunk, ...]:
        """Return the chunks of a site that are not recorded yet, in order."""
        query = "SELECT number, keys FROM chunk WHERE site = ? AND done_at IS NULL ORDER BY number"
        rows = self._rows(query, (site,))
        return tuple(Chunk(site=site, number=n, keys=tuple(json.loads(keys))) for n, keys in rows)

    def chunk_sizes(self, site: str) -> tuple[int, int]:
        """Return how many issues of a site are in scope, and how many of them are recorded."""
        ((total, done),) = self._rows(
            "SELECT coalesce(sum(json_array_length(keys)), 0),"
            " coalesce(sum(json_array_length(keys)) FILTER (WHERE done_at IS NOT NULL), 0)"
            " FROM chunk WHERE site = ?",
            (site,),
        )
        return total, done

    def record_chunk(self, chunk: Chunk, issues: Iterable[ReadIssue], at: datetime) -> None:
        """Write a whole chunk and mark it done, in one transaction; doing it twice changes nothing."""
        issues = tuple(issues)
        with self._writing() as db:
            db.executemany(
                "DELETE FROM link WHERE site = ? AND issue = ?",
                ((chunk.site, issue.asked) for issue in issues),
            )
            db.executemany(
                "INSERT OR REPLACE INTO issue VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (chunk.site, read.asked, read.key, read.id, read.state, encodable(read.detail))
                    for read in issues
                ),
            )
            db.executemany(
                "INSERT OR REPLACE INTO link VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (link for read in issues for link in read.links),
            )
            db.execute(
                "UPDATE chunk SET done_at = ? WHERE site = ? AND number = ?",
                (isoformat_utc(at), chunk.site, chunk.number),
            )

    def reopen_failed(self) -> None:
        """Open the chunks again that hold a failed issue, so that the same command asks once more."""
        failed: dict[str, set[str]] = {}
        for row in self.issues(state=IssueState.FAILED.value):
            failed.setdefault(row.site, set()).add(row.asked)
        if not failed:
            return
        with self._writing() as db:
            for site, keys in failed.items():
                chunks = db.execute("SELECT number, keys FROM chunk WHERE site = ?", (site,))
                again = [number for number, held in chunks if not keys.isdisjoint(json.loads(held))]
                db.executemany(
                    "UPDATE chunk SET done_at = NULL WHERE site = ? AND number = ?",
                    ((site, number) for number in again),
                )
            db.execute("DELETE FROM meta WHERE key = 'finished_at'")

    def record_resolved(self, rows: Iterable[ResolvedRow]) -> None:
        """Write what the targets' keys resolved to, in one transaction."""
        with self._writing() as db:
            db.executemany("INSERT OR REPLACE INTO resolved VALUES (?, ?, ?, ?, ?)", rows)

    def finish(self, at: datetime) -> None:
        """Note that the snapshot is whole."""
        insert = "INSERT OR REPLACE INTO meta VALUES ('finished_at', ?)"
        self._write(insert, isoformat_utc(at))

    def _write(self, statement: str, *values: Any) -> None:
        with self._writing() as db:
            db.execute(statement, values)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        with _translated(self.path):
            yield from self._db.execute(query, values)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _translated(self.path), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db


def create_snapshot(
    path: Path, *, plan: str, digest: str, scope: Mapping[str, Any], at: datetime
) -> SnapshotFile:
    """Make a snapshot file (mode 0600), or open the one of the same scope to go on with it.

    Raises:
        UsageError: the path cannot be written, holds something else, or a snapshot of another scope.
    """
    if path.is_file() and path.stat().st_size > 0:
        with contextlib.ExitStack() as on_error:
            held = on_error.enter_context(_opened(path, read_only=False))
            meta = held.meta()
            if (meta.plan, meta.scope) != (plan, scope):
                raise UsageError(
                    f"`{path}` holds a snapshot of another scope (plan `{meta.plan}`, {_scope_words(meta.scope)})",
                    hint="name a new file with `-o`, or repeat the command that began this one to go on with it",
                )
            on_error.pop_all()
        return held
    if not path.parent.is_dir():
        raise UsageError(
            f"the folder of the snapshot `{path}` is not there",
            hint="create it, or name another file with `-o`",
        )
    _make_private(path)
    values = {
        "format": str(FORMAT),
        "plan": plan,
        "digest": digest,
        "scope": json.dumps(scope, sort_keys=True, ensure_ascii=False),
        "created_at": isoformat_utc(at),
    }
    with _connected(path) as db, db:
        db.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.executemany("INSERT INTO meta VALUES (?, ?)", values.items())
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {FORMAT}")
    return SnapshotFile(path, db)


def _make_private(path: Path) -> None:
    """Make an empty file for its owner alone, as links hold titles; one that is there stays."""
    # Where this fails SQLite fails, too, and its words are told.
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def open_snapshot(path: Path) -> SnapshotFile:
    """Open a snapshot for reading.

    Raises:
        UsageError: there is none, or it is no snapshot of this version.
    """
    if not path.is_file():
        raise UsageError(
            f"no snapshot at `{path}`", hint="`runbook snapshot PLAN -o FILE` takes one"
        )
    return _opened(path, read_only=True)


def _opened(path: Path, *, read_only: bool) -> SnapshotFile:
    with _connected(path) as db:
        if read_only:
            db.execute("PRAGMA query_only = ON")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise UsageError(
                f"`{path}` is a database, but no snapshot of runbook",
                hint="name a file that `runbook snapshot` wrote, or a new one",
            )
        if version != FORMAT:
            raise UsageError(
                f"`{path}` has snapshot format {version}; this version reads format {FORMAT}",
                hint="use the version of runbook that wrote it",
            )
    return SnapshotFile(path, db)


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that stays open unless something fails meanwhile."""
    with _translated(path), contextlib.ExitStack() as on_error:
        db = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        on_error.callback(db.close)
        yield db
        on_error.pop_all()


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        text = str(problem)
        if "full" in text or "disk I/O" in text:
            hint = "free disk space, then run the same command again: it goes on behind the last whole chunk"
        elif "locked" in text or "busy" in text:
            hint = "another process reads or writes it; let that end first"
        elif "readonly" in text or "unable to open" in text:
            hint = "check the rights of the file and its folder, or name another file"
        else:
            hint = "name a file that `runbook snapshot` wrote, or a new one"
        raise UsageError(f"cannot use the snapshot `{path}`: {text}", hint=hint) from problem


def _where(**values: str | None) -> tuple[str, list[str]]:
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return "", []
    return " WHERE " + " AND ".join(f"{name} = ?" for name in given), list(given.values())


def _held(value: Any) -> str | None:
    return None if value is None else encodable(str(value))


def _scope_words(scope: Mapping[str, Any]) -> str:
    sites = len(scope.get("sites", ()))
    match scope.get("kind"):
        case "expected":
            what = f"the issues of `{(scope.get('expected') or {}).get('file')}`"
        case "projects":
            what = "the plan's projects"
        case _:
            what = "another query"
    return f"{what} on {sites} site{'' if sites == 1 else 's'}"
