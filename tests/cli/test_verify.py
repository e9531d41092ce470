"""`verify` as its users meet it: real commands, a simulated Atlassian, virtual time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from runbook.simulator.faults import FaultKind
from runbook.simulator.model import SimAccount
from tests.flows.evening import plan_text
from tests.remotelinks.nights import DIRECTIONS, ENG, LATE_WAVE, OPS, Night, counts, night
from tests.simulator.worlds import move_issue

__all__ = ["night"]
Make = Callable[..., Night]
SOMEBODY = SimAccount(email="somebody@contoso.example", token="x")


def test_an_evening_that_went_well_is_clean(night: Make) -> None:
    one = night()
    seen = one.verify("--before", str(one.before))
    assert seen.code == 0
    assert "clean: every one of 12 expected links was looked at" in seen.err
    assert one.status()["run"]["verification"] == "clean"


def test_the_document_is_the_documented_one(night: Make) -> None:
    one = night(leave_out=0.25)
    document = one.verified()
    assert list(document) == ["format", "jobs", "findings"]
    assert document["format"] == 1
    assert list(document["jobs"][0])[:3] == ["id", "expected", "recreated"]
    assert {len(job) for job in document["jobs"]} == {15}
    finding = document["findings"][0]
    assert list(finding) == ["job", "kind", "site", "issue", "target", "link_id", "detail"]


def test_what_the_job_left_out_is_named_one_by_one(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    seen = one.verify()
    assert seen.code == 8
    document = one.verified()
    left_out = {
        (
            link.source_site,
            link.source_key,
            f"{link.destination_site}/browse/{link.destination_key}",
        )
        for link in one.world.lost_links
        if link.left_out
    }
    assert len(left_out) == 8
    assert {(f["site"], f["issue"], f["target"]) for f in document["findings"]} == left_out
    assert {f["kind"] for f in document["findings"]} == {"missing"}
    assert all(f"missing: {issue} on" in seen.out for _, issue, _ in left_out)
    assert one.status()["run"]["verification"] == "differences"


def test_each_change_since_gets_its_own_kind(night: Make) -> None:
    one = night(links_per_pair=12)
    made = [link for link in one.world.lost_links if link.source_site == ENG]
    world = one.world
    issues = [world.sites[ENG].issue(link.source_key) for link in made]

    def record(number: int) -> dict[str, object]:
        return issues[number].links[made[number].link_id].record

    issues[0].links[made[0].link_id].record = {**record(0), "relationship": "clones"}
    old = f"https://jira.contoso.example/browse/{made[1].destination_key}"
    issues[1].links[made[1].link_id].record = {
        **record(1),
        "globalId": "old",
        "object": {"url": old, "title": "old"},
    }
    wrong = f"{OPS}/browse/OPS-9999"
    issues[2].links[made[2].link_id].record = {
        **record(2),
        "globalId": "appId=x&issueId=1",
        "object": {"url": wrong, "title": made[2].destination_key},
    }
    world.remove_link(issues[3], issues[3].links[made[3].link_id], SOMEBODY)
    issues[4].links[made[4].link_id].record = {
        "relationship": made[4].label,
        "object": {"url": f"{OPS}/browse/{made[4].destination_key}", "title": "by hand"},
    }
    one.add_row("ENG-1", "XYZ-1", "blocks", "outward")
    one.add_row("ENG-1", "ENG-2", "blocks", "outward")
    one.add_row("ENG-4711", "OPS-1", "blocks", "outward")
    one.add_row("ENG-1", "OPS-4711", "blocks", "outward")
    document = one.verified()
    assert counts(document, "eng-to-ops") == {
        "expected": 14,
        "recreated": 7,
        "wrong_type": 1,
        "old_url": 1,
        "wrong_target": 1,
        "removed_since": 1,
        "satisfied_otherwise": 1,
        "source_absent": 1,
        "target_absent": 1,
    }
    assert counts(document, None) == {"expected": 2, "no_job": 2}
    by_kind = {finding["kind"]: finding for finding in document["findings"]}
    assert by_kind["wrong_target"]["target"] == f"{OPS}/browse/{made[2].destination_key}"
    assert wrong in by_kind["wrong_target"]["detail"]
    assert "removed by" in by_kind["removed_since"]["detail"]
    assert by_kind["old_url"]["detail"] == f"still points to {old}"
    assert by_kind["no_job"]["detail"] == "project `XYZ` is on no site of the plan"
    assert by_kind["no_job"]["job"] is None
    assert len([f for f in document["findings"] if f["kind"] == "no_job"]) == 1


def test_moved_and_renamed_issues_are_resolved_before_anything_is_missing(night: Make) -> None:
    text = plan_text(("eng", "ops"), pairs=DIRECTIONS).replace(
        "projects: [OPS]", "projects: [{key: NET, was: OPS}, MOVED]"
    )
    one = night(text=text)
    link = one.made()
    move_issue(one.world.sites[OPS], link.destination_key, "MOVED")
    other = next(x for x in one.world.lost_links if x.source_site == OPS)
    move_issue(one.world.sites[OPS], other.source_key, "MOVED")
    seen = one.verify()
    assert seen.code == 0, seen.out


def test_without_a_changelog_a_removed_link_is_missing_with_a_note(night: Make) -> None:
    one = night()
    link = one.made()
    issue = one.issue(link.source_key)
    one.world.remove_link(issue, issue.links[link.link_id], SOMEBODY)
    after = one.folder / "after.snapshot"
    one.command("snapshot", str(one.plan), "-o", str(after), "--links", str(one.csv))
    del one.env["RUNBOOK_API_TOKEN"]
    seen = one.verify("--after", str(after))
    assert seen.code == 8
    assert "no changelog was read (no credential for account `default`" in seen.err
    assert "missing: " + link.source_key in seen.out


def test_what_could_not_be_read_is_not_called_fine(night: Make) -> None:
    one = night()
    one.fault(
        FaultKind.STATUS,
        {"method": "GET", "path": f"*/issue/{one.made().source_key}/remotelink"},
        times=50,
    )
    seen = one.verify()
    assert seen.code == 0
    assert "partial: no difference in what was looked at" in seen.err
    assert one.status()["run"]["verification"] == "partial"


def test_removals_before_the_run_or_of_other_links_do_not_excuse_what_is_missing(
    night: Make,
) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    for link in one.world.lost_links:
        if link.left_out:
            issue = one.world.sites[link.source_site].issue(link.source_key)
            gone = ("7", f'This issue links to "{link.destination_key} (Ops)"')
            long_ago = datetime(2019, 5, 1, tzinfo=UTC)
            one.world._note(issue, long_ago, SOMEBODY, gone, (None, None))
            record = {
                "globalId": "wiki",
                "object": {
                    "url": "https://wiki.example/1",
                    "title": f"Minutes on {link.destination_key}",
                },
            }
            page, _ = one.world.write_link(issue, record, SOMEBODY)
            one.world.remove_link(issue, page, SOMEBODY)
    assert {f["kind"] for f in one.verified()["findings"]} == {"missing"}
    assert "repair: 8 = 8 done" in one.repair("--yes").err


HEADER = "source_key,destination_key,link_type,direction\n"


def all_hidden(one: Night) -> None:
    for site in one.world.sites.values():
        for issue in site.issues.values():
            issue.visible_to = set()


def other_projects(one: Night) -> None:
    rows = "".join(f"ZZZ-{n},OPS-{n},blocks,outward\n" for n in range(1, 51))
    one.csv.write_text(HEADER + rows, encoding="utf-8")


def all_bad_but_one(one: Night) -> None:
    link = one.made()
    rows = "".join(f"ENG 0{n},OPS-{n},blocks,outward\n" for n in range(1, 2001))
    good = f"{link.source_key},{link.destination_key},blocks,outward\n"
    one.csv.write_text(HEADER + good + rows, encoding="utf-8")


def sources_answer_404(one: Night) -> None:
    one.fault(FaultKind.STATUS, {"method": "GET", "path": "*/remotelink"}, status=404, times=10**6)


NOT_SEEN: dict[str, tuple[Callable[[Night], None], str]] = {
    "the account can browse nothing": (all_hidden, "not one expected link was looked at"),
    "no issue shows its links": (sources_answer_404, "not one expected link was looked at"),
    "every row is of other projects": (
        other_projects,
        "not one expected link was looked at; left: 50 expected links that no job",
    ),
    "all rows but one are bad": (
        all_bad_but_one,
        "what was looked at (1 expected link); left: 2000 rows that cannot be read",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), NOT_SEEN.values(), ids=NOT_SEEN.keys())
def test_what_nobody_looked_at_is_never_clean(
    spoil: Callable[[Night], None], words: str, night: Make
) -> None:
    one = night(leave_out=0.0)
    spoil(one)
    seen = one.verify()
    assert seen.code == 0, seen.out
    assert "clean" not in seen.err
    assert "partial: " in seen.err
    assert words in seen.err
    assert one.status()["run"]["verification"] == "partial"


def test_local_links_do_not_make_it_partial_and_are_not_counted(night: Make) -> None:
    one = night()
    one.add_row("ENG-1", "ENG-2", "blocks", "outward")
    seen = one.verify()
    assert "clean: every one of 12 expected links was looked at" in seen.err


def test_an_issue_named_by_two_keys_is_one_issue(night: Make) -> None:
    one = night()
    link = one.made()
    eng, ops = one.world.sites[ENG], one.world.sites[OPS]
    moved = move_issue(eng, link.source_key, "ENG")
    held = {issue_link.record["object"]["url"] for issue_link in moved.links.values()}
    other = next(i for i in ops.issues.values() if f"{OPS}/browse/{i.key}" not in held)
    record = {
        "globalId": f"appId={one.world.app_link(ENG, OPS).app_id}&issueId={other.id}",
        "application": {"type": "com.atlassian.jira", "name": "Ops"},
        "relationship": "blocks",
        "object": {"url": f"{OPS}/browse/{other.key}", "title": other.key},
    }
    one.world.write_link(moved, record, SOMEBODY)
    one.add_row(moved.key, other.key, "blocks", "outward")
    document = one.verified()
    assert document["findings"] == []
    assert counts(document, "eng-to-ops") == {"expected": 7, "recreated": 7}
    # Of a missing one there is one finding, and repair creates it once.
    for held_link in list(moved.links.values()):
        del moved.links[held_link.id]
    missing = one.verified()["findings"]
    assert {f["kind"] for f in missing} == {"missing"}
    assert f"repair: {len(missing)} = {len(missing)} done" in one.repair("--yes").err
    assert one.verify().code == 0


def test_users_own_links_are_told_apart_by_the_snapshot_from_before(night: Make) -> None:
    one = night(begun=False)
    link = next(x for x in one.world.lost_links if x.source_site == ENG)
    target = one.issue(link.destination_key)
    link.left_out = True
    issue = one.issue(link.source_key)
    record = {
        "globalId": f"appId=somebody&issueId={target.id}",
        "application": {"type": "com.atlassian.jira", "name": "x"},
        "relationship": link.label,
        "object": {"url": f"{OPS}/browse/{target.key}", "title": target.key},
    }
    one.world.write_link(issue, record, SOMEBODY)
    one.begin()
    assert counts(one.verified(), "eng-to-ops") == {"expected": 6, "recreated": 6}
    with_before = one.verified("--before", str(one.before))
    assert counts(with_before, "eng-to-ops")["satisfied_otherwise"] == 1


def test_a_sample_states_what_it_is_worth(night: Make) -> None:
    one = night(links_per_pair=40, leave_out=0.5)
    seen = one.verify("--sample", "10")
    assert "with 95 % confidence at most" in seen.err
    document = one.verified("--sample", "10")
    assert sum(job["not_looked_at"] for job in document["jobs"]) == 70
    assert sum(job["expected"] for job in document["jobs"]) == 80
    again = one.verified("--sample", "10")
    assert document == again


def test_a_sample_of_which_a_part_is_hidden_promises_nothing_about_that_part(night: Make) -> None:
    one = night(links_per_pair=60)
    hidden = {"method": "GET", "host": OPS.partition("://")[2], "path": "*/remotelink"}
    one.fault(FaultKind.STATUS, hidden, status=403, times=10**6)
    seen = one.verify("--sample", "60")
    said = next(line for line in seen.err.splitlines() if line.startswith("sample: "))
    assert "of the 60 drawn could not be looked at and count as if they were" in said
    ended = [event["payload"] for event in one.events() if event["kind"] == "verify.ended"][-1]
    assert ended["sample"]["looked_at"] < 60
    assert ended["sample"]["at_most"] > 0.4


def test_a_clean_sample_is_partial(night: Make) -> None:
    one = night()
    assert one.verify("--sample", "4").code == 0
    assert one.status()["run"]["verification"] == "partial"


def test_a_sample_of_everything_is_no_sample(night: Make) -> None:
    one = night()
    assert one.verify("--sample", "1000").code == 0
    assert one.status()["run"]["verification"] == "clean"


def test_the_ledger_keeps_counts_findings_and_what_arrived(night: Make) -> None:
    one = night(leave_out=0.25)
    one.verify("--before", str(one.before))
    events = [event for event in one.events() if event["kind"].split(".")[0] in ("verify", "links")]
    kinds = [event["kind"] for event in events]
    assert kinds == ["verify.started", "verify.found", *["links.arrived"] * 2, "verify.ended"]
    ended = events[-1]["payload"]
    assert [pair["expected"] for pair in ended["pairs"]] == [6, 6]
    assert len(events[1]["payload"]["findings"]) == 3
    lines = events[2]["payload"]["links"].splitlines()
    assert all(line.endswith(" 1 absent") for line in lines)
    one.verify("--before", str(one.before))
    arrived = [event for event in one.events() if event["kind"] == "links.arrived"]
    assert len(arrived) == 2, "what is recorded is not recorded again"


def test_bad_rows_are_said_with_line_and_reason(night: Make) -> None:
    one = night()
    one.add_row("=1+1", "OPS-1", "blocks", "outward")
    seen = one.verify()
    assert seen.code == 0
    assert "expected links, line 14: `source_key` begins with `=`" in seen.err


def test_links_of_a_wave_that_is_not_in_wait_for_the_next_round(night: Make) -> None:
    one = night(text=LATE_WAVE, links_per_pair=30)
    seen = one.verify()
    assert seen.code == 8
    missing = [f for f in one.verified()["findings"] if f["kind"] == "missing"]
    assert missing
    for finding in missing:
        here, there = ("two", "wave-1") if finding["site"] == ENG else ("wave-1", "two")
        assert finding["detail"] == (
            f"{here} -> {there} was not in at the last submission; the next round serves it"
        )
    assert f"{len(missing)} links for the next round: `runbook run plan.yaml --again" in seen.err
    assert "runbook repair" not in seen.err
    one.clock.advance(timedelta(days=3).total_seconds())
    one.write(LATE_WAVE.replace("planned:", "finished:"))
    assert one.run("--again", "--reason", "wave two is in").code == 0
    assert one.verify().code == 0


def test_a_wave_that_no_round_can_serve_any_more_is_left_to_repair(night: Make) -> None:
    one = night(text=LATE_WAVE, links_per_pair=30)
    one.clock.advance(timedelta(days=14).total_seconds())
    seen = one.verify()
    assert "was not in at the last submission; its window is closed; only repair helps" in seen.out
    assert "--again" not in seen.err
    assert "runbook repair" in seen.err


def test_other_missing_links_are_repaired_meanwhile(night: Make) -> None:
    one = night(text=LATE_WAVE, links_per_pair=30)
    link = one.made()
    issue = one.issue(link.source_key)
    del issue.links[link.link_id]
    seen = one.verify()
    assert "--again" in seen.err
    assert "runbook repair" in seen.err


def test_issues_are_listed_as_people_count(night: Make) -> None:
    one = night(links_per_pair=40, leave_out=1.0)
    issues = [f["issue"] for f in one.verified()["findings"] if f["site"] == ENG]
    assert issues == sorted(issues, key=lambda key: int(key.partition("-")[2]))
    assert issues != sorted(issues)


def test_hostile_labels_do_not_reach_the_terminal(night: Make) -> None:
    one = night()
    link = one.made()
    issue = one.issue(link.source_key)
    record = issue.links[link.link_id].record
    issue.links[link.link_id].record = {**record, "relationship": "\x1b[2J\u202eblocks"}
    seen = one.verify()
    assert "wrong type" in seen.out
    assert "\x1b" not in seen.out
    assert "\u202e" not in seen.out


REFUSED = {
    "no such CSV": (["--expected", "absent.csv"], 2, "cannot read the expected links"),
    "no such snapshot": (["--after", "absent.snapshot"], 2, "no snapshot at"),
    "a snapshot that is none": (["--after", "links.csv"], 2, "cannot use the snapshot"),
    "a sample of nothing": (["--sample", "0"], 2, "--sample"),
}


@pytest.mark.parametrize(("words", "code", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_input(words: list[str], code: int, message: str, night: Make) -> None:
    one = night()
    words = [str(one.folder / word) if "." in word else word for word in words]
    seen = one.verify(*words)
    assert (seen.code, seen.out) == (code, "")
    assert message in seen.err
    assert "Traceback" not in seen.err


def test_a_snapshot_from_before_the_run_is_none_from_after_it(night: Make) -> None:
    one = night()
    seen = one.verify("--after", str(one.before))
    assert (seen.code, seen.out) == (2, "")
    assert "it cannot say what arrived" in seen.err
    assert "verify.started" not in one.kinds()


def test_a_snapshot_from_after_the_run_is_none_from_before_it(night: Make) -> None:
    one = night()
    late = one.folder / "late.snapshot"
    one.command("snapshot", str(one.plan), "-o", str(late), "--links", str(one.csv))
    assert one.verify("--after", str(late), "--before", str(one.before)).code == 0
    seen = one.verify("--before", str(late))
    assert (seen.code, seen.out) == (2, "")
    assert "it cannot say what was there before" in seen.err


@pytest.mark.parametrize("option", ["--after", "--before"])
def test_a_snapshot_of_another_plan_is_refused(option: str, night: Make) -> None:
    one = night()
    text = one.plan.read_text(encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("name:"))
    other, file = one.folder / "other.yaml", one.folder / "other.snapshot"
    other.write_text(text.replace(name, "name: another"), encoding="utf-8")
    one.command("snapshot", str(other), "-o", str(file), "--links", str(one.csv))
    seen = one.verify(option, str(file))
    assert (seen.code, seen.out) == (2, "")
    assert "is of plan `another`" in seen.err


def test_nothing_to_compare_with_is_said(night: Make) -> None:
    one = night()
    seen = one.on_ledger("verify", "latest")
    assert seen.code == 2
    assert "the plan names no expected links" in seen.err


def test_the_plan_names_the_expected_links(night: Make) -> None:
    text = plan_text(("eng", "ops"), pairs=DIRECTIONS, head="expected: links.csv")
    rows = "source_key,destination_key,link_type,direction\nENG-1,OPS-1,blocks,outward\n"
    one = night(begun=False, text=text.replace("expected: links.csv\n", ""))
    one.write(text)
    one.csv.write_text(rows, encoding="utf-8")
    assert one.run().code == 0
    seen = one.on_ledger("verify", "latest", "--format", "json")
    assert json.loads(seen.out)["jobs"][0]["expected"] == 1


def test_a_refused_credential_ends_with_exit_4(night: Make) -> None:
    one = night()
    one.world.settings.accept_any = False
    one.clock.advance(timedelta(hours=1).total_seconds())
    assert one.verify().code == 4


def test_no_ledger_ends_with_exit_9(night: Make) -> None:
    one = night()
    assert one.command("verify", "latest", "--ledger", str(one.folder / "none")).code == 9
