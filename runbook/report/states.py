"""How a state looks: one tone, one symbol, one word. Nothing is green before it was verified clean."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from runbook.remotelinks import compare
from runbook.report.text import DASH, thousands
from runbook.report.translations import Words
from runbook.view import JobState, JobView

Tone = Literal["neutral", "idle", "busy", "info", "good", "warn", "bad", "unknown"]

_JOB: dict[str, tuple[Tone, str]] = {
    "planned": ("neutral", "○"),
    "submitting": ("busy", "➤"),
    "unknown": ("unknown", "?"),
    "pending": ("busy", "◔"),
    "backup": ("busy", "◑"),
    "in_progress": ("busy", "◕"),
    "retry": ("warn", "↻"),
    "complete": ("info", "●"),
    "error": ("bad", "✕"),
    "refused": ("bad", "⊘"),
    "not_attempted": ("idle", "\u2013"),
}

_RUN: dict[str, tuple[Tone, str]] = {
    "preview": ("neutral", "○"),
    "running": ("busy", "◔"),
    "complete": ("info", "●"),
    "failed": ("bad", "✕"),
    "needs_person": ("unknown", "?"),
    "interrupted": ("warn", "‖"),
    "stopped": ("idle", "■"),
}

_VERIFICATION: dict[str, tuple[Tone, str]] = {
    "none": ("neutral", "○"),
    "partial": ("warn", "◐"),
    "clean": ("good", "✓"),
    "differences": ("bad", "≠"),
}

_KIND: dict[str, tuple[Tone, str]] = {
    "recreated": ("good", "✓"),
    "satisfied_otherwise": ("info", "●"),
    "wrong_type": ("info", "i"),
    "missing": ("bad", "✕"),
    "wrong_target": ("bad", "≠"),
    "old_url": ("bad", "↩"),
    "source_absent": ("warn", "∅"),
    "target_absent": ("warn", "∅"),
    "removed_since": ("warn", "\u2212"),
    "no_job": ("idle", "\u2013"),
    "not_looked_at": ("unknown", "?"),
    "duplicate": ("warn", "2"),
    "unexpected": ("warn", "+"),
}

# The kinds that add up to what is expected, and those beside them.
KINDS = tuple(kind.value for kind in compare.KINDS)
KINDS_BESIDE = tuple(kind.value for kind in compare.BESIDES)

_FINDING: dict[str, tuple[Tone, str]] = {
    "error": ("bad", "✕"),
    "warning": ("warn", "!"),
    "note": ("neutral", "i"),
    "waived": ("idle", "~"),
}

_WINDOW: dict[str, tuple[Tone, str]] = {
    "not_yet": ("neutral", "○"),
    "open": ("info", "●"),
    "late": ("warn", "!"),
    "closed": ("bad", "✕"),
    "never": ("bad", "⊘"),
}

_OUTCOME: dict[str, tuple[Tone, str]] = {
    "accepted": ("info", "●"),
    "refused": ("bad", "⊘"),
    "rate_limited": ("warn", "↻"),
    "not_sent": ("idle", "\u2013"),
    "unknown": ("unknown", "?"),
    "open": ("busy", "➤"),
    "done": ("info", "●"),
    "skipped": ("idle", "\u2013"),
    "absent": ("neutral", "○"),
    "present": ("info", "●"),
    "arrived": ("info", "●"),
    "not_arrived": ("bad", "✕"),
    "already_there": ("info", "●"),
    "not_asked": ("unknown", "?"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A state as symbol and word; `tone` colours it and never says more than the word."""

    tone: Tone
    symbol: str
    word: str


@dataclass(frozen=True, slots=True)
class Chips:
    """The looks of all states in one language; `clean` says whether anything may be green."""

    w: Words
    clean: bool = field(kw_only=True)

    def job(self, job: JobView) -> Chip:
        """Return a job's state, with what one word of state does not tell apart."""
        chip = self.job_state(job.state.value)
        if job.state is JobState.UNKNOWN and job.settled_by_person:
            return Chip(tone=chip.tone, symbol="~", word=self.w("state_unknown_spoken"))
        if job.state is JobState.COMPLETE and job.needs_person():
            return Chip(tone="unknown", symbol="?", word=self.w("state_complete_not_arrived"))
        if job.unprobed():
            return Chip(tone="warn", symbol="◐", word=self.w("state_complete_unprobed"))
        return chip

    def job_state(self, state: str) -> Chip:
        """Return a state of jobs; complete is green only where the run was verified clean."""
        chip = self._of(_JOB, "state", state)
        return self._verified(chip) if state == JobState.COMPLETE else chip

    def run(self, state: str) -> Chip:
        """Return a run's state; complete is green only where it was verified clean."""
        chip = self._of(_RUN, "run", state)
        return self._verified(chip) if state == "complete" else chip

    def verification(self, result: str) -> Chip:
        """Return what a verification said; an earlier one is not green where the run is not clean."""
        return self._unless_green(self._of(_VERIFICATION, "verification", result), "neutral")

    def kind(self, kind: str) -> Chip:
        """Return what became of expected links; green only where the verification was clean."""
        return self._unless_green(self._of(_KIND, "kind", kind), "info")

    def finding(self, weight: str) -> Chip:
        """Return the weight of a finding."""
        return self._of(_FINDING, "finding", weight)

    def window(self, state: str) -> Chip:
        """Return where a moment stands towards a window."""
        return self._of(_WINDOW, "window", state)

    def outcome(self, outcome: str) -> Chip:
        """Return what became of a submission, a write or a probe."""
        if outcome == "not_begun":
            return Chip(tone="idle", symbol=DASH, word=self.w("write_not_begun"))
        return self._of(_OUTCOME, "outcome", outcome)

    def _of(self, table: dict[str, tuple[Tone, str]], prefix: str, name: str) -> Chip:
        tone, symbol = table.get(name, ("unknown", "?"))
        return Chip(tone=tone, symbol=symbol, word=self.w.known(prefix, name))

    def _verified(self, chip: Chip) -> Chip:
        return replace(chip, tone="good", symbol="✓") if self.clean else chip

    def _unless_green(self, chip: Chip, tone: Tone) -> Chip:
        return replace(chip, tone=tone) if chip.tone == "good" and not self.clean else chip


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a stacked bar, from `x` over `width` in thousandths of the bar."""

    tone: Tone
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """States that add up: a bar, the parts that are there, and the sum written out."""

    label: str
    segments: tuple[Segment, ...]
    parts: tuple[tuple[Chip, int], ...]
    equation: str
    absent: str


def sum_of(label: str, parts: Iterable[tuple[Chip, int]], *, noun: str, of: str, w: Words) -> Sum:
    """Return states that add up; the whole is computed from the parts, never taken from elsewhere."""
    listed = list(parts)
    total = sum(count for _, count in listed)
    present = [(chip, count) for chip, count in listed if count]
    segments, before = [], 0
    for chip, count in present:
        x = 1000 * before // max(total, 1)
        before += count
        width = 1000 * before // max(total, 1) - x
        segments.append(Segment(tone=chip.tone, x=x, width=max(width - 2, 1)))
    left = " + ".join(f"{thousands(count)} {chip.word}" for chip, count in present) or "0"
    absent = ", ".join(chip.word for chip, count in listed if not count)
    return Sum(
        label=label,
        segments=tuple(segments),
        parts=tuple(present),
        equation=f"{left} = {w.count(noun, total)}{of}",
        absent=w("sum_absent", states=absent) if absent else "",
    )
