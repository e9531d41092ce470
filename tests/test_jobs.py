"""The jobs of a plan: their order, their bytes, and the digest that an approval binds to."""

import hashlib
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.jobs import job_from_json, jobs_digest, jobs_of, ordered
from runbook.plan.model import AppLink, BooleanStyle, Instance, Plan, Product, Site, Wave

A, B = "https://a.atlassian.net", "https://b.atlassian.net"


def instance(name: str, *needs: str, **changes: object) -> Instance:
    values = {
        "id": name,
        "product_url": A,
        "destination_url": B,
        "migrated_from": "https://jira.contoso.example",
        "needs": needs,
    }
    return Instance(**{**values, **changes})


def plan(*instances: Instance, **changes: object) -> Plan:
    values = {"name": "p", "sites": (Site(url=A), Site(url=B)), "instances": instances}
    return Plan(**{**values, **changes})


ORDERS = {
    "plan order where nothing is needed": ({"c": "", "a": "", "b": ""}, "cab"),
    "a need comes first": ({"a": "b", "b": ""}, "ba"),
    "needs of needs come first": ({"a": "b", "b": "c", "c": ""}, "cba"),
    "what is needed twice comes once": ({"a": "c", "b": "c", "c": ""}, "cab"),
    "a diamond": ({"d": "bc", "b": "a", "c": "a", "a": ""}, "abcd"),
    "a cycle keeps every job": ({"a": "b", "b": "a", "c": ""}, "bac"),
    "a job that needs itself": ({"a": "a", "b": ""}, "ab"),
    "an unknown need is left out": ({"a": "z", "b": ""}, "ab"),
}


@pytest.mark.parametrize("case", ORDERS.values(), ids=ORDERS.keys())
def test_the_order_of_jobs(case: tuple[dict[str, str], str]) -> None:
    """Needs first, plan order otherwise."""
    needs, expected = case
    instances = [instance(name, *wanted) for name, wanted in needs.items()]
    assert "".join(one.id for one in ordered(instances)) == expected


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_every_job_follows_its_needs_and_none_is_lost(data: st.DataObject) -> None:
    """For any needs without a cycle."""
    names = [f"j{n}" for n in range(data.draw(st.integers(0, 9)))]
    rank = data.draw(st.permutations(names))
    instances = [
        instance(
            name,
            *data.draw(
                st.lists(
                    st.sampled_from(rank[: rank.index(name)] or [name]), max_size=3, unique=True
                )
            ),
        )
        for name in names
    ]
    instances = [
        replace(one, needs=tuple(n for n in one.needs if n != one.id)) for one in instances
    ]
    result = [one.id for one in ordered(instances)]
    assert sorted(result) == sorted(names)
    for one in instances:
        assert all(result.index(need) < result.index(one.id) for need in one.needs)


def test_a_chain_of_ten_thousand_needs_is_no_burden() -> None:
    """No recursion limit, and no time that grows with the square."""
    chain = [instance(f"j{n}", f"j{n + 1}") for n in range(10_000)]
    began = time.process_time()
    assert ordered(chain)[0].id == "j9999"
    assert time.process_time() - began < 2


BODIES = {
    "a plain recreate job": ({}, {"recreateAsRemote": True}),
    "booleans as strings": ({"_style": BooleanStyle.STRING}, {"recreateAsRemote": "true"}),
    "optional fields that are not set are left out": ({"recreate_as_remote": False}, {}),
    "everything": (
        {"migrated_from_override": "https://live.example", "create_backup": True},
        {
            "migratedFromOverride": "https://live.example",
            "recreateAsRemote": True,
            "createBackup": True,
        },
    ),
    "Confluence": (
        {"product": Product.CONFLUENCE, "recreate_as_remote": False},
        {"product": "confluence"},
    ),
}


