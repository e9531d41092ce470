"""Points in time as the report prints them: in the plan's own offset, and in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from runbook.clock import moment_or_none
from runbook.text import zone_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamp:
    """A point in time in the plan's own offset; `utc` names that offset and the same moment in UTC.

    `iso` is empty where the words are no time, or where bytes count.
    """

    iso: str = ""
    local: str
    utc: str = ""


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
        return at.astimezone(zone_of(self.minutes))

    def moment(self, at: datetime | str) -> Timestamp:
        """Return a moment for the page; text that is no time is shown as it is."""
        if isinstance(at, str):
            moment = moment_or_none(at)
            if moment is None:
                return Timestamp(local=at[:60])
            at = moment
        local, utc = self.local(at), at.astimezone(UTC)
        day = "" if local.date() == utc.date() else f"{utc:%Y-%m-%d} "
        if self.lean:
            return Timestamp(local=f"{local:%Y-%m-%d %H:%M:%S} ({day}{utc:%H:%M:%S}Z)")
        return Timestamp(
            iso=f"{utc:%Y-%m-%dT%H:%M:%SZ}",
            local=f"{local:%Y-%m-%d %H:%M:%S}",
            utc=f"{self.offset} · {day}{utc:%H:%M:%S} UTC",
        )

    def said(self, at: datetime) -> str:
        """Return a moment for a sentence, in the plan's offset: `2026-11-22 20:00:07 +01:00`."""
        return f"{self.local(at):%Y-%m-%d %H:%M:%S} {self.offset}"

    def short(self, at: datetime) -> str:
        """Return a moment to the minute, in the plan's offset, for drawings and sentences."""
        return f"{self.local(at):%Y-%m-%d %H:%M}"


def day_moment(day: date) -> Timestamp:
    """Return a date without a time of day."""
    return Timestamp(iso=day.isoformat(), local=day.isoformat())
