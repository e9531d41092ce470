"""A plan's deadlines as a calendar file (RFC 5545).

In: a plan. Out: the events, and the bytes of the file. Pure: no clock is read, the same plan gives
the same bytes, and an event keeps its UID when its date moves, so that importing again updates it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

from runbook.plan.model import Plan
from runbook.text import printable
from runbook.windows import AUDIT_LOG_KEPT, Pair, WindowState, all_pairs

_PRODUCT = "-//runbook//link recreation//EN"
_FOLD_OCTETS = 75
_TEXT_LIMIT = 2000

NEVER_OVERLAPS = "no moment serves this pair of waves; only `runbook repair` helps"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEvent:
    """One deadline. `at` is a moment, or a whole day; `reminders` are times before it.

    `key` names the event within the plan for as long as it means the same.
    """

    key: str
    at: datetime | date
    summary: str
    description: str
    reminders: tuple[timedelta, ...] = ()


def events_of(plan: Plan) -> tuple[CalendarEvent, ...]:
    """Return every deadline of a plan in order of time; planned ends of waves count, and are named."""
    found = [*_cutover(plan), *_tokens(plan)]
    for pair in all_pairs(plan, use_planned=True):
        found += _window(plan, pair)
    # Waves of one site may share a name; their events stay apart.
    times: dict[str, int] = {}
    for position, event in enumerate(found):
        times[event.key] = times.get(event.key, 0) + 1
        if times[event.key] > 1:
            found[position] = replace(event, key=f"{event.key}\n{times[event.key]}")
    return tuple(sorted(found, key=lambda event: (_moment(event.at), event.key)))


def calendar_of(plan: Plan) -> bytes:
    """Return a plan's deadlines as the bytes of an `.ics` file."""
    events = events_of(plan)
    stamp = plan.cutover or max((_moment(event.at) for event in events), default=_EPOCH)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{_PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{_text(f'runbook {plan.name}')}",
    ]
    for event in events:
        lines += _event_lines(plan, event, stamp)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) + b"\r\n" for line in lines)


# What there is to remember

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def _cutover(plan: Plan) -> Iterable[CalendarEvent]:
    if plan.cutover is None:
        return
    for_whom = f" for {plan.customer}" if plan.customer else ""
    change = f", change {plan.change}" if plan.change else ""
    yield CalendarEvent(
        key="cutover",
        at=plan.cutover,
        summary=f"Cutover {plan.name}: recreate the links",
        description=f"{len(plan.instances)} jobs{for_whom}{change}. "
        "Before: `runbook check --online`, app links authorized, approval, rehearsal. "
        "A job that was sent cannot be cancelled or undone.",
        reminders=(7 * _DAY, _DAY, _HOUR),
    )
    yield CalendarEvent(
        key="evidence",
        at=plan.cutover + AUDIT_LOG_KEPT,
        summary=f"{plan.name}: last day of Atlassian's audit logs",
        description="Atlassian keeps the changes of links for 29 days, counted here from the cutover. "
        "Fetch the logs of every site before, import them with `runbook logs import`, and pack the "
        f"bundle. Sites: {', '.join(site.url for site in plan.sites)}",
        reminders=(8 * _DAY, _DAY),
    )


def _tokens(plan: Plan) -> Iterable[CalendarEvent]:
    for site in plan.sites:
        if site.token_expires is not None:
            yield CalendarEvent(
                key=f"token\n{site.url}",
                at=site.token_expires,
                summary=f"{plan.name}: API token for {_host(site.url)} expires",
                description=f"Account `{site.account}` of {site.url}. Jobs cannot be submitted, and "
                "logs not be fetched, without a token.",
                reminders=(7 * _DAY,),
            )


def _window(plan: Plan, pair: Pair) -> Iterable[CalendarEvent]:
    instance = plan.instance(pair.job)
    if instance is None or pair.opens is None or pair.closes is None or pair.safe_closes is None:
        return
    route = f"{_host(instance.product_url)} to {_host(instance.destination_url)}"
    waves = f"{pair.from_wave.name} with {pair.to_wave.name}"
    planned = " (planned)" if pair.planned else ""
    job = f"Job `{pair.job}` of {plan.name}, {waves}."
    key = f"{pair.job}\n{pair.from_wave.name}\n{pair.to_wave.name}"
    if pair.state(pair.opens) is WindowState.NEVER:
        yield CalendarEvent(
            key=f"never\n{key}",
            at=pair.closes,
            summary=f"No window{planned}: {route}, {waves}",
            description=f"{job} {NEVER_OVERLAPS}.",
        )
        return
    yield CalendarEvent(
        key=f"opens\n{key}",
        at=pair.opens,
        summary=f"Window opens{planned}: {route}, {waves}",
        description=f"{job} Both waves are over; a job submitted from now on serves them.",
        reminders=(_HOUR,),
    )
    assumed = " The start of a wave is not in the plan, its end was taken." * pair.start_assumed
    if pair.safe_closes > pair.opens:
        yield CalendarEvent(
            key=f"safe\n{key}",
            at=pair.safe_closes,
            summary=f"Window safely open until now{planned}: {route}, {waves}",
            description=f"{job} Two weeks after the earlier start of the two migrations. Atlassian "
            f"does not say whether the start or the end counts.{assumed}",
            reminders=(3 * _DAY, _DAY),
        )
    yield CalendarEvent(
        key=f"closes\n{key}",
        at=pair.closes,
        summary=f"Window closes{planned}: {route}, {waves}",
        description=f"{job} Two weeks after the earlier end of the two migrations: afterwards "
        "Atlassian cannot recreate these links, and only `runbook repair` helps.",
        reminders=(_DAY,),
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _moment(at: datetime | date) -> datetime:
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


# How RFC 5545 writes it


def _event_lines(plan: Plan, event: CalendarEvent, stamp: datetime) -> list[str]:
    uid = hashlib.sha256(f"{plan.name}\n{event.key}".encode()).hexdigest()[:32]
    lines = ["BEGIN:VEVENT", f"UID:{uid}@runbook", f"DTSTAMP:{_utc(stamp)}"]
    if isinstance(event.at, datetime):
        lines.append(f"DTSTART:{_utc(event.at)}")
    else:
        lines.append(f"DTSTART;VALUE=DATE:{event.at:%Y%m%d}")
    lines += [
        f"SUMMARY:{_text(event.summary)}",
        f"DESCRIPTION:{_text(event.description)}",
        "TRANSP:TRANSPARENT",
    ]
    for before in event.reminders:
        lines += [
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{_text(event.summary)}",
            f"TRIGGER:-{_duration(before)}",
            "END:VALARM",
        ]
    return [*lines, "END:VEVENT"]


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    return f"P{seconds // 86400}D" if seconds % 86400 == 0 else f"PT{seconds // 3600}H"


def _text(text: str) -> str:
    """Return text as a TEXT value (RFC 5545, 3.3.11): one line, without control characters."""
    text = printable(text)[:_TEXT_LIMIT]
    for character in ("\\", ";", ","):
        text = text.replace(character, f"\\{character}")
    return text


def _folded(line: str) -> bytes:
    """Return a content line folded at 75 octets (RFC 5545, 3.1), never inside a character."""
    folded: list[bytes] = []
    current = b""
    for character in line:
        octets = character.encode("utf-8")
        if len(current) + len(octets) > _FOLD_OCTETS:
            folded.append(current)
            current = b" "
        current += octets
    return b"\r\n".join([*folded, current])
