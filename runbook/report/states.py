"""How a state looks: one tone, one symbol, one word. Nothing is green before it was verified clean."""

from collections import Counter
from collections.abc import Iterable

from runbook.remotelinks import compare
from runbook.report.page import Chip, Segment, Sum, Text
from runbook.report.rounds import due_pairs
from runbook.report.text import SHORT, shortened, thousands
from runbook.report.translations import Words
from runbook.view import JobState, JobView, RunView

_JOB: dict[str, tuple[str, str]] = {
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

_RUN: dict[str, tuple[str, str]] = {
    "preview": ("neutral", "○"),
    "running": ("busy", "◔"),
    "complete": ("info", "●"),
    "failed": ("bad", "✕"),
    "needs_person": ("unknown", "?"),
    "interrupted": ("warn", "‖"),
    "stopped": ("idle", "■"),
}

_VERIFICATION: dict[str, tuple[str, str]] = {
    "none": ("neutral", "○"),
    "partial": ("warn", "◐"),
    "clean": ("good", "✓"),
    "differences": ("bad", "≠"),
}

_KIND: dict[str, tuple[str, str]] = {
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

_FINDING: dict[str, tuple[str, str]] = {
    "error": ("bad", "✕"),
    "warning": ("warn", "!"),
    "note": ("neutral", "i"),
    "waived": ("idle", "~"),
}

_WINDOW: dict[str, tuple[str, str]] = {
    "not_yet": ("neutral", "○"),
    "open": ("info", "●"),
    "late": ("warn", "!"),
    "closed": ("bad", "✕"),
    "never": ("bad", "⊘"),
}

_OUTCOME: dict[str, tuple[str, str]] = {
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


def _chip(table: dict[str, tuple[str, str]], prefix: str, name: str, w: Words) -> Chip:
    tone, symbol = table.get(name, ("unknown", "?"))
    return Chip(tone=tone, symbol=symbol, word=w.known(prefix, name))


def job_chip(state: str, w: Words, *, clean: bool = False) -> Chip:
    """Return a job's state; a complete job is green only where the run was verified clean."""
    chip = _chip(_JOB, "state", state, w)
    if clean and state == JobState.COMPLETE:
        return Chip(tone="good", symbol="✓", word=chip.word)
    return chip


def chip_of(job: JobView, w: Words, *, clean: bool = False) -> Chip:
    """Return a job's state, with what one word of state does not tell apart."""
    chip = job_chip(job.state.value, w, clean=clean)
    if job.state is JobState.UNKNOWN and job.settled_by_person:
        return Chip(tone=chip.tone, symbol="~", word=w("state_unknown_spoken"))
    if job.state is JobState.COMPLETE and job.needs_person():
        return Chip(tone="unknown", symbol="?", word=w("state_complete_not_arrived"))
    if job.unprobed():
        return Chip(tone="warn", symbol="◐", word=w("state_complete_unprobed"))
    return chip


def run_chip(name: str, w: Words, *, clean: bool = False) -> Chip:
    """Return a run's state; a complete run is green only where it was verified clean."""
    chip = _chip(_RUN, "run", name, w)
    if clean and name == "complete":
        return Chip(tone="good", symbol="✓", word=chip.word)
    return chip


def verification_chip(name: str, w: Words, *, clean: bool) -> Chip:
    """Return what a verification said; an earlier one is not green where the run is not clean."""
    chip = _chip(_VERIFICATION, "verification", name, w)
    if not clean and chip.tone == "good":
        return Chip(tone="neutral", symbol=chip.symbol, word=chip.word)
    return chip


def kind_chip(name: str, w: Words, *, clean: bool = False) -> Chip:
    """Return what became of expected links; green only where the verification was clean."""
    chip = _chip(_KIND, "kind", name, w)
    if not clean and chip.tone == "good":
        return Chip(tone="info", symbol=chip.symbol, word=chip.word)
    return chip


def finding_chip(name: str, w: Words) -> Chip:
    """Return the weight of a finding."""
    return _chip(_FINDING, "finding", name, w)


def window_chip(name: str, w: Words) -> Chip:
    """Return where a moment stands towards a window."""
    return _chip(_WINDOW, "window", name, w)


def outcome_chip(name: str, w: Words) -> Chip:
    """Return what became of a submission, a write or a probe."""
    return _chip(_OUTCOME, "outcome", name, w)


def noted(chip: Chip, note: str, w: Words, *, limit: int = SHORT) -> Chip:
    """Return a chip with words below it, cut where they are overlong."""
    shown, more = shortened(note, limit)
    return Chip(
        tone=chip.tone,
        symbol=chip.symbol,
        word=chip.word,
        note=shown,
        note_cut=w.plural("cut", more) if more else "",
        foreign=True,
    )


def is_clean(view: RunView) -> bool:
    """Return whether anything of this run may be shown green.

    It may not while a later round is due, or while a known link is still to be looked for.
    """
    return (
        view.verification == "clean"
        and not any(job.unprobed() for job in view.jobs)
        and not due_pairs(view)
    )


def plain(chip: Chip, *, lean: bool) -> Chip | Text:
    """Return a chip, or its symbol and word as text where bytes count."""
    return Text(text=f"{chip.symbol} {chip.word}") if lean else chip


def sum_of(label: str, parts: Iterable[tuple[Chip, int]], *, noun: str, of: str, w: Words) -> Sum:
    """Return states that add up: a bar in thousandths, the parts that are there, and the sum in words.

    Where the parts do not add up to what `parts` say, that is a bug; the sum is computed from them.
    """
    listed = list(parts)
    total = sum(count for _, count in listed)
    present = [(chip, count) for chip, count in listed if count]
    segments, done = [], 0
    for chip, count in present:
        x = 1000 * done // max(total, 1)
        done += count
        width = 1000 * done // max(total, 1) - x
        segments.append(
            Segment(
                tone=chip.tone,
                x=str(x),
                width=str(max(width - 2, 1)),
                title=f"{chip.word}: {thousands(count)}",
            )
        )
    left = " + ".join(f"{thousands(count)} {chip.word}" for chip, count in present) or "0"
    absent = ", ".join(chip.word for chip, count in listed if not count)
    return Sum(
        label=label,
        segments=tuple(segments),
        parts=tuple((chip, thousands(count)) for chip, count in present),
        equation=f"{left} = {w.count(noun, total)}{of}",
        absent=w("sum_absent", states=absent) if absent else "",
    )


def job_sum(view: RunView, w: Words) -> Sum:
    """Return the states of all jobs, which add up to the jobs of the plan."""
    clean = is_clean(view)
    parts: list[tuple[Chip, int]] = []
    for state in JobState:
        plain_chip = job_chip(state.value, w, clean=clean)
        chips = Counter(chip_of(job, w, clean=clean) for job in view.jobs if job.state is state)
        parts.append((plain_chip, chips.pop(plain_chip, 0) if chips else 0))
        parts += chips.items()
    return sum_of(w("sum_jobs"), parts, noun="job", of=w("of_the_plan"), w=w)


def is_preview(view: RunView) -> bool:
    """Return whether this is no run but a plan, with every job planned."""
    return view.started.options.get("preview") is True


def done_jobs(view: RunView) -> tuple[JobView, ...]:
    """Return the jobs that need nothing more from the run itself."""
    return tuple(
        job
        for job in view.jobs
        if job.state is JobState.COMPLETE and not job.needs_person() and not job.unprobed()
    )


def undone_jobs(view: RunView) -> tuple[JobView, ...]:
    """Return every other job, those that need a person first, else in plan order."""
    done = {job.id for job in done_jobs(view)}
    rest = [job for job in view.jobs if job.id not in done]
    return tuple(sorted(rest, key=lambda job: not job.needs_person()))
