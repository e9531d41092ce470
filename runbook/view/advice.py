"""What to do next about a job: the one place that decides it.

In: a job's view and its run's. Out: a key and the commands that settle it. The closing words of `run`, `status` and the
report only put it into words, so that they cannot advise differently. Pure.
"""

from dataclasses import dataclass
from typing import Literal

from runbook.view.model import AT_ATLASSIAN, JobState, JobView, RunState, RunView

AdviceKey = Literal[
    "running",
    "followed",
    "moving",
    "unprobed",
    "unknown",
    "probe",
    "verify",
    "error",
    "refused",
    "stopped",
    "window",
    "held",
    "again",
]

# Why a known link does not arrive although Atlassian reports Complete, the likeliest cause first.
SUSPECTS = (
    "the account that authorized the app link is not the one that submits",
    "`migratedFrom`",
    "the window",
    "the style of booleans",
    "a link that was deleted in the cloud",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to do next about a job; `commands` settle it, the recommended one first."""

    key: AdviceKey
    commands: tuple[str, ...] = ()


def next_for(job: JobView, view: RunView, plan: str = "PLAN") -> Advice:
    """Return what settles a job that is not done; `plan` is how the commands name the plan's file."""
    key = _key_of(job, view)
    run, resolve = f"runbook run {plan}", f"runbook resolve {view.id} {job.id}"
    again = f'{run} --again {job.id} --reason "…"'
    match key:
        case "running" | "followed":
            commands: tuple[str, ...] = ()
        case "unknown":
            commands = tuple(
                f"{resolve} {answer}"
                for answer in ("--send-again", "--accepted UUID", "--accepted-no-id")
            )
        case "probe":
            # A round with a reason, no `resolve --send-again`: what Atlassian did is known here.
            commands = (again, f"{resolve} --accepted-no-id")
        case "verify":
            commands = (f"runbook verify {view.id}",)
        case "error" | "stopped":
            commands = (again,)
        case _:
            commands = (run,)
    return Advice(key=key, commands=commands)


def _key_of(job: JobView, view: RunView) -> AdviceKey:
    running, stopped = view.state is RunState.RUNNING, view.stop is not None
    if job.needs_person():
        return "unknown" if job.state is JobState.UNKNOWN else "probe"
    match job.state:
        case JobState.UNKNOWN:
            return "verify"
        case state if state in AT_ATLASSIAN:
            return "followed" if running else "moving"
        case JobState.SUBMITTING:
            return "running"
        case JobState.COMPLETE:
            return "running" if running else "unprobed"
        case JobState.ERROR:
            return "error"
        case JobState.REFUSED:
            # After a stop the plan alone sends nothing any more.
            return "error" if stopped else "refused"
        case _ if stopped:
            return "stopped"
        case _ if running:
            return "running"
        case JobState.NOT_ATTEMPTED if job.why == "window":
            return "window"
        case JobState.NOT_ATTEMPTED if job.why == "probe":
            return "held"
        case _:
            return "again"
