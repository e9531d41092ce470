"""How much goes wrong in a rehearsal: `none`, `light`, `heavy`, drawn from a seed.

Every level leaves an evening that can be finished: refusals are temporary, and where an outcome
stays unknown the world knows what truly happened. Requests before the first submission are spared,
since a run that never begins rehearses nothing.
"""

import random
from dataclasses import replace
from typing import Literal

from runbook.plan.model import Plan
from runbook.simulator.faults import Fault, FaultKind

Level = Literal["none", "light", "heavy"]

SUBMIT = "/links/v1/{siteId}/jobs/cma"
STATUS = "/links/v1/{siteId}/jobs/status/{jobId}"
READ_LINKS = "/rest/api/3/issue/{issueIdOrKey}/remotelink"
# The job that nobody has: `run` asks for it before the first submission.
NIL_JOB = "*/00000000-0000-0000-0000-000000000000"

_WAITED = "nothing: the wait that was told is kept, and no second request leaves meanwhile"
_GOES_ON = "nothing: a status is asked for again, and the job goes on at Atlassian meanwhile"
_ASK = (
    "look at Atlassian's own pages and logs whether the job is there, then `runbook resolve`; "
    "other jobs go on meanwhile"
)


def faults_for(level: Level, plan: Plan, *, seed: int = 0) -> tuple[Fault, ...]:
    """Return the faults of a level for a plan; the same seed gives the same faults.

    A fault that hits the fifth submission of a plan with four jobs never happens;
    `World.faults.fired` holds those that did.
    """
    if level == "none":
        return ()
    chance = random.Random(f"{seed}/{level}")  # noqa: S311 - a game, not a secret
    heavy = level == "heavy"
    submits = [*_SUBMIT_HEAVY, *_SUBMIT_LIGHT] if heavy else [*_SUBMIT_LIGHT]
    polls = [*_POLL_LIGHT, *_POLL_HEAVY] if heavy else [*_POLL_LIGHT]
    reads = [*_READ_LIGHT, *_READ_HEAVY] if heavy else [*_READ_LIGHT]
    return (
        *_placed(submits, chance, "POST", SUBMIT, max(len(plan.instances), len(submits))),
        *_placed(polls, chance, "GET", STATUS, 3 * len(polls)),
        *_placed(reads, chance, "GET", READ_LINKS, 4 * len(reads)),
    )


def _placed(
    drafts: list[Fault], chance: random.Random, method: str, path: str, within: int
) -> list[Fault]:
    """Spread faults over the first `within` requests of one operation, no two on the same."""
    places = sorted(chance.sample(range(1, within + 1), len(drafts)))
    return [
        replace(draft, method=method, path=path, not_path=NIL_JOB, nth=nth)
        for draft, nth in zip(drafts, places, strict=True)
    ]


_SUBMIT_LIGHT = (
    Fault(
        kind=FaultKind.RETRY_AFTER_SECONDS,
        amount_s=45.0,
        sentence="a submission was answered 429, with the seconds to wait",
        advice=_WAITED,
    ),
)
_SUBMIT_HEAVY = (
    Fault(
        kind=FaultKind.ANSWER_LOST,
        sentence="the connection broke after a job was accepted, before its id arrived",
        advice=_ASK,
    ),
    Fault(
        kind=FaultKind.STATUS,
        status=502,
        sentence="a gateway answered 502 to a submission that never reached the service",
        advice=_ASK,
    ),
    Fault(
        kind=FaultKind.RETRY_AFTER_DATE,
        amount_s=80.0,
        sentence="a submission was answered 429, with the moment to wait for as an HTTP date",
        advice=_WAITED,
    ),
    Fault(
        kind=FaultKind.RESET_ISO,
        amount_s=60.0,
        sentence="a submission was answered 429, with nothing but `X-RateLimit-Reset`",
        advice=_WAITED,
    ),
)
_POLL_LIGHT = (
    Fault(
        kind=FaultKind.STATUS,
        status=503,
        sentence="a status was answered 503",
        advice=_GOES_ON,
    ),
    Fault(
        kind=FaultKind.UNKNOWN_WORD,
        word="Finalizing",
        sentence="a status was a word that Atlassian does not document",
        advice="nothing: a word that is not known means waiting, with a warning",
    ),
    Fault(
        kind=FaultKind.SLOW,
        amount_s=20.0,
        sentence="a status took 20 s to arrive",
        advice=_GOES_ON,
    ),
)
_POLL_HEAVY = (
    Fault(
        kind=FaultKind.OUTAGE,
        amount_s=90.0,
        sentence="the network was gone for 90 s",
        advice="check the VPN and the proxy; nothing is lost, requests that never left are repeated",
    ),
    Fault(
        kind=FaultKind.STATUS,
        status=404,
        sentence="a status was answered 404 although the job exists",
        advice="nothing: a 404 on a status is no failure of the job",
    ),
    Fault(
        kind=FaultKind.PLAIN_TEXT,
        sentence="a status came as plain text",
        advice="nothing: it is understood, and the raw answer is kept",
    ),
    Fault(
        kind=FaultKind.NESTED,
        sentence="a status came nested in other fields",
        advice="nothing: it is understood, and the raw answer is kept",
    ),
    Fault(
        kind=FaultKind.HTML_AFTER,
        sentence="a web page came instead of a status",
        advice="look whether a proxy wants a login; the job goes on meanwhile",
    ),
    Fault(
        kind=FaultKind.TRUNCATED,
        sentence="the connection broke in the middle of a status",
        advice=_GOES_ON,
    ),
)
_READ_LIGHT = (
    Fault(
        kind=FaultKind.RETRY_AFTER_SECONDS,
        amount_s=5.0,
        sentence="reading remote links was answered 429",
        advice="nothing: reading pauses as told",
    ),
)
_READ_HEAVY = (
    Fault(
        kind=FaultKind.STATUS,
        status=503,
        sentence="reading remote links was answered 503",
        advice="nothing: the issue is read again",
    ),
    Fault(
        kind=FaultKind.RESET,
        sentence="the connection broke while remote links were read",
        advice="nothing: the issue is read again",
    ),
)
