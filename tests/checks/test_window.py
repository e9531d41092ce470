"""RB201 to RB208: each job against its windows at the planned moment."""

from datetime import UTC, datetime, timedelta

import pytest

from runbook.findings import Severity
from tests.checks.judged import AT, DONE, codes, job, judged, site

PAIR = [job("eng>ops"), job("ops>eng")]
# From 13 Nov 18:00 to 14 Nov 02:00: safe until 27 Nov 18:00, closed at 28 Nov 02:00.
SAFE_END = datetime(2026, 11, 27, 18, tzinfo=UTC)
LAST_END = datetime(2026, 11, 28, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def at(moment: datetime, *waves: str, **facts: object) -> list[str]:
    """Return the codes of a pair of sites whose second one has these waves."""
    return codes(judged([site("eng"), site("ops", *waves)], PAIR, at=moment, **facts))


MOMENTS = {
    "before it opens": (datetime(2026, 11, 14, 1, 59, 59, tzinfo=UTC), ["RB203"] * 2),
    "the moment it opens": (datetime(2026, 11, 14, 2, tzinfo=UTC), []),
    "72 hours and a second before the safe end": (SAFE_END - timedelta(hours=72) - SECOND, []),
    "72 hours before the safe end": (SAFE_END - timedelta(hours=72), ["RB204"] * 2),
    "a second before the safe end": (SAFE_END - SECOND, ["RB204"] * 2),
    "the safe end": (SAFE_END, ["RB207"] * 2),
    "a second before the last end": (LAST_END - SECOND, ["RB207"] * 2),
    "the last end": (LAST_END, ["RB202"] * 2),
}


@pytest.mark.parametrize(("moment", "expected"), MOMENTS.values(), ids=MOMENTS.keys())
def test_ends_are_exclusive_and_each_moment_has_its_code(moment, expected):
    link = "appLink: {authorized: true, by: me, at: 2026-11-01T00:00:00Z}"
    jobs = [job("eng>ops", link=link), job("ops>eng", link=link)]
    assert codes(judged([site("eng"), site("ops")], jobs, at=moment)) == expected


WAVES = {
    "no date at all": (["{name: x}"], ["RB201"] * 2),
    "only a start": (["{started: 2026-11-14T02:00:00Z}"], ["RB203"] * 2 + ["RB208"]),
    "planned before the moment": (["{planned: 2026-11-16T02:00:00Z}"], ["RB208"]),
    "planned after the moment": (["{planned: 2026-11-22T02:00:00Z}"], ["RB203"] * 2 + ["RB208"]),
    "finished, and planned long before": (
        ["{planned: 2026-11-01T02:00:00Z, finished: 2026-11-15T02:00:00Z}"],
        [],
    ),
    "two weeks apart to the second": (["{finished: 2026-11-28T02:00:00Z}"], ["RB205"] * 2),
    "a second less than two weeks apart": (["{finished: 2026-11-28T01:59:59Z}"], ["RB203"] * 2),
    "one wave done, one to come": ([DONE, "{finished: 2026-11-22T02:00:00Z}"], ["RB206"] * 2),
    "one wave done, one too late": ([DONE, "{finished: 2026-12-22T02:00:00Z}"], ["RB206"] * 2),
    "one wave done, one planned to come": (
        [DONE, "{planned: 2026-11-22T02:00:00Z}"],
        ["RB206"] * 2 + ["RB208"],
    ),
    "one wave closed, one to come": (
        ["{finished: 2026-11-02T02:00:00Z}", "{finished: 2026-11-22T02:00:00Z}"],
        ["RB202"] * 2,
    ),
    "one wave never, one to come": (
        ["{finished: 2026-12-22T02:00:00Z}", "{finished: 2026-11-22T02:00:00Z}"],
        ["RB203"] * 2,
    ),
}


@pytest.mark.parametrize(("waves", "expected"), WAVES.values(), ids=WAVES.keys())
def test_waves_against_the_planned_moment(waves, expected):
    assert at(AT, *waves) == expected


RUNNING = {
    "planned": (["{planned: 2026-11-16T02:00:00Z}"], ["RB203"] * 2 + ["RB208"]),
    "one done, one planned": ([DONE, "{planned: 2026-11-16T02:00:00Z}"], ["RB208"]),
    "done": ([DONE], []),
}


@pytest.mark.parametrize(("waves", "expected"), RUNNING.values(), ids=RUNNING.keys())
def test_a_run_counts_only_what_is_finished(waves, expected):
    found = judged([site("eng"), site("ops", *waves)], PAIR, running=True)
    assert codes(found) == expected
    assert all(finding.severity is Severity.WARNING for finding in found if finding.code == "RB208")


def test_a_planned_wave_is_a_note_before_the_run_and_stands_at_its_date():
    (finding,) = judged([site("eng"), site("ops", "{planned: 2026-11-16T02:00:00Z}")], PAIR)
    assert (finding.severity, finding.path, finding.instance) == (
        Severity.NOTE,
        "sites[1].migrations[0].planned",
        None,
    )


def test_unserved_pairs_are_named_with_the_moment_that_serves_them():
    waves = [DONE, "{name: late, finished: 2026-11-22T02:00:00Z}"]
    found = judged([site("eng"), site("ops", *waves)], PAIR)
    assert "`wave-1` -> `late` from 2026-11-22 02:00 +00:00 to 2026-11-27 18:00 +00:00" in (
        found[0].message
    )


def test_jobs_that_recreate_nothing_have_no_window():
    local = [
        job("eng>ops", "recreateAsRemote: false", link=""),
        job("ops>eng", "recreateAsRemote: false, product: confluence", link=""),
    ]
    waves = ["{finished: 2026-12-22T02:00:00Z}"]
    assert codes(judged([site("eng"), site("ops", *waves)], local)) == ["RB502"]


def test_a_site_without_dates_is_one_finding_per_job_at_its_url():
    found = [
        finding
        for finding in judged([site("eng"), site("ops", "{name: x}")], PAIR)
        if finding.code == "RB201"
    ]
    assert [(finding.instance, finding.path) for finding in found] == [
        ("eng-to-ops", "instances[0].destinationURL"),
        ("ops-to-eng", "instances[1].productURL"),
    ]
