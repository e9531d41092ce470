"""RB201 to RB208: whether the planned moment lies inside the windows of each job.

Only jobs with `recreateAsRemote` have windows. Planned ends count as ends unless the plan is about
to run; every message that relies on one mentions it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from runbook.checks.codes import Facts, finding, lacks
from runbook.findings import Finding, Severity
from runbook.plan.model import Instance, Plan, Site, Wave
from runbook.text import moment, span
from runbook.windows import Pair, WindowState, pairs_of

SOON = timedelta(hours=72)
_PAIRS_NAMED = 4


def judge_windows(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB201 to RB207: at most one error per job, since each of them implies the others."""
    if lacks(plan, "cutover", "sites"):
        return
    for instance in plan.instances:
        source, destination = map(plan.site, instance.sites)
        if source is None or destination is None or source is destination:
            continue
        if not instance.recreate_as_remote:
            continue
        undated = [site for site in (source, destination) if not site.has_date]
        if undated:
            yield _no_date(plan, instance, undated)
            continue
        pairs = pairs_of(plan, instance, use_planned=not facts.running)
        yield from _judge_job(plan, facts, instance, pairs)


def judge_planned_waves(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB208: a wave of a site with jobs has no `finished` yet."""
    if lacks(plan, "cutover", "sites"):
        return
    recreating = (instance for instance in plan.instances if instance.recreate_as_remote)
    used = {url for instance in recreating for url in instance.sites}
    for site in plan.sites:
        for wave in site.waves if site.url in used and site.has_date else ():
            if wave.finished is None:
                yield _not_finished(plan, facts, site, wave)


def _no_date(plan: Plan, instance: Instance, undated: list[Site]) -> Finding:
    key = "productURL" if undated[0].url == instance.product_url else "destinationURL"
    urls = " and ".join(f"`{site.url}`" for site in undated)
    message = f"no migration date for {urls}, so the window of `{instance.id}` is not known"
    hint = "give the site `migrations: [{started: …, finished: …}]`, or `planned` while it is still to come"
    return finding("RB201", plan, f"{instance.path}.{key}", message, hint=hint, instance=instance)


def _judge_job(
    plan: Plan, facts: Facts, instance: Instance, pairs: tuple[Pair, ...]
) -> Iterator[Finding]:
    states = [(pair, pair.state(facts.at)) for pair in pairs]
    served = [pair for pair in pairs if pair.servable(facts.at)]
    if not served:
        yield _nothing_served(plan, facts, instance, states)
        return
    late = [pair for pair, state in states if state is WindowState.LATE]
    if late:
        yield _late(plan, facts, instance, late)
    last = max(
        (pair.safe_closes for pair in served if pair not in late and pair.safe_closes), default=None
    )
    if last is not None and last - facts.at <= SOON:
        message = (
            f"the last safe moment of `{instance.id}` is {moment(last, plan.zone)}, "
            f"{span(last - facts.at)} after the planned one"
        )
        hint = "plan an earlier cutover, or make sure that nothing can delay this one"
        yield finding("RB204", plan, instance.path, message, hint=hint, instance=instance)
    unserved = [pair for pair in pairs if pair.opens is not None and not pair.servable(facts.at)]
    if unserved:
        yield _unserved(plan, facts, instance, unserved)


def _nothing_served(
    plan: Plan, facts: Facts, instance: Instance, states: list[tuple[Pair, WindowState]]
) -> Finding:
    at = moment(facts.at, plan.zone)
    closed = [pair for pair, state in states if state is WindowState.CLOSED and pair.closes]
    if all(state is WindowState.NEVER for _, state in states):
        pair = states[0][0]
        message = (
            f"no moment serves `{instance.id}`: {_name(pair)} would open at "
            f"{_moment_of(plan, pair.opens)}, after it closes at {_moment_of(plan, pair.closes)}"
        )
        hint = "the migrations lie more than two weeks apart: leave the job out and use `runbook repair`"
        return finding("RB205", plan, instance.path, message, hint=hint, instance=instance)
    if closed:
        last = max(closed, key=lambda pair: pair.closes or facts.at)
        message = (
            f"the window of `{instance.id}` is closed at {at}: {_name(last)} closed at "
            f"{_moment_of(plan, last.closes)}{_planned(last)}"
        )
        hint = (
            "two weeks after the migration Atlassian has deleted what recreates the links: "
            + _later(plan, states, "plan an earlier moment, or use `runbook repair`")
        )
        return finding("RB202", plan, instance.path, message, hint=hint, instance=instance)
    coming = [pair for pair, _ in states if pair.opens is not None]
    if coming:
        first = min(coming, key=lambda pair: pair.opens or facts.at)
        why = f"{_name(first)} opens at {_moment_of(plan, first.opens)}{_planned(first)}"
        hint = f"plan the job for {_moment_of(plan, first.opens)} or later"
    else:
        waves = [wave for pair, _ in states for wave in (pair.from_wave, pair.to_wave)]
        unfinished = next(wave for wave in waves if wave.finished is None)
        why = f"the migration `{unfinished.name}` is not finished"
        hint = "enter its `finished` when it is, then check again"
    message = f"no window of `{instance.id}` is open at {at}: {why}"
    return finding("RB203", plan, instance.path, message, hint=hint, instance=instance)


def _later(plan: Plan, states: list[tuple[Pair, WindowState]], otherwise: str) -> str:
    coming = [pair.opens for pair, state in states if state is WindowState.NOT_YET and pair.opens]
    if not coming:
        return otherwise
    return f"the next pair of waves opens at {moment(min(coming), plan.zone)}"


def _late(plan: Plan, facts: Facts, instance: Instance, late: list[Pair]) -> Finding:
    first = min(late, key=lambda pair: pair.closes or facts.at)
    assumed = ", a start that is assumed" if first.start_assumed else ""
    message = (
        f"`{instance.id}` is planned past the safe end of {_names(late)}: safe until "
        f"{_moment_of(plan, first.safe_closes)}, closed at {_moment_of(plan, first.closes)}{assumed}"
    )
    hint = "Atlassian does not say which end of the migration starts the two weeks: run before the safe end if you can"
    return finding("RB207", plan, instance.path, message, hint=hint, instance=instance)


def _unserved(plan: Plan, facts: Facts, instance: Instance, unserved: list[Pair]) -> Finding:
    words = [_moment_that_serves(plan, facts, pair) for pair in unserved[:_PAIRS_NAMED]]
    more = len(unserved) - _PAIRS_NAMED
    if more > 0:
        words.append(f"and {more} more")
    helped = any(pair.state(facts.at) is WindowState.NOT_YET for pair in unserved)
    message = (
        f"`{instance.id}` does not serve all waves at {moment(facts.at, plan.zone)}: "
        + "; ".join(words)
    )
    hint = (
        "plan one round that serves all (listed below the findings), or send the job again then with `--again`"
        if helped
        else "only `runbook repair` brings these links"
    )
    return finding("RB206", plan, instance.path, message, hint=hint, instance=instance)


def _moment_that_serves(plan: Plan, facts: Facts, pair: Pair) -> str:
    state = pair.state(facts.at)
    if state is WindowState.NOT_YET:
        return (
            f"{_name(pair)} from {_moment_of(plan, pair.opens)} "
            f"to {_moment_of(plan, pair.safe_closes)}{_planned(pair)}"
        )
    if state is WindowState.CLOSED:
        return f"{_name(pair)} closed at {_moment_of(plan, pair.closes)}{_planned(pair)}"
    return f"{_name(pair)} never overlap"


def _not_finished(plan: Plan, facts: Facts, site: Site, wave: Wave) -> Finding:
    if wave.planned is None:
        words = "has no `finished` and no `planned`, so its links are not served"
    else:
        words = f"is planned for {moment(wave.planned, plan.zone)}"
        words += (
            " and not finished, so its links are not served"
            if facts.running
            else ", not finished; until then its links are not served"
        )
    message = f"`{wave.name}` of `{site.url}` {words}"
    hint = "enter `finished` when the migration is done; `run` counts nothing else"
    severity = Severity.WARNING if facts.running else None
    return finding("RB208", plan, f"{wave.path}.planned", message, hint=hint, severity=severity)


def _name(pair: Pair) -> str:
    return f"`{pair.from_wave.name}` -> `{pair.to_wave.name}`"


def _names(pairs: list[Pair]) -> str:
    words = ", ".join(_name(pair) for pair in pairs[:_PAIRS_NAMED])
    more = len(pairs) - _PAIRS_NAMED
    return words if more <= 0 else f"{words} and {more} more"


def _moment_of(plan: Plan, at: datetime | None) -> str:
    return "an unknown moment" if at is None else moment(at, plan.zone)


def _planned(pair: Pair) -> str:
    return " (by a planned end)" if pair.planned else ""


WINDOW_CHECKS = (judge_windows, judge_planned_waves)
