"""What stands between a job and its end, in fixed words: why, what settles it, how many stand where."""

from collections import Counter

from runbook.report.states import done_jobs
from runbook.report.text import clip, thousands
from runbook.report.translations import Words
from runbook.view import AT_ATLASSIAN, JobState, JobView, RunView, next_for

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


def standing(view: RunView, w: Words) -> str:
    """Return how many jobs are done and where each other one stands: `2 of 6 jobs complete; 1 …`."""
    done = {job.id for job in done_jobs(view)}
    counts = Counter(standing_of(job) for job in view.jobs if job.id not in done)
    rest = ", ".join(w.plural(f"tally_{one}", counts[one]) for one in STANDINGS if counts[one])
    said = w("standing", done=thousands(len(done)), jobs=w.count("job", len(view.jobs)))
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


def what_next(job: JobView, view: RunView, w: Words) -> str:
    """Return in fixed words what settles a job that is not done."""
    values = {"run": clip(view.id, 60), "job": clip(job.id, 60)}
    key = f"next_{next_for(job, view).key}"
    return w(key, **{name: text for name, text in values.items() if f"{{{name}}}" in w(key)})
