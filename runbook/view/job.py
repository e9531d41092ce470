"""One job's events, folded: the same function keeps the executor's knowledge and reads the ledger."""

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from runbook.clock import moment_or_none
from runbook.jobs import job_from_json
from runbook.ledger.events import (
    JobNotAttempted,
    JobPolled,
    JobResolved,
    JobStalled,
    ProbeRead,
    RoundOpened,
    SubmitAnswered,
    SubmitIntended,
    SubmitLost,
    SubmitNotSent,
)
from runbook.plan.model import Probe
from runbook.view.model import AT_ATLASSIAN, SENDABLE, JobState, JobView, Json, Poll, Submission
from runbook.windows import Pair

UNANSWERED = "the request may have left before runbook ended; no answer is on disk"


def job_views(jobs: Iterable[Json], site_ids: dict[str, str]) -> dict[str, JobView]:
    """Return every job as planned, from the JSON that `run.started` keeps."""
    result = {}
    for value in jobs:
        job = job_from_json(value)
        result[job.id] = JobView(
            job=job,
            windows=tuple(Pair.from_json(job.id, window) for window in value.get("windows", ())),
            probe_links=tuple(
                Probe(issue=link["issue"], target=link["target"]) for link in value.get("probe", ())
            ),
            site_id=site_ids.get(job.site),
            transitions=(),
        )
    return result


def after_event(job: JobView, event: Any, at: datetime) -> JobView:
    """Return what is known of one job after one more event of its own."""
    after = _known_after(job, event, at)
    if after.state is job.state:
        return after
    return dataclasses.replace(after, transitions=(*after.transitions, (at, after.state)))


def _known_after(job: JobView, event: Any, at: datetime) -> JobView:
    match event:
        case SubmitIntended():
            return dataclasses.replace(
                job,
                state=JobState.SUBMITTING,
                why=None,
                detail="",
                uuid=None,
                ended_at=None,
                settled_by_person=False,
                stalled_since=None,
                probed_from=len(job.probes),
                sent=(
                    *job.sent,
                    Submission(
                        number=event.number, at=at, request=event.request, by_word=event.by_word
                    ),
                ),
            )
        case SubmitAnswered() | SubmitLost() | SubmitNotSent():
            return _after_submission(job, event, at)
        case JobPolled():
            return _after_poll(job, event, at)
        case JobStalled():
            since = moment_or_none(event.since) or at
            return dataclasses.replace(job, stalled_since=since, detail=event.advice)
        case JobNotAttempted():
            state = JobState.PLANNED if event.why == "not_selected" else JobState.NOT_ATTEMPTED
            return dataclasses.replace(job, state=state, why=event.why, detail=event.detail)
        case JobResolved():
            return _after_resolution(job, event, at)
        case ProbeRead():
            return dataclasses.replace(job, probes=(*job.probes, (at, event)))
        case _:
            return job


def _after_submission(
    job: JobView, event: SubmitAnswered | SubmitLost | SubmitNotSent, at: datetime
) -> JobView:
    if not job.sent:
        return job
    last = job.sent[-1]
    match event:
        case SubmitNotSent():
            closed = dataclasses.replace(
                last, outcome="not_sent", answered_at=at, detail=event.reason
            )
            return dataclasses.replace(
                job, state=JobState.PLANNED, detail=event.reason, sent=(*job.sent[:-1], closed)
            )
        case SubmitLost():
            closed = dataclasses.replace(
                last, outcome="unknown", answered_at=at, detail=event.reason
            )
            return dataclasses.replace(
                job,
                state=JobState.UNKNOWN,
                detail=event.reason,
                submitted_at=last.at,
                submissions=job.submissions + (last.outcome == "open"),
                sent=(*job.sent[:-1], closed),
            )
        case SubmitAnswered():
            closed = dataclasses.replace(
                last,
                outcome=event.meaning,
                answered_at=at,
                uuid=event.uuid,
                detail=event.detail,
                trace_id=event.trace_id,
                causes=tuple(event.causes),
                exchange=event.exchange,
            )
            state = {
                "accepted": JobState.PENDING,
                "refused": JobState.REFUSED,
                "rate_limited": JobState.PLANNED,
            }.get(event.meaning, JobState.UNKNOWN)
            # A late answer to what was taken as lost is no second submission.
            counted = event.meaning != "rate_limited" and last.outcome == "open"
            return dataclasses.replace(
                job,
                state=state,
                uuid=event.uuid,
                detail=event.detail,
                submitted_at=job.submitted_at if event.meaning == "rate_limited" else last.at,
                ended_at=at if state is JobState.REFUSED else None,
                submissions=job.submissions + counted,
                sent=(*job.sent[:-1], closed),
            )


