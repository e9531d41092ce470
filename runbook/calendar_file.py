"""A plan's deadlines as a calendar file (RFC 5545).

In: a plan. Out: the events, and the bytes of the file. Pure: no clock is read, the same plan gives
the same bytes, and an event keeps its UID when its date moves, so that importing again updates it.
"""

import hashlib
from collections.abc import Iterator
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

    `key` identifies the event within the plan for as long as its meaning stays the same.
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


# The deadlines

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


def _cutover(plan: Plan) -> Iterator[CalendarEvent]:
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


def _tokens(plan: Plan) -> Iterator[CalendarEvent]:
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


def _window(plan: Plan, pair: Pair) -> Iterator[CalendarEvent]:
    instance = plan.instance(pair.job)
    if instance is None or pair.opens is None or pair.closes is None or pair.safe_closes is None:
        return
    waves = f"{pair.from_wave.name} with {pair.to_wave.name}"
    where = f"{_host(instance.product_url)} to {_host(instance.destination_url)}, {waves}"
    planned = " (planned)" if pair.planned else ""

    def event(kind: str, at: datetime, what: str, why: str, *before: timedelta) -> CalendarEvent:
        return CalendarEvent(
            key=f"{kind}\n{pair.job}\n{pair.from_wave.name}\n{pair.to_wave.name}",
            at=at,
            summary=f"{what}{planned}: {where}",
            description=f"Job `{pair.job}` of {plan.name}, {waves}. {why}",
            reminders=before,
        )

    if pair.state(pair.opens) is WindowState.NEVER:
        yield event("never", pair.closes, "No window", f"{NEVER_OVERLAPS}.")
        return
    why = "Both waves are over; a job submitted from now on serves them."
    yield event("opens", pair.opens, "Window opens", why, _HOUR)
    if pair.safe_closes > pair.opens:
        why = "Two weeks after the earlier start of the two migrations. Atlassian does not say whether the start or the end counts."
        if pair.start_assumed:
            why += " The start of a wave is not in the plan, its end was taken."
        yield event("safe", pair.safe_closes, "Window safely open until now", why, 3 * _DAY, _DAY)
    why = "Two weeks after the earlier end of the two migrations: afterwards Atlassian cannot recreate these links, and only `runbook repair` helps."
    yield event("closes", pair.closes, "Window closes", why, _DAY)


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _moment(at: datetime | date) -> datetime:
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime(at.year, at.month, at.day, tzinfo=UTC)


# The format of RFC 5545


def _event_lines(plan: Plan, event: CalendarEvent, stamp: datetime) -> Iterator[str]:
    uid = hashlib.sha256(f"{plan.name}\n{event.key}".encode()).hexdigest()[:32]
    whole_day = not isinstance(event.at, datetime)
    yield "BEGIN:VEVENT"
    yield f"UID:{uid}@runbook"
    yield f"DTSTAMP:{_utc(stamp)}"
    yield f"DTSTART;VALUE=DATE:{event.at:%Y%m%d}" if whole_day else f"DTSTART:{_utc(event.at)}"
    yield f"SUMMARY:{_text(event.summary)}"
    yield f"DESCRIPTION:{_text(event.description)}"
    yield "TRANSP:TRANSPARENT"
    for before in event.reminders:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{_text(event.summary)}"
        yield f"TRIGGER:-{_duration(before)}"
        yield "END:VALARM"
    yield "END:VEVENT"


def _utc(at: datetime | date) -> str:
    return f"{_moment(at):%Y%m%dT%H%M%SZ}"


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
