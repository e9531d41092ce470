"""`runbook preview`: the exact requests in order, on a machine without a network."""

import base64
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runbook.jobs import jobs_digest, jobs_of
from runbook.operations.credentials import variable_names
from runbook.plan import read_plan
from runbook.plan.model import Plan
from runbook.preview import preview_curl, preview_json, preview_text
from tests.cli.ledgers import call

PLAN = """\
format: 1
name: contoso-split
customer: Contoso Ltd
cutover: 2026-11-22T20:00:00+01:00
sites:
  - url: https://contoso-eng.atlassian.net
    siteId: 6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10
    account: contoso
    projects: [ENG, PLT]
    migrations:
      - name: wave-1
        projects: [ENG]
        started: 2026-11-13T18:00:00+01:00
        finished: 2026-11-14T02:30:00+01:00
      - {name: wave-2, projects: [PLT], planned: 2026-11-21T06:00:00+01:00}
  - url: https://contoso-ops.atlassian.net
    projects: [OPS]
    migrations: [{name: wave-1, finished: 2026-11-15T23:10:00+01:00}]
instances:
  - id: ops-to-eng
    productURL: https://contoso-ops.atlassian.net
    destinationURL: https://contoso-eng.atlassian.net
    migratedFrom: https://jira.contoso.example
    needs: [eng-to-ops]
    appLink: {authorized: true, by: J. Doe, at: 2026-11-20T09:15:00+01:00}
  - id: eng-to-ops
    productURL: https://contoso-eng.atlassian.net
    destinationURL: https://contoso-ops.atlassian.net
    migratedFrom: https://jira.contoso.example
    createBackup: true
    appLink: {authorized: true, by: J. Doe, at: 2026-11-20T09:15:00+01:00}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail whatever opens a socket or looks up a name."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the preview touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def previewed(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    assert call("preview", *argv, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_the_json_is_the_documented_one(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keys, order of jobs, addresses with the literal `{siteId}`, and no credential."""
    document = previewed(capsys, str(plan))
    read = read_plan(plan)
    assert list(document) == ["format", "plan", "at", "rounds", "jobs"]
    assert document["plan"] == {
        "name": "contoso-split",
        "digest": read.digest,
        "jobs_digest": jobs_digest(jobs_of(read)),
    }
    assert document["at"] == "2026-11-22T19:00:00Z"
    first, second = document["jobs"]
    assert list(first) == ["id", "order", "needs", "windows", "request"]
    assert (first["id"], first["order"], first["needs"]) == ("eng-to-ops", 1, [])
    assert (second["id"], second["order"], second["needs"]) == ("ops-to-eng", 2, ["eng-to-ops"])
    assert first["request"] == {
        "method": "POST",
        "url": "https://api.atlassian.com/links/v1/6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10/jobs/cma",
        "headers": {"Accept": "application/json", "Content-Type": "application/json"},
        "body": {
            "product": "jira",
            "productURL": "https://contoso-eng.atlassian.net",
            "destinationURL": "https://contoso-ops.atlassian.net",
            "migratedFrom": "https://jira.contoso.example",
            "recreateAsRemote": True,
            "createBackup": True,
        },
    }
    assert second["request"]["url"] == "https://api.atlassian.com/links/v1/{siteId}/jobs/cma"


