"""Which host a token works on is found out, not guessed, and nothing is read as nobody."""

import asyncio
from typing import Any

import pytest

from runbook.atlassian.errors import JiraRefusedError, LoginLostError, NotDocumentedError
from runbook.clock import VirtualClock
from runbook.http import Answer, Outcome, Request
from runbook.plan.model import Site
from tests.atlassian.scripted import ENG, ME, answer, client, html

GATEWAY = "https://api.atlassian.com/ex/jira/6f1c2a52"


class Hosts:
    """Answer by the beginning of the address."""

    def __init__(self, **answers: Outcome) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(self, request: Request) -> Outcome:
        self.asked.append(request.url)
        assert (request.account is None) == request.url.endswith("tenant_info")
        if request.url.endswith("tenant_info"):
            return self.answers.get("tenant", answer(200, {"cloudId": "6f1c2a52"}))
        if request.url.startswith(GATEWAY):
            return self.answers.get("gateway", answer(401))
        return self.answers.get("site", answer(401))


def test_a_plain_token_is_used_on_the_site(clock: VirtualClock) -> None:
    hosts = Hosts(site=ME)
    assert asyncio.run(client(hosts, clock).myself()).via == "site"
    assert hosts.asked == [f"{ENG}/rest/api/3/myself"]


def test_a_token_with_scopes_is_used_through_the_gateway(clock: VirtualClock) -> None:
    hosts = Hosts(gateway=ME)
    site = client(hosts, clock)

    async def both() -> str:
        via = (await site.myself()).via
        await site.remote_links("ENG-1")
        return via

    assert asyncio.run(both()) == "gateway"
    assert hosts.asked[-1] == f"{GATEWAY}/rest/api/3/issue/ENG-1/remotelink"


def test_the_site_id_of_the_plan_saves_a_question(clock: VirtualClock) -> None:
    hosts = Hosts(gateway=ME)
    asyncio.run(client(hosts, clock, Site(url=ENG, site_id="6f1c2a52")).myself())
    assert not any(url.endswith("tenant_info") for url in hosts.asked)


REFUSED = {
    "nobody takes it": {},
    "no site id": {"tenant": answer(404)},
    "a site id that is none": {"tenant": answer(200, {"cloudId": 7})},
    "a web page for a site id": {"tenant": html()},
}


@pytest.mark.parametrize("answers", REFUSED.values(), ids=REFUSED.keys())
def test_a_token_that_nobody_takes_is_refused_with_its_likely_causes(
    answers: dict[str, Answer], clock: VirtualClock
) -> None:
    with pytest.raises(LoginLostError, match="refuses the credential") as caught:
        asyncio.run(client(Hosts(**answers), clock).myself())
    assert "expired" in caught.value.hint


ELSE: dict[str, tuple[Answer, type[Exception]]] = {
    "a web page": (html(), NotDocumentedError),
    "a redirect to a login": (answer(302, location="https://id.example"), NotDocumentedError),
    "an account without an id": (answer(200, {"name": "x"}), NotDocumentedError),
    "forbidden": (answer(403, {"message": "IP not allowed"}), JiraRefusedError),
    "answered as to nobody": (
        answer(200, {"accountId": "x"}, x_seraph_loginreason="AUTHENTICATED_FAILED"),
        LoginLostError,
    ),
}


@pytest.mark.parametrize("case", ELSE.values(), ids=ELSE.keys())
def test_any_other_answer_is_told_as_what_it_is(case: Any, clock: VirtualClock) -> None:
    outcome, kind = case
    with pytest.raises(kind):
        asyncio.run(client(Hosts(site=outcome), clock).myself())


def test_an_account_that_changes_on_the_way_is_a_lost_login(clock: VirtualClock) -> None:
    hosts = Hosts(site=ME)
    site = client(hosts, clock)

    async def scene() -> None:
        await site.myself()
        hosts.answers["site"] = answer(200, {"accountId": "somebody-else"})
        await site.confirm_login()

    with pytest.raises(LoginLostError, match="another account"):
        asyncio.run(scene())


def test_many_that_begin_at_once_ask_once(clock: VirtualClock) -> None:
    hosts = Hosts(site=ME)
    site = client(hosts, clock)

    async def scene() -> None:
        await asyncio.gather(*(site.myself() for _ in range(20)))

    asyncio.run(scene())
    assert len(hosts.asked) == 1
