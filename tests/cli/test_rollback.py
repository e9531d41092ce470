"""`rollback` as its users meet it: what is ours is taken back, everything else is left and listed."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.errors import LedgerError
from runbook.ledger.store import Ledger
from runbook.simulator.faults import FaultKind
from runbook.simulator.model import SimAccount
from tests.flows.evening import EMAIL, plan_text
from tests.remotelinks.nights import DIRECTIONS, ENG, OPS, Night, night

__all__ = ["night"]
Make = Callable[..., Night]
SOMEBODY = SimAccount(email="somebody@contoso.example", token="x")
DELETE = {"method": "DELETE", "path": "*/remotelink/*"}


def verified(one: Night) -> Night:
    assert one.verify("--before", str(one.before)).code in (0, 8)
    return one


def test_both_sites_are_as_they_were_in_the_first_snapshot(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    verified(one)
    assert one.repair("--yes").code == 0
    verified(one)
    done = one.rollback("--yes")
    assert done.code == 0, done.err
    assert "rollback: 40 = 40 done" in done.err
    assert one.records() == one.first
    assert one.status()["run"]["verification"] == "none"


def test_it_says_first_what_it_cannot_undo(night: Make) -> None:
    seen = verified(night()).rollback("--dry-run")
    lines = seen.err.splitlines()
    assert lines[0].startswith("note: rewritten text is not undone")
    assert lines[1].startswith("note: Atlassian may not recreate these links again")


def test_a_dry_run_shows_the_same_and_writes_nothing(night: Make) -> None:
    one = verified(night())
    links, kinds = one.all_links(), one.kinds()
    document = json.loads(one.rollback("--dry-run", "--format", "json").out)
    assert [p["action"] for p in document["planned"]] == ["delete"] * 12
    assert (one.all_links(), one.kinds()) == (links, kinds)


def test_without_a_verification_the_ledger_names_nothing(night: Make) -> None:
    one = night()
    links = one.all_links()
    seen = one.rollback("--yes")
    assert (seen.code, seen.out) == (0, "")
    assert "the ledger names no links of this run" in seen.err
    assert one.all_links() == links


def test_a_verification_without_a_snapshot_from_before_serves_as_well(night: Make) -> None:
    one = night()
    assert one.verify().code == 0
    assert one.rollback("--yes").code == 0
    assert one.records() == one.first


def test_each_intent_is_on_disk_before_its_request(night: Make) -> None:
    """The ledger is read by another connection at the very moment of each request."""
    one = verified(night())
    sent = one.watch.announced
    sent.clear()
    assert one.rollback("--yes").code == 0
    assert (len(sent), one.watch.unannounced) == (12, [])
    assert {line.partition(" ")[0] for line in sent} == {"DELETE"}


def test_a_link_that_changes_while_the_list_is_made_is_left(night: Make) -> None:
    """Every issue is read again right before its links are written, and nothing older counts."""
    one = verified(night())
    changed = one.made()
    holder = one.issue(changed.source_key)
    words = "a person's own words"

    def interfere(request: httpx.Request) -> None:
        # The list has read every issue once; the writer is about to read this one again.
        if request.method == "GET" and request.url.path.endswith(f"/{holder.key}/remotelink"):
            looks.append(request.url.path)
            if len(looks) == 2:
                record = {**holder.links[changed.link_id].record, "relationship": words}
                one.world.write_link(holder, record, SOMEBODY, link_id=changed.link_id)

    looks: list[str] = []
    one.interfere = interfere
    done = one.rollback("--yes")
    assert done.code == 0, done.err
    assert "rollback: 12 = 11 done + 1 skipped" in done.err
    assert holder.links[changed.link_id].record["relationship"] == words
    ended = [event["payload"] for event in one.events() if event["kind"] == "write.ended"]
    (left,) = [payload for payload in ended if payload["result"] == "skipped"]
    assert left["detail"] == "it changed since it was recorded"
    assert left["link_id"] == str(changed.link_id)


def test_what_changed_since_is_left_with_the_reason(night: Make) -> None:
    one = verified(night())
    changed = one.made()
    record = one.issue(changed.source_key).links[changed.link_id].record
    record["relationship"] = "a person's own words"
    gone = next(x for x in one.world.lost_links if x.source_site == OPS)
    issue = one.issue(gone.source_key)
    one.world.remove_link(issue, issue.links[gone.link_id], SOMEBODY)
    # Another verification must not take the changed link for the recorded one.
    one.verify("--before", str(one.before))
    document = json.loads(one.rollback("--yes", "--format", "json").out)
    reasons = {(x["site"], x["link_id"]): x["reason"] for x in document["left"]}
    assert reasons == {
        (ENG, str(changed.link_id)): "it changed since it was recorded",
        (OPS, str(gone.link_id)): "it is gone already",
    }
    assert document["counts"]["done"] == 10
    assert record in [x.record for x in one.issue(changed.source_key).links.values()]


def test_users_links_are_left(night: Make) -> None:
    one = night()
    target = one.issue("OPS-20")
    theirs = {
        "globalId": f"appId=by-hand&issueId={target.id}",
        "application": {"type": "com.atlassian.jira", "name": "x"},
        "relationship": "mentions",
        "object": {"url": f"{OPS}/browse/OPS-20", "title": "OPS-20"},
    }
    holder = one.issue(one.made().source_key)
    link, _ = one.world.write_link(holder, theirs, SOMEBODY)
    verified(one)
    document = json.loads(one.rollback("--yes", "--format", "json").out)
    (left,) = document["left"]
    assert left["link_id"] == str(link.id)
    assert "the issue's history does not say that the run's account added it" in left["reason"]
    assert [x.record for x in holder.links.values() if x.id == link.id] == [theirs]


def test_an_unexpected_link_of_the_job_is_ours_by_the_history(night: Make) -> None:
    one = night()
    rows = one.rows()
    sources = [row[0] for row in rows]
    dropped = next(n for n, key in enumerate(sources) if sources.count(key) > 1)
    text = one.csv.read_text(encoding="utf-8").splitlines(keepends=True)
    del text[dropped + 1]
    one.csv.write_text("".join(text), encoding="utf-8")
    verified(one)
    document = json.loads(one.rollback("--yes", "--format", "json").out)
    whys = [planned["why"] for planned in document["planned"]]
    assert len(whys) == len(rows)
    assert sum("added by the run's account" in why for why in whys) == 1
    assert one.records() == one.first


def test_a_link_that_the_job_rewrote_is_restored(night: Make) -> None:
    one = night(begun=False)
    lost = next(x for x in one.world.lost_links if x.source_site == ENG)
    issue = one.issue(lost.source_key)
    old = {
        "relationship": lost.label,
        "object": {
            "url": f"https://jira.contoso.example/browse/{lost.destination_key}",
            "title": lost.destination_key,
            "summary": "kept",
        },
    }
    link, _ = one.world.write_link(issue, old, SOMEBODY)
    lost.left_out = True
    one.begin()
    new = {
        "globalId": f"appId=x&issueId={one.issue(lost.destination_key).id}",
        "application": {"type": "com.atlassian.jira", "name": "x"},
        "relationship": lost.label,
        "object": {"url": f"{OPS}/browse/{lost.destination_key}", "title": lost.destination_key},
    }
    one.world.write_link(issue, new, one.world.account(EMAIL), link_id=link.id)
    assert one.verify("--before", str(one.before)).code == 0
    seen = one.rollback("--yes")
    assert seen.code == 0, seen.err
    assert f"restore  {lost.source_key}" in seen.out
    assert one.records() == one.first


def test_an_issue_that_the_snapshot_from_before_does_not_hold_is_left(night: Make) -> None:
    one = verified(night())
    holder = one.made().source_key
    other = one.folder / "other.snapshot"
    jql = f'key in ("{one.issue("ENG-20").key}")'
    one.command("snapshot", str(one.plan), "-o", str(other), "--site", ENG, "--jql", jql)
    links = one.all_links()
    seen = one.on_ledger("rollback", "latest", "--before", str(other), "--yes")
    assert seen.code == 0
    assert "the snapshot from before does not hold this issue" in seen.out
    assert holder in seen.out
    assert one.all_links() == links


@pytest.mark.parametrize(
    "kind", [FaultKind.ANSWER_LOST, FaultKind.STATUS, FaultKind.STATUS_AFTER, FaultKind.RESET]
)
def test_lost_answers_are_looked_up(kind: FaultKind, night: Make) -> None:
    one = verified(night())
    one.fault(kind, DELETE, nth=3, times=2)
    done = one.rollback("--yes")
    assert done.code == 0, done.err
    assert one.records() == one.first


def test_a_refusal_ends_with_exit_5_and_says_so(night: Make) -> None:
    one = verified(night())
    one.fault(FaultKind.STATUS, DELETE, nth=2, status=403)
    done = one.rollback("--yes")
    assert done.code == 5
    assert "12 = 11 done + 1 refused" in done.err


def test_a_link_that_repair_wrote_over_is_named_and_left(night: Make) -> None:
    one = night(links_per_pair=20, leave_out=0.2)
    lost = next(x for x in one.world.lost_links if x.left_out)
    issue = one.world.sites[lost.source_site].issue(lost.source_key)
    target = one.world.sites[lost.destination_site].issue(lost.destination_key)
    app = one.world.app_link(lost.source_site, lost.destination_site).app_id
    theirs = {
        "globalId": f"appId={app}&issueId={target.id}",
        "relationship": "my own words",
        "object": {"url": f"{lost.destination_site}/browse/{target.key}", "title": "mine"},
    }
    made: list[int] = []

    def interfere(request: httpx.Request) -> None:
        ours = f"{lost.source_key}/remotelink" in request.url.path
        if ours and request.method == "POST" and not made:
            made.append(one.world.write_link(issue, theirs, SOMEBODY)[0].id)

    one.interfere = interfere
    done = one.repair("--yes")
    assert done.code == 0
    assert f"warning: {lost.source_key} -> {lost.destination_site}/browse/{target.key}" in done.err
    ended = [event["payload"] for event in one.events() if event["kind"] == "write.ended"]
    assert [e["link_id"] for e in ended if e["replaced"]] == [str(made[0])]
    # A verification in between records the link as arrived; it stays somebody's own.
    verified(one)
    document = json.loads(one.rollback("--yes", "--format", "json").out)
    (left,) = document["left"]
    assert left["link_id"] == str(made[0])
    assert "repair wrote over a link that somebody had made" in left["reason"]
    assert made[0] in issue.links


@pytest.mark.parametrize("status", [403, 404])
def test_issues_that_cannot_be_read_are_counted_and_end_with_exit_5(
    status: int, night: Make
) -> None:
    one = verified(night())
    links = one.all_links()
    path = {"method": "GET", "path": "*/remotelink"}
    one.fault(FaultKind.STATUS, path, status=status, times=10**6)
    seen = one.rollback("--yes")
    assert seen.code == 5
    assert "12 links could not be looked at: run it again" in seen.err
    assert "nothing is ours" not in seen.err
    assert one.all_links() == links
    one.world.faults.clear()
    one.fault(FaultKind.STATUS, path, status=status, times=1)
    assert one.rollback("--yes").code == 5
    assert one.rollback("--yes").code == 0
    assert one.records() == one.first


def test_a_404_for_a_link_that_is_still_there_is_a_refusal(night: Make) -> None:
    one = verified(night(leave_out=0.0))
    links = one.all_links()
    one.fault(FaultKind.STATUS, DELETE, status=404, times=10**6)
    done = one.rollback("--yes")
    assert done.code == 5
    assert "refused" in done.err
    assert "gone already" not in str(one.events())
    assert one.all_links() == links
    one.world.faults.clear()
    assert one.rollback("--yes").code == 0
    assert one.records() == one.first


def test_a_404_for_a_link_that_somebody_removed_just_before_is_no_failure(night: Make) -> None:
    one = verified(night())

    def interfere(request: httpx.Request) -> None:
        if request.method == "DELETE" and one.interfere is not None:
            one.interfere = None
            issue = one.issue(request.url.path.split("/")[-3])
            link = issue.links[int(request.url.path.rpartition("/")[2])]
            one.world.remove_link(issue, link, SOMEBODY)

    one.interfere = interfere
    done = one.rollback("--yes")
    assert done.code == 0, done.err
    assert "12 = 11 done + 1 skipped" in done.err
    assert one.records() == one.first


@pytest.mark.parametrize("number", [1, 2, 3, 8, 26])
def test_killed_at_any_write_to_the_ledger_it_goes_on(
    number: int, night: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = verified(night())
    append, count = Ledger.append, 0

    def dying(self: Ledger, *given: object, **named: object) -> object:
        nonlocal count
        count += 1
        if count >= number:
            raise LedgerError("the power is gone")
        return append(self, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", dying)
        assert one.rollback("--yes").code == 9
    done = one.rollback("--yes")
    assert done.code == 0, done.err
    assert one.records() == one.first


def test_without_a_terminal_it_needs_yes(night: Make) -> None:
    one = verified(night())
    assert one.rollback().code == 2


def test_a_file_that_is_no_snapshot_is_refused(night: Make) -> None:
    one = verified(night())
    seen = one.on_ledger("rollback", "latest", "--before", str(one.csv), "--yes")
    assert seen.code == 2
    assert "cannot use the snapshot" in seen.err


# Other people's writes

_WRITES = st.lists(
    st.tuples(
        st.integers(0, 40),  # requests to let pass first
        st.sampled_from(["create", "change", "remove", "hijack"]),
        st.integers(0, 10_000),
    ),
    max_size=12,
)


class People:
    """Others who create, change, remove and take over links while we work."""

    def __init__(self, one: Night, script: list[tuple[int, str, int]]) -> None:
        self.one = one
        self.script = list(script)
        self.passed = 0

    def __call__(self, _: httpx.Request) -> None:
        self.passed += 1
        while self.script and self.passed > self.script[0][0]:
            _, what, number = self.script.pop(0)
            self.passed = 0
            self.act(what, number)

    def act(self, what: str, number: int) -> None:
        world = self.one.world
        issues = [issue for site in world.sites.values() for issue in site.issues.values()]
        holders = [issue for issue in issues if issue.links] or issues
        issue = (issues if what == "create" else holders)[number % len(holders)]
        if what == "create":
            record = {"object": {"url": f"https://x.example/{number}", "title": "theirs"}}
            world.write_link(issue, record, SOMEBODY)
        elif what == "hijack":
            lost = world.lost_links[number % len(world.lost_links)]
            holder = world.sites[lost.source_site].issue(lost.source_key)
            target = world.sites[lost.destination_site].issue(lost.destination_key)
            app = world.app_link(lost.source_site, lost.destination_site).app_id
            record = {
                "globalId": f"appId={app}&issueId={target.id}",
                "relationship": "theirs",
                "object": {"url": f"{lost.destination_site}/browse/{target.key}", "title": "mine"},
            }
            world.write_link(holder, record, SOMEBODY)
        elif issue.links:
            link = list(issue.links.values())[number % len(issue.links)]
            if what == "remove":
                world.remove_link(issue, link, SOMEBODY)
            else:
                record = {**link.record, "relationship": f"theirs {number}"}
                world.write_link(issue, record, SOMEBODY, link_id=link.id)


def named_by_ledger(one: Night) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return (site, link id) of what the ledger names, and (site, issue) of what it meant to create."""
    named: set[tuple[str, str]] = set()
    intended: set[tuple[str, str]] = set()
    for event in one.events():
        payload = event["payload"]
        if event["kind"] == "links.arrived":
            named |= {
                (payload["site"], line.split(" ")[1]) for line in payload["links"].splitlines()
            }
        if event["kind"] == "write.intended" and payload["action"] == "create":
            intended.add((payload["site"], payload["issue"]))
        if event["kind"] == "write.ended" and payload["link_id"] is not None:
            named |= {(site, payload["link_id"]) for site in (ENG, OPS)}
    return named, intended


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before_repair=_WRITES, during_repair=_WRITES, during_rollback=_WRITES)
def test_whatever_others_write_only_links_that_the_ledger_names_are_changed(
    before_repair: list[tuple[int, str, int]],
    during_repair: list[tuple[int, str, int]],
    during_rollback: list[tuple[int, str, int]],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder: Path = tmp_path_factory.mktemp("night")
    text = plan_text(("eng", "ops"), pairs=DIRECTIONS)
    one = Night(folder, capsys, text, {"leave_out": 0.4, "issues_per_project": 8}).begin()
    verified(one)
    ours = one.world.account(EMAIL)
    histories = {
        (site.url, issue.key): len(issue.history)
        for site in one.world.sites.values()
        for issue in site.issues.values()
    }
    people = People(one, before_repair)
    for _, what, number in before_repair:
        people.act(what, number)
    one.interfere = People(one, during_repair)
    assert one.repair("--yes").code in (0, 8)
    one.interfere = People(one, during_rollback)
    assert one.rollback("--yes").code == 0
    one.interfere = None
    named, intended = named_by_ledger(one)
    for site in one.world.sites.values():
        for issue in site.issues.values():
            for change in issue.history[histories[site.url, issue.key] :]:
                if change.author is not ours:
                    continue
                link_id = change.before[0] or change.after[0]
                told = (change.before[1] or change.after[1] or "").removeprefix("This issue")
                created = change.before[0] is None and (site.url, issue.key) in intended
                assert created or (site.url, link_id) in named, f"{issue.key}: link {link_id}{told}"
