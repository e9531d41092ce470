"""`snapshot`: what it shows, what it refuses, and how it ends."""

import os
from pathlib import Path

import pytest

from runbook.remotelinks.snapshot_file import open_snapshot
from runbook.simulator.faults import FaultKind
from tests.flows.evening import Evening, Result, plan_text, url_of

ENG, OPS = url_of("eng"), url_of("ops")


class Desk(Evening):
    """A plan of two sites and a snapshot."""

    @property
    def file(self) -> Path:
        return self.folder / "before.snapshot"

    def snapshot(self, *more: str) -> Result:
        return self.command("snapshot", str(self.plan), "-o", str(self.file), *more)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys, text=plan_text(("eng", "ops")))


def test_a_snapshot_is_taken_once_and_then_said_to_be_whole(desk: Desk) -> None:
    done = desk.snapshot()
    assert done.code == 0, done.err
    assert ENG in done.out
    assert "20 of 20 issues" in done.err
    again = desk.snapshot("--format", "json")
    assert again.code == 0
    assert "is whole since" in again.err
    document = again.json()
    assert document["format"] == 1
    assert document["finished_at"]
    for site in document["sites"]:
        assert sum(site["states"].values()) == site["issues"]
    assert document["not_read"] == document["errors"] == []


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no modes")
def test_a_snapshot_is_the_owners_alone(desk: Desk) -> None:
    before = os.umask(0o022)
    try:
        assert desk.snapshot().code == 0
    finally:
        os.umask(before)
    assert desk.file.stat().st_mode & 0o777 == 0o600


def test_a_snapshot_that_is_not_whole_ends_with_5_and_is_gone_on_with(desk: Desk) -> None:
    desk.fault(FaultKind.STATUS, {"path": "*", "host": "contoso-ops*"}, status=503, times=9999)
    broken = desk.snapshot()
    assert broken.code == 5
    assert "is not whole; the same command goes on" in broken.err
    assert "error: https://contoso-ops.atlassian.net" in broken.err
    unknown = desk.snapshot("--format", "json").json()
    assert unknown["sites"][1]["issues"] is None
    assert unknown["errors"][0]["site"] == OPS
    desk.world.faults.rules.clear()
    assert desk.snapshot().code == 0


def test_what_was_not_read_is_listed(desk: Desk) -> None:
    desk.fault(FaultKind.STATUS, {"path": "*/ENG-3/remotelink"}, status=403, times=99)
    desk.fault(FaultKind.STATUS, {"path": "*/ENG-4/remotelink"}, status=500, times=99)
    done = desk.snapshot()
    assert done.code == 5
    assert "refused: ENG-3" in done.out
    assert "failed: ENG-4" in done.out
    assert "1 issue failed" in done.err


def test_a_credential_that_is_refused_ends_with_4(desk: Desk) -> None:
    desk.world.settings.accept_any = False
    assert desk.snapshot().code == 4
    assert desk.env.pop("RUNBOOK_API_TOKEN")
    assert desk.snapshot("-o", str(desk.folder / "other")).code == 4
    assert not (desk.folder / "other").exists()


def test_expected_links_and_a_query_narrow_what_is_read(desk: Desk) -> None:
    csv = desk.folder / "links.csv"
    csv.write_text(
        "source_key,destination_key,link_type,direction\nENG-1,OPS-2,blocks,outward\nbroken\n"
    )
    done = desk.snapshot("--links", str(csv))
    assert done.code == 0
    assert "2 issues that `links.csv` names" in done.err
    assert "line 3" in done.err
    other = desk.snapshot("--all")
    assert other.code == 2
    assert "another scope" in other.err
    query = desk.folder / "query"
    words = ("snapshot", str(desk.plan), "-o", str(query), "--site", OPS, "--jql", "project = OPS")
    assert desk.command(*words).code == 0
    with open_snapshot(query) as file:
        assert {row.site for row in file.issues()} == {OPS}


def test_a_query_that_jira_refuses_is_said_once_and_leaves_no_file(desk: Desk) -> None:
    done = desk.snapshot("--jql", "project = NIX")
    assert done.code == 5
    assert done.err.count("error: ") == 1
    assert "error: Jira refused the query `project = NIX` on 2 sites: " in done.err
    assert done.err.count("NIX") == 2, "in the query and in Jira's own words"
    assert "hint: correct the query of `--jql`" in done.err
    assert "goes on" not in done.err
    assert f"nothing was read, so there is no `{desk.file}`" in done.err
    assert done.out == ""
    assert not desk.file.exists()
    assert desk.snapshot("--jql", "project = ENG", "--site", ENG).code == 0


def test_a_query_that_one_site_refuses_keeps_what_the_other_gave(desk: Desk) -> None:
    done = desk.snapshot("--jql", "project = ENG")
    assert done.code == 5
    assert f"error: Jira refused the query `project = ENG` on {OPS}: " in done.err
    assert "goes on" not in done.err
    assert "not whole: the same query would be refused again" in done.err
    with open_snapshot(desk.file) as file:
        assert {row.site for row in file.issues()} == {ENG}


def test_a_project_of_the_plan_that_is_not_there_names_the_plan(desk: Desk) -> None:
    desk.write(desk.text.replace("projects: [ENG]", "projects: [NIX]"))
    done = desk.snapshot("--site", ENG)
    assert done.code == 5
    assert "hint: correct the project keys of that site in the plan" in done.err


def test_a_network_that_fails_at_once_leaves_no_empty_file(desk: Desk) -> None:
    desk.fault(FaultKind.STATUS, {"path": "*"}, status=503, times=9999)
    done = desk.snapshot()
    assert done.code == 5
    assert "so there is no" in done.err
    assert not desk.file.exists()
    document = desk.snapshot("--format", "json").json()
    assert [one["issues"] for one in document["sites"]] == [None, None]


def test_a_file_that_was_there_before_is_never_removed(desk: Desk) -> None:
    desk.file.touch()
    assert desk.snapshot("--jql", "project = NIX").code == 5
    assert desk.file.exists()


def test_a_cap_slows_reading_down(desk: Desk) -> None:
    begun_s = desk.clock.monotonic_s()
    desk.snapshot("--rate", "2", "--site", ENG)
    assert desk.clock.monotonic_s() - begun_s > 9


@pytest.mark.parametrize(
    "words",
    [
        ("--jql", "x", "--all"),
        ("--site", "https://x.atlassian.net"),
        ("--links", "absent.csv"),
        ("--rate", "0"),
        ("--endpoint", "https://127.0.0.1"),
    ],
)
def test_a_command_that_cannot_work_is_a_matter_of_usage(
    words: tuple[str, ...], desk: Desk
) -> None:
    done = desk.snapshot(*words)
    assert done.code == 2, done.err
    assert not desk.file.exists()


def test_a_file_that_is_something_else_is_left_alone(desk: Desk) -> None:
    desk.file.write_text("my thesis")
    assert desk.snapshot().code == 2
    assert desk.file.read_text() == "my thesis"
