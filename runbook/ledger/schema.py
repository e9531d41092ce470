"""The tables and triggers of a ledger file, and the marks that tell one from any other database."""

from runbook.ledger.codec import FIRST_HASH

APPLICATION_ID = 0x52424B31  # "RBK1"
FORMAT = 1

TABLES = """
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    run     TEXT,
    job     TEXT,
    payload TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL);
CREATE TABLE lease (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    token TEXT NOT NULL, operator TEXT NOT NULL, pid INTEGER NOT NULL, machine TEXT NOT NULL,
    since TEXT NOT NULL, heartbeat TEXT NOT NULL, after_seq INTEGER NOT NULL
);
"""

TRIGGERS = {
    "event_is_final": """CREATE TRIGGER event_is_final BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'ledger events are final'); END""",
    "event_stays": """CREATE TRIGGER event_stays BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'ledger events are final'); END""",
    "event_follows": """CREATE TRIGGER event_follows BEFORE INSERT ON event
WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM event)
BEGIN SELECT RAISE(ABORT, 'ledger events follow each other'); END""",
}
CREATION = f"""
BEGIN EXCLUSIVE;
{TABLES}
{";".join(TRIGGERS.values())};
INSERT INTO head VALUES (1, 0, '{FIRST_HASH}');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
COMMIT;
"""  # noqa: S608 - constants only
