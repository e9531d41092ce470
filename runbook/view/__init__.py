"""Events -> what is known of each run: the one fold that resume, status and report share.

No table holds a status, so the screen, the report and a resumed run cannot disagree.
"""

from runbook.view.advice import SUSPECTS, AdviceKey, next_for
from runbook.view.job import accepts_resolution, after_event, job_views
from runbook.view.model import (
    AT_ATLASSIAN,
    SENDABLE,
    JobState,
    JobView,
    Poll,
    RunState,
    RunView,
    Submission,
    Verification,
    Write,
    count_states,
    served_at,
    settled_state,
)
from runbook.view.runs import approvals_for, run_of, runs_of

__all__ = [
    "AT_ATLASSIAN",
    "SENDABLE",
    "SUSPECTS",
    "AdviceKey",
    "JobState",
    "JobView",
    "Poll",
    "RunState",
    "RunView",
    "Submission",
    "Verification",
    "Write",
    "accepts_resolution",
    "after_event",
    "approvals_for",
    "count_states",
    "job_views",
    "next_for",
    "run_of",
    "runs_of",
    "served_at",
    "settled_state",
]
