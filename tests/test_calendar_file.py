"""The calendar file holds every deadline of the plan, in the form that calendars read."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.calendar_file import calendar_of, events_of
from runbook.plan.model import Instance, Plan, Site, Wave

icalendar = pytest.importorskip("icalendar", reason="the development dependency is not installed")

A, B = "https://a.atlassian.net", "https://b.atlassian.net"
NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


def plan(*, name: str = "split", customer: str | None = None, waves: tuple[Wave, ...] = (), **more):
    sites = (
        Site(
            url=A,
            waves=waves or (Wave(name="w1", started=NOON, finished=NOON + timedelta(hours=8)),),
        ),
        Site(
            url=B,
            waves=(Wave(name="w1", finished=NOON + timedelta(days=1)),),
            token_expires=date(2027, 3, 1),
        ),
    )
    jobs = (
        Instance(id="a-to-b", product_url=A, destination_url=B, migrated_from="https://dc.example"),
    )
    cutover = more.pop("cutover", NOON + timedelta(days=7))
    return Plan(name=name, customer=customer, sites=sites, instances=jobs, cutover=cutover, **more)


def read(data: bytes) -> list:
    return list(icalendar.Calendar.from_ical(data).walk("VEVENT"))


def test_every_deadline_of_a_plan_is_there():
    found = sorted(
        (str(event["SUMMARY"]).split(":")[0], event.decoded("DTSTART"))
        for event in read(calendar_of(plan()))
        if "token" not in event["SUMMARY"]
    )
    assert found == [
        ("Cutover split", NOON + timedelta(days=7)),
        ("Window closes", NOON + timedelta(days=14, hours=8)),
        ("Window opens", NOON + timedelta(days=1)),
        ("Window safely open until now", NOON + timedelta(days=14)),
        ("split", NOON + timedelta(days=7 + 29)),
    ]
    assert date(2027, 3, 1) in [event.at for event in events_of(plan())]


def test_reminders_come_before_what_they_remind_of():
    cutover = next(e for e in read(calendar_of(plan())) if "Cutover" in e["SUMMARY"])
    before = [alarm.decoded("TRIGGER") for alarm in cutover.walk("VALARM")]
    assert before == [timedelta(days=-7), timedelta(days=-1), timedelta(hours=-1)]


def test_a_planned_wave_is_named_as_planned():
    waves = (Wave(name="late", planned=NOON + timedelta(days=3)),)
    said = [
        event.summary for event in events_of(plan(waves=waves)) if event.key.startswith("opens")
    ]
    assert said == ["Window opens (planned): a.atlassian.net to b.atlassian.net, late with w1"]


def test_a_pair_that_no_moment_serves_is_said_so():
    waves = (Wave(name="old", finished=NOON - timedelta(days=40)),)
    said = [event.summary for event in events_of(plan(waves=waves)) if "wave" not in event.key]
    assert any(text.startswith("No window: a.atlassian.net") for text in said)
    assert not any(text.startswith("Window") for text in said)


def test_the_bytes_are_stable_and_a_moved_date_keeps_its_uid():
    assert calendar_of(plan()) == calendar_of(plan())
    moved = plan(cutover=NOON + timedelta(days=8))
    assert calendar_of(plan()) != calendar_of(moved)
    uids = [{str(event["UID"]) for event in read(calendar_of(one))} for one in (plan(), moved)]
    assert uids[0] == uids[1]
    assert len(uids[0]) == len(events_of(plan()))


def test_waves_of_one_name_have_events_of_their_own():
    waves = tuple(Wave(name="w", finished=NOON + timedelta(days=day)) for day in (0, 1, 2))
    uids = [str(event["UID"]) for event in read(calendar_of(plan(waves=waves)))]
    assert len(set(uids)) == len(uids)


def test_a_plan_without_any_date_gives_an_empty_calendar():
    bare = Plan(name="bare")
    assert read(calendar_of(bare)) == []
    assert calendar_of(bare).startswith(b"BEGIN:VCALENDAR\r\n")


HOSTILE = st.text(max_size=300)


@given(customer=HOSTILE, change=HOSTILE)
def test_hostile_text_adds_no_line_and_breaks_no_fold(customer, change):
    data = calendar_of(plan(customer=customer, change=change))
    assert data.count(b"BEGIN:VEVENT") == len(events_of(plan()))
    lines = data.split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert b"\n" not in data.replace(b"\r\n", b"")
    for line in lines:
        line.decode("utf-8")
    assert len(read(data)) == len(events_of(plan()))


def test_commas_semicolons_and_backslashes_arrive_as_written():
    event = next(
        e for e in read(calendar_of(plan(customer=r"A, B; C\D"))) if "Cutover" in e["SUMMARY"]
    )
    assert r"for A, B; C\D" in str(event["DESCRIPTION"])
