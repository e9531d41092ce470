"""When a job can still recreate links: one window per pair of waves.

In: a plan. Out: the pairs of each job with the moments that bound them, their state at a moment,
and the fewest moments (rounds) that serve every pair. Pure; `now` is always an argument.

Two weeks after the migration Atlassian deletes the data that identifies the links
(links-api.md 2.2). Which end of the migration starts that clock is not documented, so each pair
carries a safe end, counted from the starts, and a last end, counted from the ends.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from runbook.clock import isoformat_utc, moment_or_none
from runbook.plan.model import Instance, Plan, Wave

WINDOW = timedelta(days=14)
AUDIT_LOG_KEPT = timedelta(days=29)


class WindowState(StrEnum):
    """The state of a pair's window at a moment."""

    NOT_YET = "not_yet"
    OPEN = "open"
    LATE = "late"
    CLOSED = "closed"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One wave of productURL's site with one wave of destinationURL's site.

    Ends are exclusive. `start_assumed` means that a `started` was missing and the end was taken;
    `planned` means that an end is planned, not finished. All moments are None when a wave has no
    date that may be used.
    """

    job: str
    from_wave: Wave
    to_wave: Wave
    opens: datetime | None = None
    safe_closes: datetime | None = None
    closes: datetime | None = None
    start_assumed: bool = False
    planned: bool = False

    def state(self, at: datetime) -> WindowState:
        """Return the state of the window at a moment: not yet open while a wave has no end."""
        if self.opens is None or self.closes is None or self.safe_closes is None:
            return WindowState.NOT_YET
        if self.opens >= self.closes:
            return WindowState.NEVER
        if at < self.opens:
            return WindowState.NOT_YET
        if at < self.safe_closes:
            return WindowState.OPEN
        return WindowState.LATE if at < self.closes else WindowState.CLOSED

    def as_json(self) -> dict[str, Any]:
        """Return the pair as `run.started` keeps it: names of waves, moments in UTC or null."""
        moments = {"opens": self.opens, "safe_closes": self.safe_closes, "closes": self.closes}
        return {
            "from": self.from_wave.name,
            "to": self.to_wave.name,
            **{key: None if at is None else isoformat_utc(at) for key, at in moments.items()},
            "start_assumed": self.start_assumed,
        }

    @classmethod
    def from_json(cls, job: str, value: Mapping[str, Any]) -> "Pair":
        """Return the pair that `as_json` wrote; an unreadable moment becomes None."""
        return cls(
            job=job,
            from_wave=Wave(name=str(value.get("from") or "")),
            to_wave=Wave(name=str(value.get("to") or "")),
            opens=moment_or_none(value.get("opens")),
            safe_closes=moment_or_none(value.get("safe_closes")),
            closes=moment_or_none(value.get("closes")),
            start_assumed=bool(value.get("start_assumed")),
        )

    def servable(self, at: datetime) -> bool:
        """Return whether a job submitted at this moment can serve the pair."""
        return self.state(at) in (WindowState.OPEN, WindowState.LATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A stretch of time in which one submission serves all of `pairs`."""

    begins: datetime
    until: datetime
    pairs: tuple[Pair, ...]


def pair_of(job: str, source: Wave, destination: Wave, *, use_planned: bool) -> Pair:
    """Return the pair of two waves; `use_planned` counts planned ends as well as finished ones."""
    waves = (source, destination)
    ends = [wave.finished or (wave.planned if use_planned else None) for wave in waves]
    known = [end for end in ends if end is not None]
    planned = any(wave.finished is None for wave in waves)
    pair = Pair(job=job, from_wave=source, to_wave=destination, planned=planned)
    if len(known) < 2:
        return pair
    starts = [wave.started or end for wave, end in zip(waves, known, strict=True)]
    return replace(
        pair,
        opens=max(known),
        safe_closes=min(starts) + WINDOW,
        closes=min(known) + WINDOW,
        start_assumed=any(wave.started is None for wave in waves),
    )


def pairs_of(plan: Plan, instance: Instance, *, use_planned: bool) -> tuple[Pair, ...]:
    """Return the pairs of one job in plan order; none without a window or with an unknown site."""
    source, destination = map(plan.site, instance.sites)
    if not instance.recreate_as_remote or source is None or destination is None:
        return ()
    return tuple(
        pair_of(instance.id, source_wave, destination_wave, use_planned=use_planned)
        for source_wave in source.waves
        for destination_wave in destination.waves
    )


def all_pairs(plan: Plan, *, use_planned: bool) -> tuple[Pair, ...]:
    """Return the pairs of every job, in plan order."""
    return tuple(
        pair
        for instance in plan.instances
        for pair in pairs_of(plan, instance, use_planned=use_planned)
    )


def rounds(pairs: Iterable[Pair], at: datetime) -> tuple[Round, ...]:
    """Return the fewest moments, none before `at`, that serve every pair that can still be served.

    A round is the stretch in which its moment may lie. It ends at the safe end where a pair has any
    safe time left, so that no round relies on the undocumented part of a window.
    """
    spans: list[tuple[datetime, datetime, Pair]] = []
    for pair in pairs:
        if pair.opens is None or pair.safe_closes is None or pair.closes is None:
            continue
        begins = max(pair.opens, at)
        until = pair.safe_closes if begins < pair.safe_closes else pair.closes
        if begins < until:
            spans.append((begins, until, pair))
    # Picking points greedily by the ends of the intervals needs the fewest points.
    spans.sort(key=lambda span: (span[1], span[0]))
    result: list[Round] = []
    for begins, until, pair in spans:
        if result and begins < result[-1].until:
            last = result[-1]
            result[-1] = replace(last, begins=max(last.begins, begins), pairs=(*last.pairs, pair))
        else:
            result.append(Round(begins=begins, until=until, pairs=(pair,)))
    return tuple(result)


def unservable(pairs: Iterable[Pair], at: datetime) -> tuple[Pair, ...]:
    """Return the pairs that no moment from `at` on serves: only repair helps them."""
    gone = (WindowState.CLOSED, WindowState.NEVER)
    return tuple(pair for pair in pairs if pair.state(at) in gone)
