"""The verdict in one sentence, the numbers behind it that add up, and what settles what is left."""

from collections import Counter
from dataclasses import dataclass

from runbook.ledger.events import Json
from runbook.report.exchanges import as_text
from runbook.report.facts import ReportFacts
from runbook.report.states import Chip, Sum, sum_of
from runbook.report.text import clip, thousands
from runbook.report.translations import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunState, next_for
from runbook.windows import WindowState

# In the order in which they are named; with the jobs that are done they add up to all jobs.
STANDINGS = (
    "moving",
    "submitting",
    "unknown",
    "spoken",
    "not_arrived",
    "unprobed",
    "error",
    "refused",
    "not_attempted",
    "planned",
)
SEVERITIES = ("error", "warning", "note", "waived")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerdict:
    """The one sentence, with what qualifies it."""

    chip: Chip
    sentence: str
    notes: tuple[str, ...] = ()


def verdict(facts: ReportFacts) -> RunVerdict:
    """Return the verdict on a run, or on a plan that was not run."""
    if facts.preview:
        return RunVerdict(chip=facts.chips.run("preview"), sentence=_preview_sentence(facts))
    view, chips, due = facts.view, facts.chips, facts.due
    chip = chips.run(view.state.value)
    if view.state is RunState.COMPLETE:
        said = chips.verification(view.verification)
        known = chip if view.verification == "none" else said
        words = [chip.word, said.word, *([facts.w("round_due")] if due else [])]
        tone, symbol = known.tone, known.symbol
        if due and tone != "bad":
            tone, symbol = "warn", "◷"
        chip = Chip(tone=tone, symbol=symbol, word=", ".join(words))
    return RunVerdict(chip=chip, sentence=_sentence(facts), notes=_notes(facts))


def _preview_sentence(facts: ReportFacts) -> str:
    w, findings = facts.w, facts.view.findings
    planned = w.plural("planned_jobs", len(facts.view.jobs))
    errors = sum(f.get("severity") == "error" and not f.get("waived") for f in findings)
    if errors:
        return w("verdict_preview_blocked", planned=planned, errors=w.count("error", errors))
    return w("verdict_preview", planned=planned)


def _sentence(facts: ReportFacts) -> str:
    view, w = facts.view, facts.w
    match view.state:
        case RunState.COMPLETE:
            return _complete_sentence(facts)
        case RunState.NEEDS_PERSON:
            waiting = [job for job in view.jobs if job.needs_person()]
            unknown = [job for job in waiting if job.state is JobState.UNKNOWN]
            key = "verdict_unknown" if unknown else "verdict_probe"
            return w.plural(key, len(unknown or waiting), standing=standing(facts))
        case RunState.STOPPED if view.stop is None:
            return w("verdict_selected", standing=standing(facts))
        case _:
            return w(f"verdict_{view.state.value}", standing=standing(facts))


def _complete_sentence(facts: ReportFacts) -> str:
    view, w, due = facts.view, facts.w, facts.due
    known = "none" if facts.verification is None else view.verification
    total = len(view.jobs)
    spoken = sum(job.state is not JobState.COMPLETE for job in view.jobs)
    reported = (
        w("reported_some", done=thousands(total - spoken), jobs=w.count("job", total))
        if spoken
        else w.plural("reported_all", total)
    )
    values = {
        "reported": reported,
        "spoken": w.plural("reported_spoken", spoken) if spoken else "",
        "due": w.plural(f"due_{'but' if known == 'clean' else 'and'}", len(due)) if due else "",
    }
    if known != "none":
        values["links"] = w.count("link", facts.expected_links)
    if known == "differences":
        values["different"] = w.count("link", facts.differing_links)
    return w(f"verdict_complete_{known}", **values)


def _notes(facts: ReportFacts) -> tuple[str, ...]:
    view, w = facts.view, facts.w
    notes = []
    if facts.due:
        ready = any(pair.state is not WindowState.NOT_YET for pair in facts.due)
        notes.append(w.plural("note_due_ready" if ready else "note_due", len(facts.due)))
    if view.stop is not None and view.state is not RunState.STOPPED:
        notes.append(w("note_stopped"))
    moving = [job for job in view.jobs if job.state in AT_ATLASSIAN]
    if moving and view.state is not RunState.RUNNING:
        notes.append(w.plural("note_moving", len(moving)))
    if view.state is not RunState.COMPLETE:
        verified = view.verification != "none"
        notes.append(w(f"note_verified_{view.verification}" if verified else "note_not_verified"))
    if any(write.ended is None for write in view.writes):
        notes.append(w("note_write_unknown"))
    stalled = [job for job in moving if job.stalled_since]
    if stalled:
        notes.append(w.plural("note_stalled", len(stalled)))
    if facts.missed:
        notes.append(w.plural("note_missed", len(facts.missed)))
    return tuple(notes)


def job_sum(facts: ReportFacts) -> Sum:
    """Return the states of all jobs, which add up to the jobs of the plan."""
    chips, w = facts.chips, facts.w
    parts: list[tuple[Chip, int]] = []
    for state in JobState:
        plain = chips.job_state(state.value)
        counts = Counter(chips.job(job) for job in facts.view.jobs if job.state is state)
        parts.append((plain, counts.pop(plain, 0)))
        parts += counts.items()
    return sum_of(w("sum_jobs"), parts, noun="job", of=w("of_the_plan"), w=w)


def weight_of(finding: Json) -> str:
    """Return how much a finding weighs: its severity, or that it is waived."""
    return "waived" if finding.get("waived") else as_text(finding.get("severity"))


def finding_sum(facts: ReportFacts) -> Sum:
    """Return the findings of the last check by weight, waived ones included."""
    counts = Counter(dict.fromkeys(SEVERITIES, 0))
    counts.update(map(weight_of, facts.view.findings))
    parts = [(facts.chips.finding(weight), count) for weight, count in counts.items()]
    return sum_of(facts.w("sum_findings"), parts, noun="finding", of="", w=facts.w)


def standing_of(job: JobView) -> str:
    """Return where a job that is not done stands, as one of `STANDINGS`."""
    match job.state:
        case JobState.UNKNOWN if job.settled_by_person:
            return "spoken"
        case JobState.COMPLETE:
            return "not_arrived" if job.needs_person() else "unprobed"
        case state if state in AT_ATLASSIAN:
            return "moving"
        case _:
            return job.state.value


def standing(facts: ReportFacts) -> str:
    """Return how many jobs are done and where each other one stands: `2 of 6 jobs complete; 1 …`."""
    w = facts.w
    counts = Counter(map(standing_of, facts.undone))
    rest = ", ".join(w.plural(f"tally_{name}", counts[name]) for name in STANDINGS if counts[name])
    jobs = w.count("job", len(facts.view.jobs))
    said = w("standing", done=thousands(len(facts.done)), jobs=jobs)
    return f"{said}; {rest}" if rest else said


def why_not(job: JobView, w: Words) -> str:
    """Return in fixed words why a job is not done."""
    if job.state is JobState.COMPLETE:
        return w("why_probe_not_arrived" if job.needs_person() else "why_unprobed")
    if job.state is JobState.UNKNOWN and job.settled_by_person:
        return w("why_unknown_spoken")
    if job.why is not None and w.has(f"why_{job.why}"):
        return w(f"why_{job.why}")
    return w(f"why_state_{job.state.value}")


def what_next(job: JobView, facts: ReportFacts) -> str:
    """Return in fixed words what settles a job that is not done."""
    values = {"run": clip(facts.view.id, 60), "job": clip(job.id, 60)}
    return facts.w(f"next_{next_for(job, facts.view).key}", **values)
