"""Points in time as the report prints them: in the plan's own offset, and in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from runbook.clock import moment_or_none
from runbook.report.page import Moment


@dataclass(frozen=True, slots=True)
class Zone:
    """The plan's own UTC offset, in minutes.

    `lean` is set where there are so many jobs that every time has to be written shortly, without
    repeating the offset.
    """

    minutes: int
    lean: bool = False

    @property
    def offset(self) -> str:
        """Return the offset as it is written: `+01:00`."""
        sign = "-" if self.minutes < 0 else "+"
        hours, minutes = divmod(abs(self.minutes), 60)
        return f"{sign}{hours:02}:{minutes:02}"

    def local(self, at: datetime) -> datetime:
        """Return the same moment in the plan's offset."""
        return at.astimezone(timezone(timedelta(minutes=self.minutes)))

    def moment(self, at: datetime | str, note: str = "") -> Moment:
        """Return a moment for the page; text that is no time is shown as it is."""
        if isinstance(at, str):
            moment = moment_or_none(at)
            if moment is None:
                return Moment(iso="", local=at[:60], utc="", note=note)
            at = moment
        local, utc = self.local(at), at.astimezone(UTC)
        day = "" if local.date() == utc.date() else f"{utc:%Y-%m-%d} "
        if self.lean:
            text = f"{local:%Y-%m-%d %H:%M:%S} ({day}{utc:%H:%M:%S}Z)"
            return Moment(iso="", local=text, utc="", note=note)
        return Moment(
            iso=f"{utc:%Y-%m-%dT%H:%M:%SZ}",
            local=f"{local:%Y-%m-%d %H:%M:%S}",
            utc=f"{self.offset} · {day}{utc:%H:%M:%S} UTC",
            note=note,
        )

    def said(self, at: datetime | str) -> str:
        """Return a moment for a sentence, in the plan's offset: `2026-11-22 20:00:07 +01:00`."""
        known = moment_or_none(at) if isinstance(at, str) else at
        return at[:60] if known is None and isinstance(at, str) else self._said(known)

    def _said(self, at: datetime | None) -> str:
        return "" if at is None else f"{self.local(at):%Y-%m-%d %H:%M:%S} {self.offset}"

    def short(self, at: datetime) -> str:
        """Return a moment to the minute, in the plan's offset, for drawings and sentences."""
        return f"{self.local(at):%Y-%m-%d %H:%M}"


def day_moment(day: date) -> Moment:
    """Return a date without a time of day."""
    return Moment(iso=day.isoformat(), local=day.isoformat(), utc="")


def span(seconds: float) -> str:
    """Return a duration in the two units that matter most: `3 d 4 h`, `12 min 5 s`."""
    total = int(abs(seconds))
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, secs = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (secs, "s")]
    first = next((index for index, (count, _) in enumerate(units) if count), 3)
    shown = [f"{count} {unit}" for count, unit in units[first : first + 2] if count]
    return " ".join(shown) or "0 s"
