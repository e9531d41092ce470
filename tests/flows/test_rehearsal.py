"""The rehearsed evening, through real loopback sockets, on virtual time."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runbook.checks import examine
from runbook.checks.codes import Facts
from runbook.cli.app import main
from runbook.findings import may_run
from runbook.jobs import jobs_digest, jobs_of
from runbook.operations.practice import practice_copy
from runbook.operations.rehearse import as_if_finished
from runbook.plan import load_plan_bytes, read_plan
from runbook.plan.model import Wave

PLANS = sorted(Path("plans").glob("*.yaml"))


def rehearse(*words: str) -> int:
    return main(["rehearse", *words])


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
@pytest.mark.parametrize("faults", ["none", "light", "heavy"])
def test_every_example_can_be_rehearsed_under_every_level_of_faults(
    plan: Path, faults: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rehearse(str(plan), "--faults", faults) == 0
    said = capsys.readouterr().err
    assert "verify: clean" in said or "expected" not in plan.read_text()
    assert ("no faults were met" in said) == (faults == "none")


def test_the_report_names_every_job_and_says_that_it_is_a_rehearsal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.html"
    assert rehearse("plans/contoso-split.yaml", "--report", str(report)) == 0
    page = report.read_text(encoding="utf-8")
    assert "REHEARSAL" in page
    for job in ("eng-to-ops", "ops-to-eng", "eng-to-svc", "svc-to-eng", "ops-to-svc", "svc-to-ops"):
        assert job in page


def test_repair_and_rollback_are_rehearsed_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert rehearse("plans/contoso-split.yaml", "--repair", "--rollback") == 0
    said = capsys.readouterr().err
    assert "verify: differences" in said
    assert said.index("verify: differences") < said.index("verify: clean")
    assert "rollback: " in said


def test_the_same_seed_is_the_same_evening(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = []
    for name in ("one", "two"):
        ledger = tmp_path / f"{name}.ledger"
        assert rehearse("plans/two-sites.yaml", "--seed", "7", "--ledger", str(ledger)) == 0
        capsys.readouterr()
        main(["status", "--format", "json", "--ledger", str(ledger)])
        status = json.loads(capsys.readouterr().out)
        shapes.append([(job["id"], job["state"], job["submissions"]) for job in status["jobs"]])
    assert shapes[0] == shapes[1]


def test_a_rehearsal_never_takes_a_ledger_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "runbook.ledger"
    taken.write_bytes(b"")
    assert rehearse("plans/two-sites.yaml", "--ledger", str(taken)) == 2
    assert taken.read_bytes() == b""


def test_a_rehearsal_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(Path("plans/two-sites.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    rehearse(str(plan))
    assert [one.name for one in tmp_path.iterdir()] == ["plan.yaml"]


def test_a_plan_that_may_not_run_is_not_rehearsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yaml"
    text = Path("plans/two-sites.yaml").read_text(encoding="utf-8")
    plan.write_text(text.replace("authorized: true", "authorized: false"), encoding="utf-8")
    assert rehearse(str(plan)) == 3
    assert "RB301" in capsys.readouterr().err


@contextlib.contextmanager
def ended(server: "subprocess.Popen[str]") -> Iterator[None]:
    """End a server whatever happens in the block."""
    try:
        yield
    finally:
        server.terminate()


# The command itself; only its jobs take a tenth of a second, so that nobody waits for them.
SERVER = """
import sys
from runbook.cli import rehearse
from runbook.cli.app import main
rehearse.PRACTICE_JOB_MINUTES = (0.001, 0.002)
rehearse.PRACTICE_BACKUP_MINUTES = 0.001
raise SystemExit(main(sys.argv[1:]))
"""


def test_serve_lets_one_practise_by_hand_with_real_processes(tmp_path: Path) -> None:
    """The simulator of `rehearse --serve` is a server that the real command can be pointed at."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(Path("plans/two-sites.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    with (
        subprocess.Popen(
            [sys.executable, "-c", SERVER, "rehearse", str(plan), "--serve", "--faults", "none"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server,
        ended(server),
    ):
        assert server.stdout is not None
        endpoint = server.stdout.readline().strip()
        assert endpoint.startswith("http://127.0.0.1:")
        env = {
            "PATH": "",
            "RUNBOOK_EMAIL": "me@example.invalid",
            "RUNBOOK_API_TOKEN": "practice",
            "RUNBOOK_ENDPOINT": endpoint,
            "RUNBOOK_LEDGER": str(tmp_path / "practice.ledger"),
        }
        copy = tmp_path / "plan.practice.yaml"
        words = ["run", str(copy), "--yes", "--only", "fabrikam-labs-to-fabrikam"]
        words += ["--poll-interval", "0.2"]
        done = subprocess.run(
            [sys.executable, "-m", "runbook", *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "nothing reaches Atlassian" in done.stderr


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.stem)
def test_a_practice_copy_sends_the_same_and_may_run_now(plan: Path) -> None:
    read = read_plan(plan)
    assert read.cutover is not None
    now = datetime(2031, 5, 4, 3, 2, 1, tzinfo=UTC)
    copied = load_plan_bytes(practice_copy(read, now - read.cutover), str(plan)).plan
    assert copied is not None
    assert jobs_digest(jobs_of(copied)) == jobs_digest(jobs_of(read))
    assert copied.cutover == now
    findings = examine(copied, Facts(at=now, running=True))
    assert may_run(findings), [one.message for one in findings]


def write(tmp_path: Path, change: Callable[[str], str]) -> Path:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        change(Path("plans/two-sites.yaml").read_text(encoding="utf-8")), encoding="utf-8"
    )
    return plan


def test_a_plan_that_needs_an_approval_can_be_rehearsed_before_anybody_approves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write(tmp_path, lambda text: text.replace("\nsites:", "\nrequireApproval: true\nsites:"))
    assert "requireApproval" in plan.read_text(encoding="utf-8")
    assert rehearse(str(plan), "--faults", "none") == 0


def test_a_wave_planned_for_after_the_cutover_counts_as_finished_in_a_rehearsal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = read_plan(Path("plans/two-sites.yaml"))
    assert plan.cutover is not None
    later = Wave(name="late", planned=plan.cutover + timedelta(days=2))
    sites = (replace(plan.sites[0], waves=(*plan.sites[0].waves, later)), *plan.sites[1:])
    waves = as_if_finished(replace(plan, sites=sites), plan.cutover).sites[0].waves
    assert waves[-1].finished == plan.cutover
    assert waves[-1].planned is None


@pytest.mark.parametrize("option", [["--report", "x.html"], ["--repair"], ["--ledger", "x"]])
def test_serve_refuses_what_it_would_not_do(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert rehearse("plans/two-sites.yaml", "--serve", *option) == 2
    assert option[0] in capsys.readouterr().err
