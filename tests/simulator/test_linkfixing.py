"""The link-fixing service: what it takes, what it says, and what a job leaves behind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from runbook.clock import VirtualClock
from runbook.simulator.linkfixing import accept, settle
from runbook.simulator.model import SimAccount
from runbook.simulator.populate import world_of
from runbook.simulator.router import answer
from runbook.simulator.world import World
from tests.simulator.worlds import (
    DC,
    ENG,
    GATEWAY,
    NOW,
    OPS,
    Ask,
    ReadReply,
    call_of,
    job_body,
    two_sites,
)

Submit = Callable[..., ReadReply]


def status_of(world: World, ask: Ask, uuid: str, site: str = ENG) -> Any:
    url = f"{GATEWAY}/links/v1/{world.sites[site].site_id}/jobs/status/{uuid}"
    return ask("GET", url).json()["status"]


def finished(world: World, clock: VirtualClock, minutes: float = 60) -> None:
    clock.advance(minutes * 60)
    settle(world)


def test_the_site_id_is_told_without_a_credential(world: World, ask: Ask) -> None:
    reply = ask("GET", f"{ENG}/_edge/tenant_info", account=None)
    assert reply.json() == {"cloudId": world.sites[ENG].site_id}


def test_an_unknown_site_answers_with_a_web_page(ask: Ask) -> None:
    reply = ask("GET", "https://nobody.atlassian.net/_edge/tenant_info", account=None)
    assert (reply.status, reply.header("content-type")) == (404, "text/html;charset=UTF-8")


def test_a_job_is_accepted_with_a_uuid(world: World, submit: Submit) -> None:
    reply = submit()
    assert reply.status == 200
    assert list(reply.json()) == ["uuid"]
    assert reply.json()["uuid"] in world.jobs


def test_a_status_walks_with_time(
    world: World, clock: VirtualClock, ask: Ask, submit: Submit
) -> None:
    uuid = submit(createBackup=True).json()["uuid"]
    words = []
    for _ in range(600):
        word = status_of(world, ask, uuid)
        words += [] if words[-1:] == [word] else [word]
        clock.advance(10)
    assert [word for word in words if word != "Retry"][:3] == ["Pending", "Backup", "In_progress"]
    assert words[-1] == "Complete"


def test_every_documented_word_turns_up() -> None:
    clock = VirtualClock(NOW)
    world = world_of(two_sites(), clock=clock)
    words: set[str] = set()
    for _ in range(60):
        job = accept(
            world, world.sites[ENG], job_body(createBackup=True), SimAccount(email="a", token=None)
        )
        words |= {word for _, word in job.phases}
    world.fates[ENG, OPS] = "error"
    job = accept(world, world.sites[ENG], job_body(), SimAccount(email="a", token=None))
    words |= {word for _, word in job.phases}
    assert words == {"Pending", "Backup", "In_progress", "Retry", "Complete", "Error"}


def test_an_unknown_job_is_404_in_json(world: World, ask: Ask) -> None:
    nil = "00000000-0000-0000-0000-000000000000"
    reply = ask("GET", f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/status/{nil}")
    assert (reply.status, reply.json()["status"]) == (404, 404)


def test_a_job_of_another_site_is_404(world: World, ask: Ask, submit: Submit) -> None:
    uuid = submit().json()["uuid"]
    url = f"{GATEWAY}/links/v1/{world.sites[OPS].site_id}/jobs/status/{uuid}"
    assert ask("GET", url).status == 404


REFUSED_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "without a product": ({"product": None}, "product must be a non-empty string"),
    "of an unknown product": ({"product": "bamboo"}, "product must be jira or confluence"),
    "without migratedFrom": ({"migratedFrom": ""}, "migratedFrom must be a non-empty string"),
    "with a number for a flag": ({"createBackup": 1}, "createBackup must be a boolean"),
    "with a word for a flag": ({"createBackup": "yes"}, "createBackup must be a boolean"),
    "to a site that is not there": (
        {"destination": "https://nobody.atlassian.net"},
        "destinationURL is no cloud site",
    ),
    "from an address with a query": ({"migratedFrom": f"{DC}?a=b"}, "migratedFrom must be a base"),
    "with a number for the override": (
        {"migratedFromOverride": 5},
        "migratedFromOverride must be a base URL",
    ),
    "recreating Confluence links": ({"product": "confluence"}, "recreateAsRemote is for Jira only"),
}


@pytest.mark.parametrize(("changes", "told"), REFUSED_BODIES.values(), ids=list(REFUSED_BODIES))
def test_a_submission_is_refused(
    submit: Submit, world: World, changes: dict[str, Any], told: str
) -> None:
    reply = submit(**changes)
    assert reply.status == 400
    assert any(told in problem for problem in reply.json()["errors"])
    assert not world.jobs
    assert world.submissions[-1].uuid is None


def test_a_job_goes_to_the_site_that_holds_the_links(world: World, ask: Ask) -> None:

    url = f"{GATEWAY}/links/v1/{world.sites[OPS].site_id}/jobs/cma"
    reply = ask("POST", url, job_body(ENG, OPS))
    assert reply.json()["errors"] == ["productURL is not the site of the path"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"], ids=["none", "half", "list", "raw"])
def test_a_body_that_is_no_object_is_400(world: World, ask: Ask, body: bytes) -> None:
    url = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/cma"
    assert ask("POST", url, body=body).status == 400


def test_a_body_that_is_not_called_json_is_415(world: World, ask: Ask) -> None:
    url = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/cma"
    assert ask("POST", url, {}, content_type="text/plain").status == 415


BOOLEANS = {
    ("both", True): 200,
    ("both", "true"): 200,
    ("native", True): 200,
    ("native", "true"): 400,
    ("string", True): 400,
    ("string", "true"): 200,
}


@pytest.mark.parametrize(("taken", "value"), BOOLEANS, ids=repr)
def test_booleans_are_taken_as_the_world_chooses(
    world: World, submit: Submit, taken: Any, value: Any
) -> None:
    world.settings.booleans = taken
    assert submit(recreateAsRemote=value).status == BOOLEANS[taken, value]


def test_a_job_recreates_the_links_of_its_direction(
    world: World, clock: VirtualClock, submit: Submit
) -> None:
    submit()
    assert not world.issue("ENG-123").links
    finished(world, clock)
    expected = [x for x in world.lost_links if x.source_site == ENG]
    assert all(link.recreated_at is not None for link in expected)
    assert all(x.recreated_at is None for x in world.lost_links if x.source_site == OPS)
    (link,) = world.issue("ENG-123").links.values()
    app_id = world.app_link(ENG, OPS).app_id
    assert link.record == {
        "globalId": f"appId={app_id}&issueId={world.issue('OPS-77').id}",
        "application": {"type": "com.atlassian.jira", "name": "contoso-ops"},
        "relationship": "relates to",
        "object": {
            "url": f"{OPS}/browse/OPS-77",
            "title": "OPS-77",
            "icon": {},
            "status": {"icon": {}},
        },
    }


def test_every_recreated_link_is_in_the_history_under_the_submitting_account(
    world: World, clock: VirtualClock, submit: Submit
) -> None:
    submit()
    finished(world, clock)
    (entry,) = world.issue("ENG-123").history
    assert (entry.author.email, entry.field) == ("admin@contoso.example", "RemoteIssueLink")
    assert NOW < entry.at <= NOW + timedelta(minutes=60)


def test_a_second_job_leaves_out_what_was_updated(
    world: World, clock: VirtualClock, submit: Submit
) -> None:
    first = submit().json()["uuid"]
    finished(world, clock)
    second = submit().json()["uuid"]
    finished(world, clock)
    assert world.jobs[first].recreated
    assert not world.jobs[second].recreated
    assert len(world.issue("ENG-123").links) == 1


def test_links_that_are_left_out_are_never_recreated(
    world: World, clock: VirtualClock, submit: Submit
) -> None:
    probe = next(link for link in world.lost_links if link.probe)
    probe.left_out = True
    submit()
    finished(world, clock)
    assert not world.issue("ENG-123").links


def test_links_in_texts_are_rewritten_where_their_issue_lives_there_now(
    world: World, clock: VirtualClock, submit: Submit
) -> None:
    issue = world.issue("ENG-1")
    issue.texts["description"] = f"{DC}/browse/OPS-2 and {DC}/browse/ENG-2 and {DC}/browse/OPS-999"
    submit()
    finished(world, clock)
    assert issue.texts["description"] == (
        f"{OPS}/browse/OPS-2 and {DC}/browse/ENG-2 and {DC}/browse/OPS-999"
    )


def test_jobs_of_one_site_wait_for_each_other(world: World, submit: Submit) -> None:
    first, second = (world.jobs[submit().json()["uuid"]] for _ in range(2))
    other = world.jobs[submit(source=OPS, destination=ENG).json()["uuid"]]
    assert second.phases[1][0] > first.ends_at
    assert other.phases[1][0] < first.ends_at


def with_error_fate(world: World) -> None:
    world.fates[ENG, OPS] = "error"


def with_empty_fate(world: World) -> None:
    world.fates[ENG, OPS] = "empty"


def without_authorization(world: World) -> None:
    world.app_link(ENG, OPS).authorized = False


def with_another_migration(world: World) -> None:
    world.sites[OPS].migrated_from = {"https://jira-old.contoso.example"}


BARREN: dict[str, tuple[Callable[[World], None], str]] = {
    "that is told to fail": (with_error_fate, "Error"),
    "that is told to stay empty": (with_empty_fate, "Complete"),
    "whose app link is not authorized": (without_authorization, "Complete"),
    "whose migratedFrom no migration knows": (with_another_migration, "Complete"),
}


@pytest.mark.parametrize(("change", "word"), BARREN.values(), ids=list(BARREN))
def test_a_job_recreates_nothing(
    world: World,
    clock: VirtualClock,
    ask: Ask,
    submit: Submit,
    change: Callable[[World], None],
    word: str,
) -> None:
    change(world)
    uuid = submit().json()["uuid"]
    finished(world, clock)
    assert status_of(world, ask, uuid) == word
    assert not world.jobs[uuid].recreated


WINDOWS = {
    "in the window": (timedelta(days=3), True),
    "on the last day": (timedelta(days=13, hours=23), True),
    "after two weeks": (timedelta(days=14, minutes=1), False),
    "before the migration ended": (timedelta(hours=-1), False),
}


@pytest.mark.parametrize(("age", "recreates"), WINDOWS.values(), ids=list(WINDOWS))
def test_the_two_weeks_decide(age: timedelta, recreates: bool) -> None:
    clock = VirtualClock(NOW)
    world = world_of(two_sites(NOW - age), clock=clock, job_minutes=1)
    url = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/cma"
    answer(world, call_of("POST", url, job_body()))
    finished(world, clock)
    assert bool(world.issue("ENG-123").links) is recreates


def test_the_world_knows_what_truly_became_of_a_submission(world: World, submit: Submit) -> None:

    assert world.true_outcome(job_body()) is None
    uuid = submit().json()["uuid"]
    truth = world.true_outcome(job_body())
    assert truth is not None
    assert truth.uuid == uuid
    assert world.true_outcome(job_body(OPS, ENG)) is None


CREDENTIALS: dict[str, tuple[Any, int]] = {
    "none": (None, 401),
    "an empty token": (("admin@contoso.example", ""), 401),
    "a wrong token": (("admin@contoso.example", "wrong"), 401),
    "a stranger": (("nobody@example.com", "canary"), 401),
    "a scoped token": (("scoped@contoso.example", "s"), 401),
    "somebody who is no administrator": (("user@contoso.example", "u"), 403),
    "the right one": (("admin@contoso.example", "right"), 404),
}


@pytest.mark.parametrize(("account", "status"), CREDENTIALS.values(), ids=list(CREDENTIALS))
def test_the_service_asks_for_an_administrator(
    world: World, ask: Ask, account: Any, status: int
) -> None:
    world.settings.accept_any = False
    for known in (
        SimAccount(email="admin@contoso.example", token="right"),
        SimAccount(email="scoped@contoso.example", token="s", scoped=True),
        SimAccount(email="user@contoso.example", token="u", admin=False),
    ):
        world.accounts[known.email] = known
    url = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}/jobs/status/x"
    assert ask("GET", url, account=account).status == status


def test_the_logs_are_behind_the_addresses_the_world_chooses(
    world: World, clock: VirtualClock, ask: Ask, submit: Submit
) -> None:
    world.log_urls = {
        "history": GATEWAY + "/links/v1/{siteId}/reports?product={product}",
        "audit": GATEWAY + "/links/v1/{siteId}/audit/{jobId}.csv",
    }
    uuid = submit().json()["uuid"]
    finished(world, clock)
    base = f"{GATEWAY}/links/v1/{world.sites[ENG].site_id}"
    history = ask("GET", f"{base}/reports?product=jira")
    assert history.header("content-type") == "text/csv;charset=UTF-8"
    assert uuid in history.body.decode()
    audit = ask("GET", f"{base}/audit/{uuid}.csv").body.decode()
    assert f"{DC}/browse/OPS-77,{OPS}/browse/OPS-77" in audit
    clock.advance(29 * 86_400)
    assert "OPS-77" not in ask("GET", f"{base}/audit/{uuid}.csv").body.decode()
    assert ask("GET", f"{base}/reports?product=jira", account=None).status == 401
    assert ask("GET", f"{base}/reports").status == 404