def _after_poll(job: JobView, event: JobPolled, at: datetime) -> JobView:
    state = job.state
    if event.state is not None and job.state in AT_ATLASSIAN:
        state = JobState(event.state)
    changed = state is not job.state or event.word != job.last_status or event.warning is not None
    ended = state in (JobState.COMPLETE, JobState.ERROR)
    detail = job.detail
    if changed:
        detail = event.warning or ("" if state is not JobState.ERROR else _error_detail(event))
    return dataclasses.replace(
        job,
        state=state,
        last_status=event.word if event.word is not None else job.last_status,
        detail=detail,
        ended_at=at if ended and job.ended_at is None else job.ended_at,
        stalled_since=None if state is not job.state else job.stalled_since,
        poll_count=job.poll_count + 1,
        last_polled_at=at,
        polls=(
            *job.polls,
            Poll(
                at=at,
                state=event.state,
                word=event.word,
                warning=event.warning,
                exchange=event.exchange,
            ),
        )
        if changed
        else job.polls,
    )


def _error_detail(event: JobPolled) -> str:
    answer = event.exchange.get("answer") or {}
    return f"Atlassian reports {event.word}: {answer.get('body') or 'no further words'}"


def accepts_resolution(job: JobView, resolution: str) -> bool:
    """Return whether a person may settle a job so: its outcome is unknown, or was settled so before."""
    if job.state in (JobState.UNKNOWN, JobState.SUBMITTING) or job.state in SENDABLE:
        return True
    if job.state in AT_ATLASSIAN:
        # A mistyped id would be polled for ever.
        return bool(job.resolutions) and job.uuid == job.resolutions[-1][1].uuid
    # Complete, but a known link did not arrive: a person goes on without it, or sends again.
    return job.state is JobState.COMPLETE and job.needs_person() and resolution != "accepted"


def _after_resolution(job: JobView, event: JobResolved, at: datetime) -> JobView:
    accepted = accepts_resolution(job, event.resolution)
    job = dataclasses.replace(job, resolutions=(*job.resolutions, (at, event)))
    if not accepted:
        # An answer came before the person's word did: what is known is not unsaid.
        return job
    match event.resolution:
        case "accepted":
            return dataclasses.replace(
                job,
                state=JobState.PENDING,
                settled_by_person=False,
                probed_from=len(job.probes),
                uuid=event.uuid,
                why=None,
                ended_at=None,
                submitted_at=job.submitted_at or at,
                submissions=max(job.submissions, 1),
                detail=f"accepted by the word of {event.by}",
            )
        case "accepted_no_id" if job.state is JobState.COMPLETE:
            return dataclasses.replace(job, settled_by_person=True)
        case "accepted_no_id":
            return dataclasses.replace(
                job,
                state=JobState.UNKNOWN,
                settled_by_person=True,
                why=None,
                submitted_at=job.submitted_at or at,
                submissions=max(job.submissions, 1),
                detail=f"accepted by the word of {event.by}, without a job id: it cannot be polled, only verification can tell",
            )
        case _:
            return dataclasses.replace(
                job,
                state=JobState.PLANNED,
                why=None,
                uuid=None,
                ended_at=None,
                detail=f"to be sent again by the word of {event.by}",
            )


def reopened(job: JobView, at: datetime, event: RoundOpened) -> JobView:
    """Return a job as planned once more, with its history."""
    return dataclasses.replace(
        job,
        state=JobState.PLANNED,
        why=None,
        uuid=None,
        ended_at=None,
        stalled_since=None,
        last_status=None,
        settled_by_person=False,
        detail=f"to be sent once more: {event.reason}",
        transitions=(*job.transitions, (at, JobState.PLANNED)),
        rounds=(*job.rounds, (at, event)),
    )


def without_answer(job: JobView, at: datetime) -> JobView:
    """Return a job whose request was left without an answer as unknown, any other as it is."""
    if job.state is not JobState.SUBMITTING:
        return job
    lost = _after_submission(job, SubmitLost(reason=UNANSWERED), job.sent[-1].at)
    return dataclasses.replace(lost, transitions=(*lost.transitions, (at, JobState.UNKNOWN)))
