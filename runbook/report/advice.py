"""What stands between a job and its end, in fixed words: why, what settles it, how many stand where."""

from collections import Counter

from runbook.report.facts import ReportFacts
from runbook.report.text import clip, thousands
from runbook.report.translations import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, next_for

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
