"""`logs` keeps Atlassian's logs with their bytes, and says which job each row belongs to."""

import base64
import gzip
import hashlib
import json
from pathlib import Path

import httpx
import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.ledger.events import PlanAmended
from runbook.ledger.events.links import VerifyEnded, VerifyStarted
from runbook.operations.root import Root
from tests.report.bundle_world import PLAN, RUN, START, make_ledger

CANARY = "canary-T0ken/with+odd=chars"
SITE = "https://a.atlassian.net"
ROWS = """\
Issue key;Old link;New link;Result;Date
ENG-1;https://jira.contoso.example/browse/OPS-1;https://b.atlassian.net/browse/OPS-1;updated;2026-11-22T19:01:20Z
ENG-2;https://jira.contoso.example/browse/OPS-2;https://b.atlassian.net/browse/OPS-2;failed;2026-11-22T19:01:21Z
ENG-3;https://jira.contoso.example/browse/OPS-3;https://elsewhere.example/OPS-3;updated;2026-11-22T19:01:22Z
"""
KEYS = {"RUNBOOK_EMAIL": "admin@contoso.example", "RUNBOOK_API_TOKEN": CANARY}


@pytest.fixture
def ledger(tmp_path) -> Path:
    return make_ledger(tmp_path)


@pytest.fixture
def log(tmp_path) -> Path:
    path = tmp_path / "audit.csv"
    path.write_text(ROWS)
    return path


def root(transport=None, environ=None) -> Root:
    clock = VirtualClock(START)
    return Root(environ=environ or {}, clock=clock, interactive=False, transport=transport)


def keep(ledger: Path, file: object, *argv: str, site: str = SITE, kind: str = "audit") -> int:
    call = ["logs", "import", "latest", str(file), "--kind", kind, "--site", site, *argv]
    return main([*call, "--ledger", str(ledger)], root=root())


def kept(ledger: Path) -> list:
    with root().open_ledger(ledger) as opened:
        return [seen.event for seen in opened.events() if seen.kind == "log.kept"][1:]


def test_an_import_keeps_the_bytes_and_attributes_the_rows(ledger, log, capsys):
    assert keep(ledger, log, site="a.atlassian.net/") == 0
    (event,) = kept(ledger)
    assert base64.b64decode(event.raw_base64) == log.read_bytes()
    assert event.sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
    assert (event.log, event.site, event.source, event.rows) == ("audit", SITE, "audit.csv", 3)
    assert event.attribution["jobs"] == {"a-to-b": 2}
    assert event.attribution["because"] == {"no job fits": 1}
    assert "rows: 3 = 2 a-to-b + 1 unattributed (no job fits)" in capsys.readouterr().err


def test_the_same_file_again_writes_nothing(ledger, log, capsys):
    keep(ledger, log)
    assert keep(ledger, log) == 0
    assert len(kept(ledger)) == 1
    assert "in the ledger already" in capsys.readouterr().err