@pytest.mark.parametrize("case", BODIES.values(), ids=BODIES.keys())
def test_the_body_of_a_job(case: tuple[dict[str, object], dict[str, object]]) -> None:
    """Exactly Atlassian's fields, the optional ones only where set (links-api.md 1.2)."""
    changes, expected = dict(case[0]), case[1]
    style = changes.pop("_style", BooleanStyle.NATIVE)
    (job,) = jobs_of(plan(instance("a", **changes), booleans=style))
    usual = {
        "product": "jira",
        "productURL": A,
        "destinationURL": B,
        "migratedFrom": "https://jira.contoso.example",
    }
    assert job.body == {**usual, **expected}
    assert json.loads(job.body_bytes()) == job.body
    assert (job.method, job.site, job.destination) == ("POST", A, B)


URLS = {
    "an id of the plan": ("6f1c2a52", "6f1c2a52"),
    "an id that is not there": (None, "{siteId}"),
    "an odd id is escaped": ("a b?c#d", "a%20b%3Fc%23d"),
}


@pytest.mark.parametrize("case", URLS.values(), ids=URLS.keys())
def test_the_address_of_a_job(case: tuple[str | None, str]) -> None:
    """The id of the site that holds the links, with the literal `{siteId}` where nobody knows it."""
    sites = (Site(url=A, site_id=case[0], account="contoso"), Site(url=B, site_id="other"))
    (job,) = jobs_of(plan(instance("a"), sites=sites))
    assert job.url == f"https://api.atlassian.com/links/v1/{case[1]}/jobs/cma"
    assert job.account == "contoso"


def test_jobs_survive_the_ledger() -> None:
    """What `as_json` writes, `job_from_json` reads."""
    jobs = jobs_of(plan(instance("a"), instance("b", "a", create_backup=True)))
    assert tuple(job_from_json(json.loads(json.dumps(job.as_json()))) for job in jobs) == jobs


def test_the_digest_is_the_documented_one() -> None:
    """SHA-256 of the canonical JSON of method, address, body, needs and id, in order."""
    jobs = jobs_of(plan(instance("a")))
    sent = [
        {
            "id": "a",
            "method": "POST",
            "url": "https://api.atlassian.com/links/v1/{siteId}/jobs/cma",
            "body": {
                "product": "jira",
                "productURL": A,
                "destinationURL": B,
                "migratedFrom": "https://jira.contoso.example",
                "recreateAsRemote": True,
            },
            "needs": [],
        }
    ]
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert jobs_digest(jobs) == hashlib.sha256(text.encode()).hexdigest()


BASE = plan(instance("a"), instance("b"))
SAME = {
    "attestations": plan(instance("a", app_link=AppLink(authorized=True, by="J")), instance("b")),
    "waves": replace(BASE, sites=(Site(url=A, waves=(Wave(name="w"),)), Site(url=B))),
    "names and digests of the plan": replace(BASE, name="q", digest="x", customer="y"),
    "accounts": replace(BASE, sites=(Site(url=A, account="z"), Site(url=B))),
}
OTHER = {
    "another body": plan(instance("a", create_backup=True), instance("b")),
    "another order": plan(instance("b"), instance("a")),
    "other needs": plan(instance("a"), instance("b", "a")),
    "another id": plan(instance("c"), instance("b")),
    "one job less": plan(instance("a")),
    "a site id": replace(BASE, sites=(Site(url=A, site_id="1"), Site(url=B))),
    "the style of booleans": replace(BASE, booleans=BooleanStyle.STRING),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_the_digest_leaves_out_what_is_not_sent(other: Plan) -> None:
    """Attestations and wave ends may still be filled in after an approval."""
    assert jobs_digest(jobs_of(other)) == jobs_digest(jobs_of(BASE))


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER.keys())
def test_the_digest_changes_with_whatever_is_sent(other: Plan) -> None:
    """An approval does not cover it any more."""
    assert jobs_digest(jobs_of(other)) != jobs_digest(jobs_of(BASE))
