"""`repair` as its users meet it: what is missing is created, nothing else is touched."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from runbook.errors import LedgerError
from runbook.ledger.store import Ledger
from runbook.simulator.faults import FaultKind
from runbook.simulator.model import SimAccount
from tests.remotelinks.nights import ENG, LATE_WAVE, OPS, Night, night

__all__ = ["night"]
Make = Callable[..., Night]
SOMEBODY = SimAccount(email="somebody@contoso.example", token="x")
POST = {"method": "POST", "path": "*/remotelink"}


def left_out(one: Night) -> set[tuple[str, str, str]]:
    return {
        (
            link.source_site,
            link.source_key,
            f"{link.destination_site}/browse/{link.destination_key}",
        )
        for link in one.world.lost_links
        if link.left_out
    }


def created(one: Night, before: dict) -> set[tuple[str, str, str]]:
    """Return what is there now and was not, as (site, issue, target)."""
    keys = {
        (site.url, number): issue.key
        for site in one.world.sites.values()
        for issue in site.issues.values()
        for number in issue.links
    }
    return {
        (place[0], keys[place], record["object"]["url"])
        for place, record in one.all_links().items()
        if place not in before
    }


def test_exactly_what_is_missing_is_created_in_the_jobs_shape(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    before = one.all_links()
    done = one.repair("--yes")
    assert done.code == 0, done.err
    assert "repair: 8 = 8 done" in done.err
    assert created(one, before) == left_out(one)
    after = one.all_links()
    assert {place: after[place] for place in before} == before
    for link in one.world.lost_links:
        issue = one.world.sites[link.source_site].issue(link.source_key)
        target = one.world.sites[link.destination_site].issue(link.destination_key)
        app = one.world.app_link(link.source_site, link.destination_site).app_id
        assert f"appId={app}&issueId={target.id}" in {x.global_id for x in issue.links.values()}
    assert one.verify().code == 0


def test_a_dry_run_shows_the_same_and_writes_nothing(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    before, events = one.all_links(), one.kinds()
    document = json.loads(one.repair("--dry-run", "--format", "json").out)
    assert list(document) == ["format", "planned", "left", "counts"]
    shown = {(p["site"], p["issue"], p["target"]) for p in document["planned"]}
    assert shown == left_out(one)
    assert all(p["record"]["globalId"] == p["global_id"] for p in document["planned"])
    assert one.all_links() == before
    assert one.kinds() == events
    assert one.repair("--dry-run").out.count("like link") == 8


def test_the_list_is_in_the_ledger_first_and_each_intent_before_its_request(night: Make) -> None:
    """The ledger is read by another connection at the very moment of each request."""
    one = night(leave_out=0.25)
    sent = one.watch.announced
    sent.clear()
    one.repair("--yes")
    assert (len(sent), one.watch.unannounced) == (3, [])
    kinds = [kind for kind in one.kinds() if kind.startswith(("links.", "write."))]
    assert kinds[0] == "links.listed"
    assert kinds[-1] == "links.ended"
    assert sorted(kinds[1:-1]) == ["write.ended"] * 3 + ["write.intended"] * 3
    begun: set[str] = set()
    for event in one.events():
        payload = event["payload"]
        if event["kind"] == "write.intended":
            begun.add(payload["write"])
        if event["kind"] == "write.ended":
            assert payload["write"] in begun
            assert payload["record"]["id"] == int(payload["link_id"])


def test_doing_it_again_finds_nothing_missing(night: Make) -> None:
    one = night(leave_out=0.25)
    one.repair("--yes")
    before = one.all_links()
    again = one.repair("--yes")
    assert (again.code, again.out) == (0, "nothing is missing\n")
    assert one.all_links() == before


def test_what_the_next_round_can_serve_is_left_to_it(night: Make) -> None:
    one = night(text=LATE_WAVE, links_per_pair=30)
    before = one.all_links()
    document = json.loads(one.repair("--dry-run", "--format", "json").out)
    assert document["planned"] == []
    reasons = {left["reason"].partition(" was ")[2] for left in document["left"]}
    assert reasons == {"not in at the last submission; the next round serves it"}
    seen = one.repair("--yes")
    assert seen.code == 8
    assert one.all_links() == before
    count = len(document["left"])
    assert f"{count} links for the next round: `runbook run plan.yaml --again" in seen.err
    assert "each with the reason" not in seen.err
    assert "`--also-unserved` creates them now" in seen.err
    assert one.repair("--yes", "--also-unserved").code == 0
    assert one.verify().code == 0


def test_what_no_round_can_serve_is_repaired(night: Make) -> None:
    one = night(text=LATE_WAVE, links_per_pair=30)
    one.clock.advance(timedelta(days=14).total_seconds())
    assert one.repair("--yes").code == 0
    assert one.verify().code == 0


def test_the_list_counts_as_people_count(night: Make) -> None:
    one = night(links_per_pair=40, leave_out=0.7)
    document = json.loads(one.repair("--dry-run", "--format", "json").out)
    issues = [order["issue"] for order in document["planned"] if order["site"] == ENG]
    assert issues == sorted(issues, key=lambda key: int(key.partition("-")[2]))
    assert issues != sorted(issues)


def test_it_works_after_the_two_weeks(night: Make) -> None:
    one = night(leave_out=0.25)
    one.clock.advance(timedelta(days=60).total_seconds())
    assert one.repair("--yes").code == 0
    assert one.verify().code == 0


def test_without_a_link_to_learn_from_nothing_is_guessed(night: Make) -> None:
    one = night(leave_out=1.0)
    before = one.all_links()
    seen = one.repair("--yes")
    assert seen.code == 8
    assert one.all_links() == before
    assert "its shape is not known: no link is there to learn from" in seen.out
    assert "`--like SITE:ISSUE`" in seen.err


def test_a_link_made_by_hand_shows_the_shape(night: Make) -> None:
    one = night(leave_out=1.0)
    record = {
        "globalId": f"appId=by-hand&issueId={one.issue('OPS-20').id}",
        "application": {"type": "com.atlassian.jira", "name": "Contoso Ops"},
        "relationship": "mentions",
        "object": {"url": f"{OPS}/browse/OPS-20", "title": "OPS-20", "summary": "its own"},
    }
    one.world.write_link(one.issue("ENG-20"), record, SOMEBODY)
    seen = one.repair("--yes", "--like", f"{ENG}:ENG-20")
    assert seen.code == 8, "the other direction has no shape yet"
    link = next(x for x in one.world.lost_links if x.source_site == ENG)
    target = one.issue(link.destination_key)
    records = [x.record for x in one.issue(link.source_key).links.values()]
    assert {
        "globalId": f"appId=by-hand&issueId={target.id}",
        "application": {"type": "com.atlassian.jira", "name": "Contoso Ops"},
        "relationship": link.label,
        "object": {"url": f"{OPS}/browse/{target.key}", "title": target.key},
    } in records


def test_web_links_are_made_only_when_asked_and_count_as_recreated(night: Make) -> None:
    one = night(leave_out=1.0)
    assert one.repair("--yes", "--as-weblink").code == 0
    seen = one.verified()
    assert [job["recreated"] for job in seen["jobs"]] == [6, 6]
    before = one.all_links()
    assert one.repair("--yes", "--as-weblink").out == "nothing is missing\n"
    assert one.all_links() == before
    assert one.rollback("--yes").code == 0
    assert one.verify().code == 0, "removed by the run's account, says the history"


BAD_LIKE = {
    "another site": ("https://other.atlassian.net:ENG-1", "does not begin with a site of the plan"),
    "no issue": (f"{ENG}:ENG-4711", "which cannot be read"),
    "an issue without such a link": (f"{ENG}:ENG-19", "holds no link to an issue on another site"),
    "no colon": ("ENG-1", "does not begin with a site of the plan"),
}


@pytest.mark.parametrize(("like", "message"), BAD_LIKE.values(), ids=BAD_LIKE.keys())
def test_a_bad_like_is_refused(like: str, message: str, night: Make) -> None:
    one = night(leave_out=1.0)
    one.issue("ENG-19").links.clear()
    seen = one.repair("--yes", "--like", like)
    assert seen.code == 2
    assert message in seen.err


def test_a_link_that_somebody_made_meanwhile_is_left_as_it_is(night: Make) -> None:
    one = night(leave_out=0.25)
    after = one.folder / "after.snapshot"
    one.command("snapshot", str(one.plan), "-o", str(after), "--links", str(one.csv))
    link = next(x for x in one.world.lost_links if x.left_out)
    site = one.world.sites[link.source_site]
    url = f"{link.destination_site}/browse/{link.destination_key}"
    theirs = {"globalId": "mine", "object": {"url": url, "title": "theirs"}}
    one.world.write_link(site.issue(link.source_key), theirs, SOMEBODY)
    done = one.repair("--yes", "--after", str(after))
    assert done.code == 0
    assert "repair: 3 = 2 done + 1 skipped" in done.err
    assert theirs in [x.record for x in site.issue(link.source_key).links.values()]


def test_a_link_to_a_foreign_site_with_an_equal_numeric_id_stands_for_nothing(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    link = next(x for x in one.world.lost_links if x.left_out)
    issue = one.world.sites[link.source_site].issue(link.source_key)
    target = one.world.sites[link.destination_site].issue(link.destination_key)
    theirs = {
        "globalId": f"appId=11111111-2222-3333-4444-555555555555&issueId={target.id}",
        "application": {"type": "com.atlassian.jira", "name": "Partner"},
        "relationship": "relates to",
        "object": {"url": "https://partner.atlassian.net/browse/XYZ-5", "title": "XYZ-5"},
    }
    one.world.write_link(issue, theirs, SOMEBODY)
    missing = [f for f in one.verified()["findings"] if f["kind"] == "missing"]
    assert link.source_key in {f["issue"] for f in missing}
    done = one.repair("--yes")
    assert "repair: 8 = 8 done" in done.err
    assert theirs in [x.record for x in issue.links.values()]


def test_two_labels_to_one_target_make_one_link(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    link = next(x for x in one.world.lost_links if x.left_out)
    one.add_row(link.source_was, link.destination_was, "something else", "outward")
    seen = one.repair("--yes")
    assert "Jira holds one link per target" in seen.out
    assert seen.code == 8
    assert one.verify().code == 0, "the second label is wrong_type: information"


LOST = {
    "the answer is lost": (FaultKind.ANSWER_LOST, {}),
    "the gateway says 504 although it arrived": (FaultKind.STATUS_AFTER, {"status": 504}),
    "the gateway says 503 and it did not arrive": (FaultKind.STATUS, {"status": 503}),
    "the connection is reset before it arrives": (FaultKind.RESET, {}),
    "an answer without an id": (FaultKind.EMPTY_AFTER, {}),
    "a web page": (FaultKind.HTML_AFTER, {}),
    "429 with Retry-After": (FaultKind.RETRY_AFTER_SECONDS, {"amount_s": 120.0}),
}


@pytest.mark.parametrize(("kind", "more"), LOST.values(), ids=LOST.keys())
def test_each_link_is_created_once_although(kind: FaultKind, more: dict, night: Make) -> None:
    one = night(leave_out=0.25)
    before = one.all_links()
    one.fault(kind, POST, nth=2, **more)
    done = one.repair("--yes")
    assert done.code == 0, done.err
    new = created(one, before)
    assert new == left_out(one)
    assert len(one.all_links()) == len(before) + len(new)
    assert one.verify().code == 0


def test_an_outcome_that_stays_unknown_ends_with_exit_7_and_is_looked_up_next_time(
    night: Make,
) -> None:
    one = night(leave_out=0.25)
    one.fault(FaultKind.STATUS, POST, times=100)
    done = one.repair("--yes")
    assert done.code == 7
    assert "3 = 3 unknown" in done.err
    assert "looks them up first" in done.err
    one.world.faults.clear()
    assert one.repair("--yes").code == 0
    assert one.verify().code == 0


REFUSED = {"linking is forbidden": 403, "the issue holds too many links": 413, "a bad request": 400}


@pytest.mark.parametrize("status", REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_said_and_ends_with_exit_5(status: int, night: Make) -> None:
    one = night(leave_out=0.25)
    one.fault(FaultKind.STATUS, POST, nth=1, status=status)
    done = one.repair("--yes")
    assert done.code == 5
    assert "repair: 3 = 2 done + 1 refused" in done.err
    assert str(status) in done.err


def test_a_network_that_is_down_stops_it_and_the_rest_goes_on_later(night: Make) -> None:
    one = night(links_per_pair=40, leave_out=0.5)
    one.fault(FaultKind.REFUSED, {"method": "POST", "path": "*/remotelink"}, nth=3, times=1000)
    done = one.repair("--yes")
    assert done.code == 5
    assert "not_attempted" in done.err
    one.world.faults.clear()
    assert one.repair("--yes").code == 0
    assert one.verify().code == 0


@pytest.mark.parametrize("number", [1, 2, 3, 5, 7, 8, 9])
def test_killed_at_any_write_to_the_ledger_it_goes_on(
    number: int, night: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = night(leave_out=0.25)
    before = one.all_links()
    append, count = Ledger.append, 0

    def dying(self: Ledger, *given: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count >= number:
            raise LedgerError("the power is gone")
        return append(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", dying)
        died = one.repair("--yes")
    assert died.code == (9 if number <= 8 else 0)
    done = one.repair("--yes")
    assert done.code == 0, done.err
    new = created(one, before)
    assert new == left_out(one)
    assert len(one.all_links()) == len(before) + len(new)
    assert one.verify("--before", str(one.before)).code == 0
    assert one.rollback("--yes").code == 0
    assert one.records() == one.first


def test_what_could_not_be_looked_at_is_said_and_ends_with_exit_5(night: Make) -> None:
    one = night(leave_out=0.25)
    key = next(x.source_key for x in one.world.lost_links if not x.left_out)
    where = {"method": "GET", "path": f"*/issue/{key}/remotelink"}
    one.fault(FaultKind.STATUS, where, times=50)
    done = one.repair("--yes")
    assert done.code == 5
    assert "could not be looked at, and may be missing" in done.err


def test_a_snapshot_from_before_the_run_does_not_say_what_is_missing(night: Make) -> None:
    one = night()
    seen = one.repair("--yes", "--after", str(one.before))
    assert seen.code == 2
    assert "it cannot say what arrived" in seen.err
    assert not [kind for kind in one.kinds() if kind.startswith(("links.", "write."))]


def test_without_a_terminal_it_needs_yes(night: Make) -> None:
    one = night(leave_out=0.25)
    seen = one.repair()
    assert seen.code == 2
    assert "add `--yes`, or look first with `--dry-run`" in seen.err


def test_a_link_removed_on_purpose_is_not_made_again(night: Make) -> None:
    one = night()
    link = one.made()
    issue = one.issue(link.source_key)
    one.world.remove_link(issue, issue.links[link.link_id], SOMEBODY)
    assert one.repair("--yes").out == "nothing is missing\n"
