"""The work left on a plan, and the time that its windows leave. Pure.

In: a plan, facts and findings. Out: values that `check` prints.
"""

from dataclasses import dataclass
from datetime import datetime

from runbook.checks.codes import Facts
from runbook.findings import Finding, open_errors
from runbook.plan.model import Instance, Plan
from runbook.windows import Pair, Round, WindowState, all_pairs, rounds, unservable


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What lies ahead of a plan.

    `links` are jobs whose app link is open, by the site where one signs in; `undated` are sites
    without a migration date; `unfinished` are waves that are only planned; `errors` counts what is
    left besides, by code. `closing` is the pair whose window closes next and when, `opening` the one
    that opens next where none is open.
    """

    links: dict[str, list[Instance]]
    undated: list[str]
    unfinished: list[str]
    errors: dict[str, int]
    rounds: tuple[Round, ...]
    closing: tuple[Pair, datetime] | None
    opening: tuple[Pair, datetime] | None
    unservable: tuple[Pair, ...]


def outlook(plan: Plan, facts: Facts, findings: tuple[Finding, ...]) -> Outlook:
    """Return what lies ahead of a plan at the moment it is judged at."""
    pairs = all_pairs(plan, use_planned=not facts.running)
    open_now = [pair for pair in pairs if pair.servable(facts.at)]
    ends = [(pair, _end(pair, facts.at)) for pair in open_now]
    closing = min(ends, key=lambda end: end[1], default=None)
    coming = [
        (pair, pair.opens)
        for pair in pairs
        if pair.opens is not None and pair.state(facts.at) is WindowState.NOT_YET
    ]
    open_by_code: dict[str, list[str | None]] = {}
    for error in open_errors(findings):
        open_by_code.setdefault(error.code, []).append(error.instance)
    open_links = {*open_by_code.pop("RB301", ()), *open_by_code.pop("RB302", ())}
    undated_jobs = open_by_code.pop("RB201", ())
    links: dict[str, list[Instance]] = {}
    used: set[str] = set()
    for instance in plan.instances:
        if instance.id in open_links:
            links.setdefault(instance.product_url, []).append(instance)
        if instance.id in undated_jobs:
            used.update(instance.sites)
    return Outlook(
        links=links,
        undated=[site.url for site in plan.sites if site.url in used and not site.has_date],
        unfinished=[
            f"`{wave.name}` of `{site.url}`"
            for site in plan.sites
            for wave in site.waves
            if wave.finished is None and wave.planned is not None
        ],
        errors={code: len(found) for code, found in open_by_code.items()},
        rounds=rounds(pairs, facts.at),
        closing=closing,
        opening=None if closing else min(coming, key=lambda start: start[1], default=None),
        unservable=unservable(pairs, facts.at),
    )


def _end(pair: Pair, at: datetime) -> datetime:
    """Return the end that matters now: the safe one, or the last one where the safe one is past."""
    safe, last = pair.safe_closes or at, pair.closes or at
    return safe if at < safe else last
