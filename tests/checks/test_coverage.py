"""RB501 to RB505: what the plan as a whole leaves out or holds twice."""

import pytest

from tests.checks.judged import codes, job, judged, site

LOCAL = "recreateAsRemote: false"
A, B, C = (site(name) for name in "abc")
MESH = [job(f"{x}>{y}") for x in "abc" for y in "abc" if x != y]
DATED = "started: 2026-11-13T18:00:00Z, finished: 2026-11-14T02:00:00Z"
LATER = "started: 2026-11-14T18:00:00Z, finished: 2026-11-15T02:00:00Z"

PLANS = {
    "a full mesh": ([A, B, C], MESH, []),
    "one direction missing": ([A, B, C], MESH[:-1], ["RB501"]),
    "one pair missing": ([A, B, C], MESH[:3] + MESH[4:5], ["RB502"]),
    "a direction that only updates": ([A, B], [job("a>b"), job("b>a", LOCAL, link="")], ["RB501"]),
    "a pair that only Confluence links": (
        [A, B],
        [job("a>b", f"{LOCAL}, product: confluence", link="")],
        ["RB502"],
    ),
    "one site with a local job": ([A], [job("a>a", LOCAL, link="")], []),
    "two Data Centers": (
        [A, B, C],
        [*MESH[:5], job("c>b", origin="https://other.contoso.example")],
        ["RB503"],
    ),
    "a staging clone that names production": (
        [A, B],
        [
            job(
                "a>b",
                "migratedFromOverride: https://jira.contoso.example",
                origin="https://jira-staging.contoso.example",
            ),
            job("b>a"),
        ],
        [],
    ),
    "a local job from elsewhere": (
        [A, B],
        [
            job("a>b"),
            job("b>a"),
            job("a>a", LOCAL, origin="https://other.contoso.example", link=""),
        ],
        [],
    ),
    "a project on two sites": (
        [site("a", extra=", projects: [ENG]"), site("b", extra=", projects: [OPS, ENG]")],
        [job("a>b"), job("b>a")],
        ["RB504"],
    ),
    "two projects that share a key today": (
        [
            site("a", extra=", projects: [ENG]"),
            site("b", extra=", projects: [{key: ENG, was: OLD}]"),
        ],
        [job("a>b"), job("b>a")],
        [],
    ),
    "a renamed project on two sites": (
        [
            site("a", extra=", projects: [ENG]"),
            site("b", extra=", projects: [{key: NEW, was: ENG}]"),
        ],
        [job("a>b"), job("b>a")],
        ["RB504"],
    ),
    "a project in two waves": (
        [site("a", f"{{projects: [ENG], {DATED}}}", f"{{projects: [ENG], {LATER}}}"), B],
        [job("a>b"), job("b>a")],
        ["RB505"],
    ),
    "a wave of all projects after another": (
        [
            site(
                "a", f"{{projects: [ENG], {DATED}}}", f"{{{LATER}}}", extra=", projects: [ENG, X]"
            ),
            B,
        ],
        [job("a>b"), job("b>a")],
        ["RB505"],
    ),
    "waves of different projects": (
        [site("a", f"{{projects: [ENG], {DATED}}}", f"{{projects: [OPS], {LATER}}}"), B],
        [job("a>b"), job("b>a")],
        [],
    ),
    "waves without any project known": (
        [site("a", f"{{{DATED}}}", f"{{{LATER}}}"), B],
        [job("a>b"), job("b>a")],
        [],
    ),
}


@pytest.mark.parametrize(("sites", "jobs", "expected"), PLANS.values(), ids=PLANS.keys())
def test_coverage_is_judged(sites, jobs, expected):
    assert codes(judged(sites, jobs)) == expected


def test_the_later_wave_is_named_whatever_the_order_of_the_plan():
    waves = [
        f"{{name: second, projects: [ENG], {LATER}}}",
        f"{{name: first, projects: [ENG], {DATED}}}",
    ]
    (finding,) = judged([site("a", *waves), B], [job("a>b"), job("b>a")])
    assert finding.path == "sites[0].migrations[0].projects"


def test_the_odd_one_is_named_among_many():
    odd = job("b>a", origin="https://other.contoso.example")
    jobs = [odd if entry == MESH[2] else entry for entry in MESH]
    (finding,) = judged([A, B, C], jobs)
    assert (finding.code, finding.instance) == ("RB503", "b-to-a")


def test_very_many_unlinked_pairs_are_listed_per_site():
    sites = [site(f"s{i}") for i in range(40)]
    found = [
        finding
        for finding in judged(sites, [job("s0>s1"), job("s1>s0")])
        if finding.code == "RB502"
    ]
    assert len(found) == 40
    assert (
        "`https://s0.atlassian.net` is not linked with 38 of the 39 other sites" in found[0].message
    )


def test_a_waived_pair_is_listed_even_then():
    sites = [site(f"s{i}") for i in range(40)]
    waive = [
        "{code: RB502, sites: [https://s3.atlassian.net, https://s7.atlassian.net], reason: x}"
    ]
    found = judged(sites, [job("s0>s1"), job("s1>s0")], waive)
    assert len([finding for finding in found if finding.waived]) == 1
    assert "RB506" not in codes(found)
