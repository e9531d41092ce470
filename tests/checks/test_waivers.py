"""A waived finding stays visible and no longer counts; a waiver that waives nothing is said so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.checks import CODES, Facts, examine
from runbook.findings import Waived, counts, may_run
from runbook.plan import load_plan_bytes
from tests.checks.judged import AT, codes, job, judged, plan_text, site

SITES = [site("eng"), site("ops")]
OPEN = [job("eng>ops", link=""), job("ops>eng", link="")]

WAIVERS = {
    "of the instance": ("{code: RB301, instance: eng-to-ops, reason: r}", ["RB301"]),
    "of the other instance": ("{code: RB301, instance: ops-to-eng, reason: r}", ["RB301"]),
    "of the pair, in either order": (
        "{code: RB301, sites: [https://OPS.atlassian.net/, https://eng.atlassian.net], reason: r}",
        [],
    ),
    "of all of its code": ("{code: RB301, reason: r}", []),
    "of another code": ("{code: RB302, reason: r}", ["RB301", "RB301", "RB506"]),
    "of an unknown code": ("{code: RB999, reason: r}", ["RB301", "RB301", "RB506"]),
    "of an unknown instance": (
        "{code: RB301, instance: nobody, reason: r}",
        ["RB301", "RB301", "RB506"],
    ),
    "of an unknown site": (
        "{code: RB301, sites: [https://x.atlassian.net, https://eng.atlassian.net], reason: r}",
        ["RB301", "RB301", "RB506"],
    ),
    "of an error of the document": ("{code: RB103, reason: r}", ["RB301", "RB301", "RB506"]),
    "of an answer that nobody asked for": ("{code: RB604, reason: r}", ["RB301", "RB301"]),
}


@pytest.mark.parametrize(("waiver", "expected"), WAIVERS.values(), ids=WAIVERS.keys())
def test_a_waiver_covers_what_it_names(waiver, expected):
    found = judged(SITES, OPEN, [waiver])
    assert codes(found) == expected
    assert len([finding for finding in found if finding.code == "RB301"]) == 2


def test_a_waived_error_lets_the_plan_run():
    found = judged(SITES, OPEN, ["{code: RB301, reason: by phone, by: J. Doe}"])
    assert may_run(found)
    assert counts(found) == {"error": 0, "warning": 0, "note": 0, "waived": 2}
    assert {finding.waived for finding in found} == {Waived(by="J. Doe", reason="by phone")}


def test_an_idle_waiver_may_itself_be_waived():
    found = judged(
        SITES,
        [job("eng>ops"), job("ops>eng")],
        ["{code: RB301, reason: r}", "{code: RB506, reason: kept for next time}"],
    )
    assert codes(found) == []
    assert len(found) == 1


def test_an_error_of_the_document_cannot_be_waived():
    text = plan_text(SITES, OPEN, ["{code: RB101, reason: r}"]) + "nonsense: 1\n"
    loaded = load_plan_bytes(text.encode(), "plan.yaml")
    found = examine(loaded.plan, Facts(at=AT), loaded.findings)
    assert [finding.waived for finding in found if finding.code == "RB101"] == [None]
    assert not may_run(found)


def test_what_could_not_be_read_hides_only_what_follows_from_it():
    text = plan_text(
        SITES, [job("eng>ops", "createBackup: maybe", link=""), job("ops>eng", link="")]
    )
    loaded = load_plan_bytes(text.encode(), "plan.yaml")
    found = examine(loaded.plan, Facts(at=AT), loaded.findings)
    assert codes(finding for finding in found if finding.code != "RB690") == ["RB103", "RB301"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["RB301", "RB501", "RB502", "RB204", "RB506", "RB690"]),
            st.sampled_from(["", ", instance: eng-to-ops", ", instance: b"]),
        ),
        max_size=5,
    )
)
def test_waivers_neither_add_nor_remove_what_was_found(given_waivers):
    def without(found):
        return [(finding.code, finding.path) for finding in found if finding.code != "RB506"]

    waive = [f"{{code: {code}{more}, reason: r}}" for code, more in given_waivers]
    assert without(judged(SITES, OPEN[:1], waive)) == without(judged(SITES, OPEN[:1]))


def test_findings_stand_in_file_order_with_severities_of_the_table():
    found = judged(SITES, [job("eng>ops", "createBackup: true", link=""), job("eng>eng")])
    places = [(finding.line, finding.column) for finding in found]
    assert places == sorted(places)
    assert all(finding.severity is CODES[finding.code][0] for finding in found)
