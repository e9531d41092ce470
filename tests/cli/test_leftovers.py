"""`leftovers` as its users meet it, and the whole flow at the size that issue 3 asks for."""

import json
from collections.abc import Callable

import pytest

from runbook.simulator.faults import FaultKind
from runbook.simulator.model import SimAccount
from tests.flows.evening import plan_text
from tests.remotelinks.nights import DIRECTIONS, ENG, Night, night

__all__ = ["night"]
Make = Callable[..., Night]
SOMEBODY = SimAccount(email="somebody@contoso.example", token="x")


def listed(one: Night, *more: str) -> dict:
    seen = one.command("leftovers", str(one.plan), "--format", "json", *more)
    assert seen.code == 0, seen.err
    return json.loads(seen.out)


def mention(one: Night, key: str, **texts: str) -> None:
    one.issue(key).texts.update(texts)


def test_issues_whose_text_mentions_the_old_host_are_listed(night: Make) -> None:
    one = night(begun=False)
    for site in one.world.sites.values():
        for issue in site.issues.values():
            issue.texts = {"summary": "nothing"}
    mention(one, "ENG-3", description="see https://jira.contoso.example/browse/OPS-1")
    mention(one, "ENG-4", description="see https://jira-other.contoso.example/browse/OPS-1")
    document = listed(one)
    assert document["format"] == 1
    assert document["hosts"] == ["jira.contoso.example"]
    assert [(x["issue"], x["found_by"]) for x in document["leftovers"]] == [("ENG-3", "text")]
    assert document["leftovers"][0]["where"] == "description"
    assert any("approximate" in note for note in document["notes"])


def test_remote_links_of_a_snapshot_are_looked_at_too(night: Make) -> None:
    one = night(begun=False)
    record = {"object": {"url": "http://JIRA.contoso.example/browse/OPS-1", "title": "old"}}
    link, _ = one.world.write_link(one.issue("ENG-3"), record, SOMEBODY)
    file = one.folder / "all.snapshot"
    assert one.command("snapshot", str(one.plan), "-o", str(file), "--all").code == 0
    found = [
        x for x in listed(one, "--snapshot", str(file))["leftovers"] if x["found_by"] != "text"
    ]
    assert found == [
        {
            "site": ENG,
            "issue": "ENG-3",
            "host": "jira.contoso.example",
            "found_by": "remote_link",
            "where": "http://JIRA.contoso.example/browse/OPS-1",
            "link_id": link.id,
        }
    ]


def test_the_override_is_an_old_host_too(night: Make) -> None:
    text = plan_text(
        ("eng", "ops"),
        pairs=DIRECTIONS,
        extra=lambda *_: "migratedFromOverride: https://jira-live.contoso.example:8443/jira",
    )
    one = night(begun=False, text=text)
    assert listed(one)["hosts"] == ["jira.contoso.example", "jira-live.contoso.example:8443"]


def test_a_table_for_people_says_what_was_not_looked_at(night: Make) -> None:
    one = night(begun=False)
    mention(one, "ENG-3", description="https://jira.contoso.example/x \x1b[31m")
    seen = one.command("leftovers", str(one.plan))
    assert seen.code == 0
    assert seen.out.splitlines()[0].split() == [
        "issue",
        "site",
        "old",
        "host",
        "found",
        "by",
        "where",
    ]
    assert "\x1b" not in seen.out
    assert "remote links were not looked at" in seen.err


def test_a_site_that_cannot_be_asked_is_said_and_the_others_are_listed(night: Make) -> None:
    one = night(begun=False)
    mention(one, "OPS-3", description="https://jira.contoso.example/x")
    one.fault(
        FaultKind.STATUS,
        {"method": "POST", "path": "*/search/jql", "host": "*-eng.*"},
        status=400,
        times=9,
    )
    seen = one.command("leftovers", str(one.plan), "--format", "json")
    assert seen.code == 5
    document = json.loads(seen.out)
    assert "OPS-3" in [x["issue"] for x in document["leftovers"]]
    assert any(f"`{ENG}` could not be asked" in note for note in document["notes"])


@pytest.mark.slow
def test_three_thousand_lost_links_of_which_two_percent_are_left_out(night: Make) -> None:
    """`verify` names exactly the 60, `repair` creates exactly them, `rollback` leaves no trace."""
    one = night(issues_per_project=2000, links_per_pair=1500, leave_out=0.02)
    left_out = {
        (x.source_site, x.source_key, f"{x.destination_site}/browse/{x.destination_key}")
        for x in one.world.lost_links
        if x.left_out
    }
    assert len(one.world.lost_links) == 3000
    assert len(left_out) == 60
    document = one.verified("--before", str(one.before))
    found = {(x["site"], x["issue"], x["target"]) for x in document["findings"]}
    assert found == left_out
    before = one.all_links()
    assert one.repair("--yes").code == 0
    after = one.all_links()
    assert len(after) == len(before) + 60
    assert {place: after[place] for place in before} == before
    assert one.verify("--before", str(one.before)).code == 0
    assert one.rollback("--yes").code == 0
    assert one.records() == one.first