def test_windows_are_pairs_of_waves_with_their_state(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the planned moment; planned ends count; nothing is expected where nobody counted."""
    first, second = previewed(capsys, str(plan))["jobs"]
    assert first["windows"][0] == {
        "from": "wave-1",
        "to": "wave-1",
        "opens": "2026-11-15T22:10:00Z",
        "safe_closes": "2026-11-27T17:00:00Z",
        "closes": "2026-11-28T01:30:00Z",
        "state": "open",
        "expected": None,
    }
    assert [(w["from"], w["to"], w["state"]) for w in second["windows"]] == [
        ("wave-1", "wave-1", "open"),
        ("wave-1", "wave-2", "open"),
    ]


MOMENTS = {
    "2026-11-14T00:00:00+01:00": ["not_yet", "not_yet"],
    "2026-11-16T00:00:00+01:00": ["open", "not_yet"],
    "2026-11-27T18:00:00+01:00": ["late", "open"],
    "2026-11-28T02:30:00+01:00": ["closed", "open"],
    "2026-12-24T00:00:00Z": ["closed", "closed"],
}


@pytest.mark.parametrize("at", MOMENTS)
def test_the_planned_moment_can_be_given(
    plan: Path, capsys: pytest.CaptureFixture[str], at: str
) -> None:
    """`--at` decides the states."""
    first, _ = previewed(capsys, str(plan), "--at", at)["jobs"]
    assert [window["state"] for window in first["windows"]] == MOMENTS[at]


def test_without_cutover_the_present_counts(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The clock of the caller, as `check` does."""
    lines = [line for line in PLAN.splitlines(keepends=True) if not line.startswith("cutover")]
    plan.write_text("".join(lines), encoding="utf-8")
    assert previewed(capsys, str(plan))["at"] == "2026-11-22T19:00:00Z"


def test_rounds_name_the_pairs_they_serve(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The fewest moments: one here, with all four pairs."""
    document = previewed(capsys, str(plan))
    (one,) = document["rounds"]
    assert (one["from"], one["until"]) == ("2026-11-22T19:00:00Z", "2026-11-27T17:00:00Z")
    assert {"job": "eng-to-ops", "from": "wave-2", "to": "wave-1"} in one["pairs"]
    assert len(one["pairs"]) == 4


def test_expected_links_are_counted_per_job_and_pair(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the Data Center's export."""
    csv = plan.with_name("links.csv")
    csv.write_text(
        "source_key,destination_key,link_type,direction\n"
        "ENG-1,OPS-1,blocks,outward\nOPS-1,ENG-1,is blocked by,inward\nPLT-1,OPS-2,blocks,outward\n",
        encoding="utf-8",
    )
    first, second = previewed(capsys, str(plan), "--links", str(csv))["jobs"]
    assert [window["expected"] for window in first["windows"]] == [1, 1]
    assert [window["expected"] for window in second["windows"]] == [1, 0]
    assert call("preview", str(plan), "--links", str(csv)) == 0
    assert "expects 2 links" in capsys.readouterr().out


def test_the_text_says_what_goes_where_and_what_nobody_knows(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Order, needs, windows, rounds, hosts, the unknown, and that there is no way back."""
    assert call("preview", str(plan)) == 0
    shown = capsys.readouterr()
    for words in (
        "1. eng-to-ops",
        "2. ops-to-eng\n   needs   eng-to-ops",
        "api.atlassian.com (submits and polls the jobs)",
        "contoso-ops.atlassian.net (site id, without a credential)",
        '"createBackup": true',
        "wave-1 -> wave-1: open; opens 2026-11-15 23:10 +01:00",
        "rounds: 1 moment can serve",
        "what is not known:",
        "the site ids of https://contoso-ops.atlassian.net",
        "nothing can be cancelled or undone",
        jobs_digest(jobs_of(read_plan(plan))),
    ):
        assert words in shown.out
    assert "\x1b" not in shown.out


def test_the_html_is_a_page_with_every_job(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report's own template."""
    assert call("preview", str(plan), "--format", "html") == 0
    page = capsys.readouterr().out
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "eng-to-ops" in page
    assert "ops-to-eng" in page


def test_a_plan_with_structural_errors_is_exit_3(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every finding is shown, and no request."""
    broken = PLAN.replace("customer:", "custommer:").replace("2026-11-22T20:00:00+01:00", "soon")
    plan.write_text(broken, encoding="utf-8")
    for output in ("text", "json", "curl", "html"):
        assert call("preview", str(plan), "--format", output) == 3
        shown = capsys.readouterr()
        assert "RB101" in shown.err
        assert "RB103" in shown.err
        assert "POST" not in shown.out


def test_a_plan_that_may_not_run_is_shown_and_said_to_be_one(
    plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The preview is for reading, also before the checklist is done."""
    plan.write_text(PLAN.replace("authorized: true", "authorized: false"), encoding="utf-8")
    assert call("preview", str(plan)) == 0
    shown = capsys.readouterr()
    assert "1. eng-to-ops" in shown.out
    assert "may not run yet" in shown.err


BAD_CALLS = {
    "no such plan": (["absent.yaml"], 3),
    "no date-time": (["PLAN", "--at", "tomorrow"], 2),
    "a moment without an offset": (["PLAN", "--at", "2026-11-22T20:00:00"], 2),
    "an unknown format": (["PLAN", "--format", "xml"], 2),
    "no plan": ([], 2),
}


@pytest.mark.parametrize("case", BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_calls(
    plan: Path, capsys: pytest.CaptureFixture[str], case: tuple[list[str], int]
) -> None:
    """One clear error, the documented code, nothing on stdout, no traceback."""
    argv = [str(plan) if word == "PLAN" else word for word in case[0]]
    assert call("preview", *argv) == case[1]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err


# The shell script

LONG_TOKEN = "ATATT3/with+odd=chars%s\\n$HOME" * 9  # longer than one line of `base64`
HOSTILE = "https://jira.example/$(touch pwned)`touch pwned`'\"\\;touch pwned;${HOME}!\t#"


def header(email: str, token: str) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{email}:{token}".encode()).decode()


def run_script(
    script: str, folder: Path, *, shell: str | None = None
) -> list[dict[str, list[str]]]:
    """Run a script with a `curl` that writes down what it is given, and return it for each call.

    That are its arguments, and behind them the headers that it reads from stdin.
    """
    fake = folder / "bin" / "curl"
    fake.parent.mkdir()
    log = folder / "calls"
    fake.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "given = sys.argv[1:]\n"
        "piped = sys.stdin.read().splitlines() if '@-' in given else []\n"
        f"open({str(log)!r}, 'a').write(json.dumps({{'given': given, 'piped': piped}}) + '\\n')\n"
        'print(\'{"cloudId":"looked-up-id"}\')\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    environ = {
        "PATH": f"{fake.parent}{os.pathsep}{os.environ['PATH']}",
        "RUNBOOK_EMAIL": "j@x.example",
        "RUNBOOK_API_TOKEN": "what-curl-is-given",
        "RUNBOOK_CONTOSO_EMAIL": "c@x.example",
        "RUNBOOK_CONTOSO_API_TOKEN": LONG_TOKEN,
    }
    shell = shell or shutil.which("sh")
    assert shell is not None
    done = subprocess.run(
        [shell], input=script, env=environ, cwd=folder, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in log.read_text().splitlines()]


@pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX shell")
def test_the_script_sends_exactly_what_is_previewed(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same addresses, headers and bodies; the token comes from a variable, and through stdin."""
    assert call("preview", str(plan), "--format", "curl") == 0
    script = capsys.readouterr().out
    assert 'authorization "$RUNBOOK_CONTOSO_EMAIL" "$RUNBOOK_CONTOSO_API_TOKEN" |' in script
    calls = run_script(script, tmp_path)
    lookup, first, second = (call["given"] for call in calls)
    assert lookup[-1] == "https://contoso-ops.atlassian.net/_edge/tenant_info"
    assert not any("user" in word for word in lookup)
    jobs = jobs_of(read_plan(plan))
    for job, sent in zip(jobs, (first, second), strict=True):
        assert sent[-1] == job.url.replace("{siteId}", "looked-up-id")
        assert json.loads(sent[sent.index("--data-binary") + 1]) == job.body
        assert sent[sent.index("--request") + 1] == "POST"
        assert "Content-Type: application/json" in sent
    assert [call["piped"] for call in calls] == [
        [],
        [header("c@x.example", LONG_TOKEN)],
        [header("j@x.example", "what-curl-is-given")],
    ]


@pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX shell")
def test_no_process_of_the_script_has_the_token_as_an_argument(
    plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ps` shows the arguments of every process to everybody on the machine."""
    assert call("preview", str(plan), "--format", "curl") == 0
    script = capsys.readouterr().out
    # A shell says every command that it runs, builtins too; only `printf`, a builtin, has the token.
    traced = f"exec 9> {tmp_path}/trace; BASH_XTRACEFD=9; set -x\n{script}"
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("needs a bash that traces")
    run_script(traced, tmp_path, shell=shell)
    secrets = ("what-curl-is-given", base64.b64encode(b"j@x.example:what-curl-is-given").decode())
    lines = (tmp_path / "trace").read_text().splitlines()
    told = [line.lstrip("+ ") for line in lines if any(secret in line for secret in secrets)]
    assert told
    assert {line.split()[0] for line in told} <= {"printf", "authorization", ":"}


@pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX shell")
def test_hostile_values_of_a_plan_stay_values(plan: Path, tmp_path: Path) -> None:
    """Nothing in a plan becomes a command, in a body, an address, an id, a name or an account."""
    from dataclasses import replace

    read = read_plan(plan)
    sites = tuple(
        replace(site, account="x$(touch pwned)", url=site.url + "'$(touch pwned)", site_id=None)
        for site in read.sites
    )
    hostile = replace(
        read,
        name="evil\ntouch pwned\n",
        sites=sites,
        instances=tuple(
            replace(
                one,
                id=f"{number}\ntouch pwned\n",
                product_url=sites[number].url,
                destination_url=sites[1 - number].url,
                migrated_from=HOSTILE,
                migrated_from_override="it's\nnew line",
                needs=("a\ntouch pwned",),
            )
            for number, one in enumerate(read.instances)
        ),
    )
    script = preview_curl(hostile, variable_names)
    script = script.replace("RUNBOOK_X__TOUCH_PWNED__", "RUNBOOK_")
    calls = [call["given"] for call in run_script(script, tmp_path)]
    assert not (tmp_path / "pwned").exists()
    bodies = [json.loads(c[c.index("--data-binary") + 1]) for c in calls if "--data-binary" in c]
    assert [body["migratedFrom"] for body in bodies] == [HOSTILE] * 2


def test_hostile_values_reach_the_terminal_without_controls(plan: Path) -> None:
    """Ids, names and URLs of a plan may hold anything."""
    from dataclasses import replace

    read = read_plan(plan)
    evil = "\x1b[2J\r\nfake\u202e"
    hostile = replace(
        read,
        name=evil,
        customer=evil,
        change=evil,
        instances=tuple(
            replace(one, id=one.id + evil, migrated_from=evil) for one in read.instances
        ),
    )
    text = preview_text(hostile, datetime.fromisoformat("2026-11-22T20:00:00+01:00"))
    assert not set(text) & set("\x1b\r\u202e")
    assert not any(line.startswith("fake") for line in text.splitlines())


def seconds_to_preview(jobs: int) -> float:
    """Return the processor time that a plan of a thousand sites takes, as JSON and as text."""
    import time

    from runbook.plan.model import Instance, Site, Wave

    end = datetime.fromisoformat("2026-11-15T00:00:00+00:00")
    sites = tuple(
        Site(url=f"https://s{n}.atlassian.net", waves=(Wave(name="w", finished=end),))
        for n in range(1000)
    )
    instances = tuple(
        Instance(
            id=f"j{n}",
            product_url=sites[n % 1000].url,
            destination_url=sites[(n + 1 + n // 1000) % 1000].url,
            migrated_from="https://x",
        )
        for n in range(jobs)
    )
    big = Plan(name="big", sites=sites, instances=instances)
    began = time.process_time()
    assert len(preview_json(big, end + timedelta(days=1))["jobs"]) == jobs
    preview_text(big, end + timedelta(days=1))
    return time.process_time() - began


def test_a_preview_takes_time_in_proportion_to_the_jobs() -> None:
    """Five times the jobs take about five times as long, not twenty-five times."""
    assert seconds_to_preview(10_000) < 12 * seconds_to_preview(2_000)
