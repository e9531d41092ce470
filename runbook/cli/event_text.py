"""What an event means to the person who watches a run, in one line."""

from datetime import tzinfo

from runbook.clock import parse_utc
from runbook.ledger.codec import Event
from runbook.ledger.events import (
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    PlanAmended,
    ProbeRead,
    RoundOpened,
    RunEnded,
    RunResumed,
    RunStarted,
    StopRequested,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.text import added_up


def clock_time(at: str, zone: tzinfo) -> str:
    """Return the time of day of an event at the plan's own offset."""
    return parse_utc(at).astimezone(zone).strftime("%H:%M:%S")


def sentence_of(event: Event) -> str:
    """Return what an event means to the person who watches, empty where it is no news."""
    match event:
        case RunStarted():
            return f"run begins, {len(event.jobs)} jobs"
        case RunResumed():
            return f"run goes on, led by {event.operator}"
        case PlanAmended():
            return "the plan changed, in nothing that was submitted"
        case RoundOpened():
            return f"next round for {', '.join(event.jobs)}: {event.reason}"
        case SubmitIntended():
            return "submitting"
        case SubmitAnswered(meaning="accepted"):
            return f"accepted as {event.uuid}"
        case SubmitAnswered():
            causes = f"; likely: {event.causes[0]}" if event.causes else ""
            return f"{event.meaning.replace('_', ' ')}: {event.detail}{causes}"
        case SubmitLost():
            return f"unknown: {event.reason}"
        case SubmitNotSent():
            return f"not sent, trying again: {event.reason}"
        case JobPolled():
            return event.warning or event.word or ""
        case JobStalled():
            return f"stalled since {event.since}: {event.advice}"
        case JobNotAttempted(why="not_selected"):
            return ""
        case JobNotAttempted():
            return f"not attempted ({event.why}): {event.detail}"
        case JobResolved():
            return f"{event.resolution.replace('_', ' ')}, by the word of {event.by}"
        case ProbeRead():
            return f"probe {event.issue} -> {event.target}: {event.result.replace('_', ' ')} ({event.phase})"
        case StopRequested():
            return f"stop requested by {event.by}: {event.reason}"
        case RunEnded():
            return f"run {event.state}: {added_up(event.counts)}"
        case _:
            return ""
