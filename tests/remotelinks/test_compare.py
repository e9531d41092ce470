"""What becomes of an expected link: one kind each, decided from the links that are there."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.remotelinks.compare import BESIDES, KINDS, Found, Kind, Wanted, classify
from runbook.remotelinks.pointing import Addresses

ENG, OPS, HR = (f"https://{name}.atlassian.net" for name in ("eng", "ops", "hr"))
ADDRESSES = Addresses(
    {ENG: [ENG], OPS: [OPS, "https://jira.ops.example"], HR: [HR]},
    ["https://jira.contoso.example/jira", "https://jira-live.contoso.example"],
)
JOBS = {OPS: "eng-to-ops", HR: "eng-to-hr"}
APP = "appId=55f82c15-c230-365f-b5ec-d9d6971f5d1f&issueId="


def want(**given: Any) -> Wanted:
    values: dict[str, Any] = {
        "row": 1,
        "job": "eng-to-ops",
        "site": OPS,
        "keys": ("OPS-77", "OPS-77"),
        "issue_id": 10077,
        "resolved": True,
        "absent": False,
        "label": "blocks",
    }
    return Wanted(**{**values, **given})


def link(**given: Any) -> Found:
    values: dict[str, Any] = {
        "link_id": 1,
        "global_id": f"{APP}10077",
        "relationship": "blocks",
        "url": "https://ops.atlassian.net/browse/OPS-77",
        "title": "OPS-77",
        "application": "com.atlassian.jira",
        "before": None,
        "ours": False,
    }
    return Found(**{**values, **given})


def weblink(**given: Any) -> Found:
    return link(**{"global_id": None, "application": None, **given})


OTHER = {
    "global_id": f"{APP}10078",
    "url": "https://ops.atlassian.net/browse/OPS-78",
    "title": "OPS-78",
}

CASES: dict[str, tuple[list[Wanted], list[Found], list[Kind]]] = {
    "the job's link is there": ([want()], [link()], [Kind.RECREATED]),
    "it carries the site's display URL": (
        [want()],
        [link(url="https://jira.ops.example/browse/OPS-77", global_id=None)],
        [Kind.RECREATED],
    ),
    "its address has another case, a slash or a query": (
        [want(issue_id=None)],
        [link(url="HTTPS://OPS.atlassian.net/browse/ops-77?focused=1")],
        [Kind.RECREATED],
    ),
    "only the id tells, the address is no browse address": (
        [want()],
        [link(url="https://go.example/OLD-1", title="OLD-1")],
        [Kind.RECREATED],
    ),
    "the same numeric id on a site that the plan does not know is another issue": (
        [want()],
        [link(url="https://partner.atlassian.net/browse/XYZ-5", title="XYZ-5")],
        [Kind.MISSING],
    ),
    "the target was moved and the link carries its new key": (
        [want(keys=("OPS-77", "OPS-77", "NET-5"), issue_id=None)],
        [link(url="https://ops.atlassian.net/browse/NET-5", title="NET-5")],
        [Kind.RECREATED],
    ),
    "the label differs only in case and spaces": (
        [want(label="is  Blocked by")],
        [link(relationship="is blocked by ")],
        [Kind.RECREATED],
    ),
    "no label shows as `links to`": (
        [want(label="links to")],
        [link(relationship=None)],
        [Kind.RECREATED],
    ),
    "one link serves two rows that say the same": (
        [want(row=1), want(row=2)],
        [link()],
        [Kind.RECREATED, Kind.RECREATED],
    ),
    "the label is another": ([want()], [link(relationship="relates to")], [Kind.WRONG_TYPE]),
    "two labels are expected and one link carries one of them": (
        [want(row=1), want(row=2, label="relates to")],
        [link()],
        [Kind.RECREATED, Kind.WRONG_TYPE],
    ),
    "two labels are expected and each has a link": (
        [want(row=1), want(row=2, label="relates to")],
        [link(link_id=1, relationship="relates to"), link(link_id=2, global_id=None)],
        [Kind.RECREATED, Kind.RECREATED],
    ),
    "a user made it before": ([want()], [link(before=True)], [Kind.SATISFIED_OTHERWISE]),
    "a user made a web link": ([want()], [weblink()], [Kind.SATISFIED_OTHERWISE]),
    "the ledger names it although it was there before": (
        [want()],
        [link(before=True, ours=True)],
        [Kind.RECREATED],
    ),
    "the ledger names a web link": ([want()], [weblink(ours=True)], [Kind.RECREATED]),
    "a user's link is there besides": (
        [want()],
        [weblink(link_id=1), link(link_id=2)],
        [Kind.RECREATED, Kind.DUPLICATE],
    ),
    "the job's link is there twice": (
        [want()],
        [link(link_id=1), link(link_id=2)],
        [Kind.RECREATED, Kind.DUPLICATE],
    ),
    "it still points to migratedFrom": (
        [want()],
        [weblink(url="https://jira.contoso.example/jira/browse/OPS-77")],
        [Kind.OLD_URL],
    ),
    "it still points to the override, by http and with the old key": (
        [want(keys=("PLAT-7", "PLT-7"))],
        [weblink(url="http://jira-live.contoso.example/browse/PLT-7")],
        [Kind.OLD_URL],
    ),
    "the old base has another context path": (
        [want()],
        [weblink(url="https://jira.contoso.example/other/browse/OPS-77")],
        [Kind.MISSING],
    ),
    "the right key on another site": (
        [want()],
        [link(url="https://hr.atlassian.net/browse/OPS-77", global_id=f"{APP}99")],
        [Kind.WRONG_TARGET],
    ),
    "another issue's id and address under the right title": (
        [want()],
        [link(**{**OTHER, "title": "OPS-77", "relationship": "clones"})],
        [Kind.WRONG_TARGET],
    ),
    "a left-over link of the same label to another issue there": (
        [want()],
        [link(**OTHER)],
        [Kind.WRONG_TARGET],
    ),
    "a left-over link of another label is no evidence": (
        [want()],
        [link(**{**OTHER, "relationship": "clones"})],
        [Kind.MISSING, Kind.UNEXPECTED],
    ),
    "a user's left-over link is no evidence": (
        [want()],
        [link(**{**OTHER, "before": True})],
        [Kind.MISSING],
    ),
    "a link that another row expects is no evidence": (
        [want(row=1), want(row=2, keys=("OPS-78",), issue_id=10078)],
        [link(**OTHER)],
        [Kind.RECREATED, Kind.MISSING],
    ),
    "the same numeric id on another site is another issue": (
        [want()],
        [link(url="https://hr.atlassian.net/browse/HR-1", title="HR-1")],
        [Kind.MISSING, Kind.UNEXPECTED],
    ),
    "nothing is there": ([want()], [], [Kind.MISSING]),
    "the target does not exist": ([want(absent=True, issue_id=None)], [], [Kind.TARGET_ABSENT]),
    "the target was deleted after the link was made": (
        [want(absent=True, issue_id=None)],
        [link()],
        [Kind.RECREATED],
    ),
    "the target's key was not resolved": (
        [want(resolved=False, issue_id=None)],
        [],
        [Kind.NOT_LOOKED_AT],
    ),
    "a link that nothing expects": ([], [link()], [Kind.UNEXPECTED]),
    "a link to a site that no job links to": (
        [],
        [link(url="https://eng.atlassian.net/browse/ENG-1")],
        [],
    ),
    "links of other kinds are nobody's business": (
        [],
        [
            weblink(url="https://wiki.example/pages/1"),
            weblink(url="not a url at all"),
            weblink(url="http://[broken/browse/OPS-1"),
        ],
        [],
    ),
}


@pytest.mark.parametrize(("wanted", "found", "kinds"), CASES.values(), ids=CASES.keys())
def test_kinds(wanted: list[Wanted], found: list[Found], kinds: list[Kind]) -> None:
    classified = classify(wanted, found, ADDRESSES, JOBS)
    assert sorted(finding.kind for finding in classified) == sorted(kinds)
    assert sorted(v.row for v in classified if v.row is not None) == [w.row for w in wanted]


def test_a_sample_says_nothing_of_links_besides() -> None:
    classified = classify(
        [want()], [link(), link(link_id=2), link(**OTHER)], ADDRESSES, JOBS, besides=False
    )
    assert [finding.kind for finding in classified] == [Kind.RECREATED]


def test_the_order_of_links_does_not_matter() -> None:
    found = [weblink(link_id=1), link(link_id=2), link(link_id=3, relationship="relates to")]
    wanted = [want(row=1), want(row=2, label="relates to")]
    forward = classify(wanted, found, ADDRESSES, JOBS)
    backward = classify(wanted, found[::-1], ADDRESSES, JOBS)
    assert Counter((v.row, v.kind) for v in forward) == Counter((v.row, v.kind) for v in backward)


_KEYS = st.sampled_from(["OPS-1", "OPS-2", "HR-1"])
_WANTED = st.builds(
    want,
    site=st.sampled_from([OPS, HR]),
    keys=st.tuples(_KEYS),
    issue_id=st.sampled_from([None, 1, 2]),
    resolved=st.booleans(),
    absent=st.booleans(),
    label=st.sampled_from(["blocks", "relates to"]),
)
_FOUND = st.builds(
    link,
    global_id=st.sampled_from([None, f"{APP}1", f"{APP}2", "other"]),
    relationship=st.sampled_from([None, "blocks", "relates to"]),
    url=st.sampled_from(
        [
            f"{base}/browse/{key}"
            for base in (
                "https://ops.atlassian.net",
                "https://hr.atlassian.net",
                "https://jira-live.contoso.example",
            )
            for key in ("OPS-1", "OPS-2", "HR-1")
        ]
        + ["https://wiki.example/x"]
    ),
    title=_KEYS,
    application=st.sampled_from([None, "com.atlassian.jira"]),
    before=st.sampled_from([None, True, False]),
    ours=st.booleans(),
)


@given(wanted=st.lists(_WANTED, max_size=5), found=st.lists(_FOUND, max_size=5))
def test_every_expected_link_gets_exactly_one_kind(
    wanted: list[Wanted], found: list[Found]
) -> None:
    wanted = [row._replace(row=number) for number, row in enumerate(wanted)]
    found = [link._replace(link_id=number) for number, link in enumerate(found)]
    classified = classify(wanted, found, ADDRESSES, JOBS)
    assert sorted(v.row for v in classified if v.kind in KINDS) == list(range(len(wanted)))
    besides = [v.link.link_id for v in classified if v.kind in BESIDES]
    assert len(besides) == len(set(besides))
    claimed = {v.link.link_id for v in classified if v.kind in KINDS and v.link is not None}
    assert not claimed & set(besides)