def test_a_later_download_counts_only_what_is_new(ledger, log, tmp_path, capsys):
    keep(ledger, log)
    capsys.readouterr()
    later = tmp_path / "later.csv"
    later.write_text(
        ROWS + "ENG-4;x;https://b.atlassian.net/browse/OPS-4;updated;2026-11-22T19:01:23Z\n"
    )
    assert keep(ledger, later, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1
    attribution = document["logs"][0]["attribution"]
    assert (attribution["seen_before"], attribution["jobs"]) == (3, {"a-to-b": 1})


def test_totals_stand_beside_the_verification(ledger, log, capsys):
    with root().open_ledger(ledger, read_only=False) as opened:
        opened.append(
            VerifyStarted(
                verification="v", after=None, before=None, expected=None, sample=None, operator="x"
            ),
            run=RUN,
        )
        jobs = [{"id": "a-to-b", "expected": 5, "recreated": 2, "missing": 3}]
        opened.append(
            VerifyEnded(
                verification="v", result="differences", jobs=jobs, pairs=[], sample=None, notes=[]
            ),
            run=RUN,
        )
    assert keep(ledger, log) == 0
    said = capsys.readouterr().out.split("\n")
    assert said[1].split() == ["a-to-b", "3", "2", "5"]
    assert said[2].split() == ["b-to-a", "0", "not", "verified"]


REFUSED = {
    "a site that is none of the run": ["--site", "https://x.example"],
    "a mapping of another form": ["--map", "issue"],
    "a mapping to no column": ["--map", "issue=Nope"],
    "an unknown kind": ["--kind", "diary"],
}


@pytest.mark.parametrize("argv", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_writes_nothing(argv, ledger, log, capsys):
    before = ledger.read_bytes()
    assert keep(ledger, log, *argv) == 2
    assert ledger.read_bytes() == before
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_that_is_not_there_or_no_log_is_refused(ledger, log, tmp_path):
    (tmp_path / "bin").write_bytes(bytes(range(256)))
    for name in ("absent.csv", "bin", ".", "plan.yaml"):
        assert keep(ledger, tmp_path / name) == 2
    assert kept(ledger) == []
    assert keep(tmp_path / "absent.ledger", log) == 9


# Fetching


def with_template(ledger: Path, template: str) -> None:
    text = PLAN.replace("customer:", f"logs: {{audit: '{template}'}}\ncustomer:")
    with root().open_ledger(ledger) as opened:
        started = next(seen.event for seen in opened.events() if seen.kind == "run.started")
    with root().open_ledger(ledger, read_only=False) as opened:
        opened.append(
            PlanAmended(
                difference=["`logs` was added"],
                plan_text=text,
                digest=started.digest,
                jobs_digest=started.jobs_digest,
                jobs=started.jobs,
                findings=[],
                evidence=started.evidence,
            ),
            run=RUN,
        )


def fetch(ledger: Path, handler, *argv: str, environ=KEYS) -> int:
    call = ["logs", "fetch", "latest", "--ledger", str(ledger), *argv]
    return main(call, root=root(lambda: httpx.MockTransport(handler), environ))


def test_without_an_address_nothing_is_guessed(ledger, capsys):
    def handler(request):
        raise AssertionError(request.url)

    assert fetch(ledger, handler) == 2
    assert "admin.atlassian.com" in capsys.readouterr().err


def test_a_fetch_asks_each_site_once_and_sends_no_credential_elsewhere(ledger, capsys):
    with_template(ledger, "https://api.atlassian.com/links/v1/{siteId}/audit?for={productURL}")
    asked = []

    def handler(request):
        asked.append((str(request.url), "authorization" in request.headers))
        if request.url.host == "files.example":
            return httpx.Response(200, content=gzip.compress(ROWS.encode()))
        return httpx.Response(
            302,
            headers={"Location": f"https://files.example/{request.url.path[-12:-6]}?sig=s3cret"},
        )

    assert fetch(ledger, handler) == 0
    assert [(url.split("?")[0], sent) for url, sent in asked] == [
        ("https://api.atlassian.com/links/v1/site-a/audit", True),
        ("https://files.example/site-a", False),
        ("https://api.atlassian.com/links/v1/site-b/audit", True),
        ("https://files.example/site-b", False),
    ]
    assert [event.rows for event in kept(ledger)] == [3, 3]
    assert all("s3cret" not in event.source for event in kept(ledger))
    everything = ledger.read_bytes()
    assert CANARY.encode() not in everything
    said = capsys.readouterr()
    assert CANARY not in said.out + said.err


def test_a_job_id_in_the_address_asks_once_per_job(ledger):
    with_template(ledger, "https://api.atlassian.com/links/v1/{siteId}/jobs/{jobId}/audit")
    asked = []

    def handler(request):
        asked.append(request.url.path)
        return httpx.Response(200, content=ROWS.encode())

    assert fetch(ledger, handler, "--site", SITE) == 0
    assert asked == ["/links/v1/site-a/jobs/00000000-0000-4000-8000-000000000000/audit"]


@pytest.mark.parametrize(("status", "code"), [(401, 4), (404, 5), (500, 5)])
def test_a_refused_download_has_its_exit_code_and_a_way_by_hand(status, code, ledger, capsys):
    with_template(ledger, "https://api.atlassian.com/{siteId}")
    assert fetch(ledger, lambda _: httpx.Response(status)) == code
    assert "by hand" in capsys.readouterr().err
    assert kept(ledger) == []


def test_without_a_credential_nothing_is_asked(ledger):
    with_template(ledger, "https://api.atlassian.com/{siteId}")
    assert fetch(ledger, lambda _: httpx.Response(200), environ={}) == 4
