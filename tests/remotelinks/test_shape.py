"""The shape of a link is learned from links that are there, never guessed."""

from typing import Any

import pytest

from runbook.remotelinks.repair import Sample, Shape, Target, learned, weblink

BASE = "https://ops.atlassian.net"
TARGET = Target(key="OPS-5", issue_id=10005, base=BASE)


def record(key: str = "OPS-1", number: int = 10001, **more: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "self": "https://eng.atlassian.net/rest/api/issue/1/remotelink/7",
        "globalId": f"appId=abc&issueId={number}",
        "application": {"type": "com.atlassian.jira", "name": "Ops"},
        "relationship": "blocks",
        "object": {"url": f"{BASE}/browse/{key}", "title": key, "icon": {}, "status": {"icon": {}}},
        **more,
    }


def sample(key: str = "OPS-1", number: int = 10001, **more: Any) -> Sample:
    return Sample(record=record(key, number, **more), key=key, issue_id=number, where="link 7")


def shape(*samples: Sample) -> Shape:
    found = learned(samples)
    assert isinstance(found, Shape), found
    return found


def test_another_targets_record_has_the_same_shape() -> None:
    assert shape(sample()).record(TARGET, "is blocked by") == {
        "globalId": "appId=abc&issueId=10005",
        "application": {"type": "com.atlassian.jira", "name": "Ops"},
        "relationship": "is blocked by",
        "object": {"url": f"{BASE}/browse/OPS-5", "title": "OPS-5"},
    }


def test_the_sites_own_way_of_writing_its_address_is_kept() -> None:
    other = sample(object={"url": "https://jira.ops.example/browse/OPS-1", "title": "OPS-1"})
    made = shape(other).record(TARGET, "x")
    assert made["object"]["url"] == "https://jira.ops.example/browse/OPS-5"


def test_what_belongs_to_one_target_is_left_out() -> None:
    own = sample(
        object={
            "url": f"{BASE}/browse/OPS-1",
            "title": "OPS-1",
            "summary": "secret",
            "status": {"resolved": True},
        }
    )
    assert set(shape(own).record(TARGET, "x")["object"]) == {"url", "title"}


def test_only_what_all_samples_share_is_kept() -> None:
    one = sample(future={"kept": 1, "differs": 1})
    two = sample("OPS-2", 10002, future={"kept": 1, "differs": 2})
    assert shape(one, two).record(TARGET, "x")["future"] == {"kept": 1}


def test_the_usual_app_link_is_taken() -> None:
    odd = sample("OPS-3", 10003, globalId="appId=odd&issueId=10003")
    assert shape(odd, sample(), sample("OPS-2", 10002)).app_id == "abc"


REFUSED = {
    "no sample": ([], "no link is there"),
    "another globalId": ([sample(globalId="x")], "globalId is not"),
    "the id of another issue": (
        [Sample(record=record(), key="OPS-1", issue_id=9, where="link 7")],
        "does not carry the id",
    ),
    "an unresolved target": (
        [Sample(record=record(), key="OPS-1", issue_id=None, where="link 7")],
        "does not carry the id",
    ),
    "another address": (
        [sample(object={"url": f"{BASE}/issues/OPS-1", "title": "OPS-1"})],
        "address does not end",
    ),
    "another title": (
        [sample(object={"url": f"{BASE}/browse/OPS-1", "title": "A summary"})],
        "title is not `OPS-1`",
    ),
    "no object": ([sample(object=None)], "no `object`"),
}


@pytest.mark.parametrize(("samples", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_no_shape_is_learned_from(samples: list[Sample], reason: str) -> None:
    found = learned(samples)
    assert isinstance(found, str)
    assert reason in found


def test_a_target_without_an_id_is_refused() -> None:
    with pytest.raises(ValueError, match="numeric id is not known"):
        shape(sample()).record(Target(key="OPS-5", issue_id=None, base=BASE), "x")


def test_a_web_links_global_id_follows_from_the_target() -> None:
    assert weblink(TARGET, "blocks") == {
        "globalId": "system=https://ops.atlassian.net&issueId=10005",
        "relationship": "blocks",
        "object": {"url": f"{BASE}/browse/OPS-5", "title": "OPS-5"},
    }
    with pytest.raises(ValueError, match="255"):
        weblink(Target(key="OPS-5", issue_id=5, base=f"https://{'x' * 250}"), "blocks")
