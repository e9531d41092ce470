"""RB301 to RB305: a person's word for each direction."""

import pytest

from tests.checks.judged import codes, job, judged, site

SITES = [site("eng"), site("ops", extra=", account: other")]
BACK = job("ops>eng")

LINKS = {
    "nothing said": ("", ["RB301"], "instances[0]"),
    "an empty word": ("appLink: {}", ["RB301"], "instances[0].appLink.authorized"),
    "not authorized": (
        "appLink: {authorized: false, by: me}",
        ["RB301"],
        "instances[0].appLink.authorized",
    ),
    "without who": (
        "appLink: {authorized: true, at: 2026-11-19T09:00:00Z}",
        ["RB302"],
        "instances[0].appLink",
    ),
    "without when": ("appLink: {authorized: true, by: me}", ["RB302"], "instances[0].appLink"),
    "without both": ("appLink: {authorized: true}", ["RB302"], "instances[0].appLink"),
    "at the planned moment": (
        "appLink: {authorized: true, by: me, at: 2026-11-20T20:00:00Z}",
        [],
        "",
    ),
    "after the planned moment": (
        "appLink: {authorized: true, by: me, at: 2026-11-20T20:00:01Z}",
        ["RB303"],
        "instances[0].appLink.at",
    ),
    "with evidence that is not there": (
        "appLink: {authorized: true, by: me, at: 2026-11-19T09:00:00Z, evidence: no.png}",
        ["RB304"],
        "instances[0].appLink.evidence",
    ),
    "with evidence that is there": (
        "appLink: {authorized: true, by: me, at: 2026-11-19T09:00:00Z, evidence: yes.png}",
        [],
        "",
    ),
    "as the one that submits, in other letters": (
        "appLink: {authorized: true, by: me, at: 2026-11-19T09:00:00Z, as: ADMIN@contoso.example}",
        [],
        "",
    ),
    "as another account": (
        "appLink: {authorized: true, by: me, at: 2026-11-19T09:00:00Z, as: x@contoso.example}",
        ["RB305"],
        "instances[0].appLink.as",
    ),
}


@pytest.mark.parametrize(("link", "expected", "path"), LINKS.values(), ids=LINKS.keys())
def test_a_word_is_judged_at_its_place(link, expected, path):
    found = judged(
        SITES,
        [job("eng>ops", link=link), BACK],
        missing_files=frozenset({"no.png"}),
        submitters={"default": "admin@contoso.example"},
    )
    assert codes(found) == expected
    assert [finding.path for finding in found] == [path] * len(expected)


def test_an_unknown_submitter_is_not_compared():
    link = "appLink: {authorized: true, by: me, at: 2026-11-19T09:00:00Z, as: x@contoso.example}"
    assert codes(judged(SITES, [job("eng>ops", link=link), BACK])) == []


def test_jobs_that_recreate_nothing_need_no_app_link():
    local = job("eng>eng", "recreateAsRemote: false", link="")
    assert codes(judged(SITES, [job("eng>ops"), BACK, local])) == []
