"""The operations of the client against the simulator, every exchange held against Atlassian's document."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runbook.atlassian.errors import JiraRefusedError, NotDocumentedError
from runbook.atlassian.jira import JiraSite
from runbook.atlassian.jira_values import (
    create_write,
    delete_by_global_id_write,
    delete_write,
    update_write,
)
from runbook.clock import VirtualClock
from runbook.plan.model import Site
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.atlassian.scripted import ENG, Script, answer, client, simulated
from tests.simulator.openapi import DOCUMENT, ValidatingTransport
from tests.simulator.worlds import two_sites

GLOBAL_ID = "appId=55f8&issueId=19/ö:+#?x y"
RECORD = {
    "globalId": GLOBAL_ID,
    "application": {"type": "com.atlassian.jira", "name": "Ops"},
    "relationship": "relates to",
    "object": {
        "url": "https://contoso-ops.atlassian.net/browse/OPS-1",
        "title": "OPS-1",
        "summary": "A summary",
        "status": {"resolved": True},
    },
}


@pytest.fixture
def world(clock: VirtualClock) -> World:
    return world_of(two_sites(), clock=clock, own_links=0.0)


@pytest.fixture
def on_site(world: World, clock: VirtualClock) -> Callable[..., Any]:
    """Run work with a client of a simulated site; every exchange is validated."""

    def run(work: Callable[[JiraSite], Awaitable[Any]], url: str = ENG) -> Any:
        async def whole() -> Any:
            transport, made = simulated(world, clock)
            try:
                return await work(client(transport, clock, Site(url=url)))
            finally:
                await transport.aclose()
                checked = sum(
                    each.validated for each in made if isinstance(each, ValidatingTransport)
                )
                assert checked or not DOCUMENT.exists()

        return asyncio.run(whole())

    return run


def test_a_link_lives_through_all_six_operations(on_site: Callable[..., Any]) -> None:
    async def life(site: JiraSite) -> None:
        assert await site.remote_links("ENG-1") == ()
        made = await site.perform(create_write("ENG-1", RECORD))
        assert made.created
        link_id = made.link_id or ""
        one = await site.remote_link("ENG-1", link_id)
        assert one["object"]["summary"] == "A summary"
        assert await site.remote_link_by_global_id("ENG-1", GLOBAL_ID) == one
        assert await site.remote_links("ENG-1") == (one,)
        again = await site.perform(create_write("ENG-1", one | {"relationship": "blocks"}))
        assert (again.created, again.link_id) == (False, link_id)
        await site.perform(update_write("ENG-1", link_id, RECORD))
        assert (await site.remote_link("ENG-1", link_id))["relationship"] == "relates to"
        await site.perform(delete_by_global_id_write("ENG-1", GLOBAL_ID))
        second = await site.perform(create_write("ENG-1", RECORD))
        await site.perform(delete_write("ENG-1", second.link_id or ""))
        assert await site.remote_links("ENG-1") == ()

    on_site(life)


def test_a_write_carries_the_whole_record_and_neither_id_nor_self() -> None:
    write = create_write("ENG-1", RECORD | {"id": 7, "self": "https://x", "odd": {"a": 1}})
    assert write.body == RECORD | {"odd": {"a": 1}}


def test_the_document_allows_one_object_where_a_list_is_asked_for(clock: VirtualClock) -> None:
    script = Script(answer(200, {"id": 7, "object": {}}))
    assert len(asyncio.run(client(script, clock).remote_links("ENG-1"))) == 1


def test_a_link_asked_for_by_global_id_is_found_in_a_list_too(clock: VirtualClock) -> None:
    listed = [{"id": 6, "globalId": "other"}, {"id": 7, "globalId": GLOBAL_ID}]
    found = asyncio.run(
        client(Script(answer(200, listed)), clock).remote_link_by_global_id("ENG-1", GLOBAL_ID)
    )
    assert found["id"] == 7
    with pytest.raises(NotDocumentedError):
        asyncio.run(
            client(Script(answer(200, [])), clock).remote_link_by_global_id("ENG-1", GLOBAL_ID)
        )


def test_an_issue_that_is_a_path_stays_one_segment(clock: VirtualClock) -> None:
    script = Script(answer(200, []), answer(200, []))
    site = client(script, clock)

    async def both() -> None:
        await site.remote_links("../../myself?x=1")
        await site.remote_links("..")

    asyncio.run(both())
    assert script.asked[0].url.endswith("/issue/..%2F..%2Fmyself%3Fx%3D1/remotelink")
    assert script.asked[1].url.endswith("/issue/%2E%2E/remotelink")


def test_a_search_is_read_to_its_end(on_site: Callable[..., Any], world: World) -> None:
    world.settings.page_cap = 7

    async def keys(site: JiraSite) -> list[str]:
        return [issue["key"] async for issue in site.search('project = "ENG" ORDER BY key ASC')]

    found = on_site(keys)
    assert len(found) == len(set(found)) >= 20


def test_a_search_that_turns_in_a_circle_ends(clock: VirtualClock) -> None:
    page = {"issues": [{"id": "1", "key": "ENG-1"}], "nextPageToken": "again"}
    script = Script(*[answer(200, page)] * 3)

    async def read_all() -> int:
        return len([ref async for ref in client(script, clock).search("project = ENG")])

    with pytest.raises(NotDocumentedError, match="repeats a page"):
        asyncio.run(read_all())


def test_an_empty_page_with_a_token_is_not_the_end(clock: VirtualClock) -> None:
    pages = [
        {"issues": [], "nextPageToken": "t1"},
        {"issues": [{"id": "1", "key": "ENG-1"}], "isLast": True, "nextPageToken": None},
    ]
    script = Script(*[answer(200, page) for page in pages])

    async def read_all() -> list[str]:
        return [ref["key"] async for ref in client(script, clock).search("project = ENG")]

    assert asyncio.run(read_all()) == ["ENG-1"]


def test_keys_resolve_and_what_is_left_out_is_absent(on_site: Callable[..., Any]) -> None:
    async def resolve(site: JiraSite) -> Any:
        return await site.resolve(["ENG-1", "eng-2", "ENG-99999", "XX-1", "ENG-1"])

    resolution = on_site(resolve)
    assert {asked: issue.key for asked, issue in resolution.found.items()} == {
        "ENG-1": "ENG-1",
        "eng-2": "ENG-2",
    }
    assert resolution.absent == ("ENG-99999", "XX-1")


MOVED = {
    "one issue moved": (["OLD-1"], {"OLD-1": "NEW-5"}),
    "one of two moved": (["OLD-1", "ENG-2"], {"OLD-1": "NEW-5", "ENG-2": "ENG-2"}),
    "two moved to one place": (["OLD-1", "NEW-5"], {"OLD-1": "NEW-5", "NEW-5": "NEW-5"}),
    "several moved": (["OLD-1", "OLD-2"], {"OLD-1": "NEW-5", "OLD-2": "NEW-6"}),
    "moved beside absent": (["OLD-1", "ENG-2", "NO-1"], {"OLD-1": "NEW-5", "ENG-2": "ENG-2"}),
    "none is there": (["NO-1", "NO-2"], {}),
}
THERE = {"OLD-1": (5, "NEW-5"), "NEW-5": (5, "NEW-5"), "OLD-2": (6, "NEW-6"), "ENG-2": (2, "ENG-2")}


@pytest.mark.parametrize("case", MOVED.values(), ids=MOVED.keys())
def test_moved_issues_are_followed_although_bulk_fetch_does_not_say_which(
    case: tuple[list[str], dict[str, str]], clock: VirtualClock
) -> None:
    asked, expected = case

    async def jira(request: Any) -> Any:
        if request.url.endswith("/myself"):
            return answer(200, {"accountId": "x"})
        if request.method == "GET":
            key = request.url.rpartition("/")[2].partition("?")[0]
            if key not in THERE:
                return answer(404)
            return answer(200, {"id": str(THERE[key][0]), "key": THERE[key][1]})
        wanted = json.loads(request.body)["issueIdsOrKeys"]
        issues = {THERE[key] for key in wanted if key in THERE}
        listed = [{"id": str(number), "key": key} for number, key in sorted(issues)]
        return answer(200, {"issues": listed, "issueErrors": []})

    resolution = asyncio.run(client(jira, clock).resolve(asked))
    assert {key: ref.key for key, ref in resolution.found.items()} == expected
    assert set(resolution.absent) == set(asked) - set(expected)


def test_read_only_questions_are_answered(on_site: Callable[..., Any]) -> None:
    async def questions(site: JiraSite) -> None:
        assert (await site.myself()).email
        info, told = await site.server_info()
        assert info["baseUrl"] == ENG
        assert told.header("date")
        assert (await site.get("configuration"))[0]["issueLinkingEnabled"] is True
        held = await site.my_permissions(("ADMINISTER", "LINK_ISSUES"))
        assert held == {"ADMINISTER": True, "LINK_ISSUES": True}
        projects = await site.projects(["ENG", "PLAT", "NIX"])
        ids = sorted(int(project["id"]) for project in projects)
        assert sorted(project["key"] for project in projects) == ["ENG", "PLAT"]
        granted = await site.check_permissions(("BROWSE_PROJECTS",), ids)
        assert granted == {"BROWSE_PROJECTS": frozenset(ids)}
        assert await site.get("issue/limit/report", (("isReturningKeys", "true"),))
        await site.perform(create_write("ENG-1", RECORD))
        logs = [log async for log in site.changelogs(["ENG-1"])]
        assert [len(log["changeHistories"]) for log in logs] == [1]

    on_site(questions)


def test_an_issue_that_is_not_there_is_refused_with_404(on_site: Callable[..., Any]) -> None:
    async def read(site: JiraSite) -> None:
        await site.remote_links("ENG-99999")

    with pytest.raises(JiraRefusedError) as caught:
        on_site(read)
    assert caught.value.status == 404
