"""The export queries of docs/expected-links.md, taken from the page and run over Jira's tables."""

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.remotelinks.expected import ExpectedRow, read_expected

PAGE = Path(__file__).parents[2] / "docs" / "expected-links.md"
DATABASES = ("postgresql", "mysql", "oracle", "sqlserver")

TABLES = """
CREATE TABLE project (id numeric(18,0) NOT NULL, pname varchar(255), pkey varchar(255), PRIMARY KEY (id));
CREATE TABLE jiraissue (id numeric(18,0) NOT NULL, issuenum numeric(18,0), project numeric(18,0), summary varchar(255), PRIMARY KEY (id));
CREATE TABLE issuelinktype (id numeric(18,0) NOT NULL, linkname varchar(255), inward varchar(255), outward varchar(255), pstyle varchar(60), PRIMARY KEY (id));
CREATE TABLE issuelink (id numeric(18,0) NOT NULL, linktype numeric(18,0), source numeric(18,0), destination numeric(18,0), sequence numeric(18,0), PRIMARY KEY (id));
INSERT INTO project VALUES (10000, 'Engineering', 'ENG'), (10001, 'Operations', 'OPS');
INSERT INTO jiraissue VALUES (1, 123, 10000, 'a'), (2, 77, 10001, 'b'), (3, 124, 10000, 'c'), (4, 1, 10000, 'd');
INSERT INTO issuelinktype VALUES
  (10000, 'Blocks', 'is blocked by', 'blocks', NULL),
  (10001, 'Relates', 'relates to', 'relates to', ''),
  (10002, 'Odd', 'is "odd", by', 'jira_odd', 'jiraother'),
  (10100, 'jira_subtask_link', 'jira_subtask_inward', 'jira_subtask_outward', 'jira_subtask');
INSERT INTO issuelink VALUES
  (1, 10000, 1, 2, NULL), (2, 10001, 2, 3, NULL), (3, 10100, 1, 4, 0), (4, 10002, 3, 2, NULL);
"""

EXPECTED = [
    ("ENG-123", "OPS-77", "blocks", "outward"),
    ("OPS-77", "ENG-123", "is blocked by", "inward"),
    ("OPS-77", "ENG-124", "relates to", "outward"),
    ("ENG-124", "OPS-77", "relates to", "inward"),
    ("ENG-124", "OPS-77", "jira_odd", "outward"),
    ("OPS-77", "ENG-124", 'is "odd", by', "inward"),
]


def query(database: str) -> str:
    found = re.findall(rf"```sql {database}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1, f"docs/expected-links.md has {len(found)} queries for {database}"
    return found[0]


@pytest.fixture
def sqlite() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    db.executescript(TABLES)
    # SQLite before 3.44 has no CONCAT.
    db.create_function("CONCAT", -1, lambda *parts: "".join(str(part) for part in parts))
    yield db
    db.close()


@pytest.mark.parametrize("database", DATABASES)
def test_every_query_exports_two_rows_per_link_on_sqlite(
    database: str, sqlite: sqlite3.Connection, tmp_path: Path
) -> None:
    text = query(database)
    if database == "postgresql":
        text = re.search(r"COPY \((.*)\) TO STDOUT", text, re.DOTALL)[1]
    rows = sqlite.execute(text.rstrip().rstrip(";")).fetchall()
    out = io.StringIO()
    csv.writer(out).writerows([("SOURCE_KEY", "DESTINATION_KEY", "LINK_TYPE", "DIRECTION"), *rows])
    path = tmp_path / "links.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    assert [row[:4] for row in read_expected(path) if isinstance(row, ExpectedRow)] == EXPECTED


@pytest.mark.parametrize("database", DATABASES)
def test_the_commented_condition_leaves_out_links_within_a_project(
    database: str, sqlite: sqlite3.Connection
) -> None:
    sqlite.execute("INSERT INTO issuelink VALUES (9, 10000, 1, 3, NULL)")
    text = query(database)
    assert text.count("-- AND ps.") == 2
    text = text.replace("-- AND", "AND")
    if database == "postgresql":
        text = re.search(r"COPY \((.*)\) TO STDOUT", text, re.DOTALL)[1]
    assert len(sqlite.execute(text.rstrip().rstrip(";")).fetchall()) == len(EXPECTED)


def test_the_count_to_compare_with_is_the_number_of_rows(sqlite: sqlite3.Connection) -> None:
    assert sqlite.execute(query("count")).fetchone() == (len(EXPECTED),)


# A real PostgreSQL server, private to the test


def _programs() -> dict[str, str] | None:
    names = ("initdb", "postgres", "psql")
    places = [Path("/usr/bin"), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = {}
    for name in names:
        path = shutil.which(name) or next(
            (str(place / name) for place in places if (place / name).exists()), None
        )
        if path is None:
            return None
        found[name] = path
    return found


class _Postgres:
    """A server on a socket in a folder of its own; refuses to run as root, so it changes user."""

    def __init__(self, folder: Path) -> None:
        programs = _programs()
        assert programs is not None
        self.programs = programs
        self.folder = folder
        self.user = _other_user()
        if self.user is not None:
            os.chown(folder, *self.user)
        # Nothing is said of the locale or zone of this machine.
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(folder)}
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, *words: str, text: str = "") -> str:
        done = subprocess.run(
            words,
            check=False,
            input=text,
            capture_output=True,
            text=True,
            env=self.env,
            cwd=self.folder,
            timeout=60,
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _as_user(self) -> dict[str, object]:
        return {} if self.user is None else {"user": self.user[0], "group": self.user[1]}

    def start(self) -> None:
        data = self.folder / "data"
        self._run(
            self.programs["initdb"],
            "-D",
            str(data),
            "-U",
            "jira",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "-N",
        )
        self.process = subprocess.Popen(
            [self.programs["postgres"], "-D", str(data), "-k", str(self.folder), "-h", "", "-F"],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as_user(),
        )
        for _ in range(100):
            try:
                self.psql("SELECT 1")
            except AssertionError:
                assert self.process.poll() is None, "the server ended"
                # The one real wait of these tests: another process has to come up.
                subprocess.run([sys.executable, "-c", "import time; time.sleep(0.1)"], check=True)
            else:
                return
        pytest.fail("the server did not come up")

    def psql(self, text: str) -> str:
        return self._run(
            self.programs["psql"], "-h", str(self.folder), "-U", "jira", "-d", "postgres",
            "-q", "-v", "ON_ERROR_STOP=1", "-f", "-", text=text,
        )  # fmt: skip

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)


def _other_user() -> tuple[int, int] | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    pytest.skip("root may not run PostgreSQL, and there is no other user")


@pytest.mark.skipif(
    _programs() is None, reason="no PostgreSQL server (initdb, postgres, psql) here"
)
def test_the_postgresql_query_exports_on_a_real_server(tmp_path: Path) -> None:
    # Unix sockets have short names only.
    folder = Path("/tmp") / f"rb-pg-{os.getpid()}"
    folder.mkdir(mode=0o700)
    server = _Postgres(folder)
    try:
        server.start()
        server.psql(TABLES)
        path = tmp_path / "links.csv"
        path.write_text(server.psql(query("postgresql")), encoding="utf-8")
        assert path.read_text(encoding="utf-8").startswith(
            "source_key,destination_key,link_type,direction\n"
        )
        assert [row[:4] for row in read_expected(path)] == EXPECTED
        assert server.psql(query("count")).split()[2] == str(len(EXPECTED))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
