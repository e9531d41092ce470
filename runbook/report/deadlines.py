"""The clocks that run: windows of two weeks, the audit log of 29 days, tokens.

Everything is judged at the ledger's last event, since the report reads no clock.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum

from runbook.plan.model import Plan
from runbook.report.facts import ReportFacts, Unserved, evidence_deadline, names_of
from runbook.report.states import Chip, Tone
from runbook.report.text import clip, site_label
from runbook.report.timestamps import Timestamp, Zone, day_moment
from runbook.report.translations import Words
from runbook.text import span
from runbook.view import AT_ATLASSIAN, JobView, RunView, served_at
from runbook.windows import Pair, WindowState, pairs_of

# How many clocks fit on the first page: with nothing else to tell, and with everything.
CLOCKS_MOST = 8
CLOCKS_LEAST = 2
TOKENS_SHOWN = 1


class Standing(IntEnum):
    """Where a clock stands, in the order in which clocks are listed."""

    OPEN = 0
    OVER = 1
    KEPT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One row of the deadlines; `end` is None where no end is known yet, `means` says what ends."""

    standing: Standing
    end: datetime | None
    name: str
    note: str = ""
    when: Timestamp
    when_note: str = ""
    left: Chip
    means: str


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines of the first page under their caption, and those of all tokens."""

    caption: str
    shown: tuple[Deadline, ...]
    tokens: tuple[Deadline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRow:
    """One window of a job, or a job without one.

    `then` is where the window stood at the submission that served it, else at the last one, and
    `now` where it stands; in a preview there is no `then`.
    """

    job: JobView
    pair: Pair | None = None
    then: Chip | None = None
    now: Chip | None = None
    served: bool = False
    until: datetime | None


def deadlines(facts: ReportFacts) -> Deadlines:
    """Return the clocks, open ones first; the whole list stands with the timeline."""
    w, zone, at = facts.w, facts.zone, facts.at
    tokens = tuple(_tokens(facts.plan, at, w))
    clocks = sorted(
        (*_windows(facts), *_logs(facts.view, at, zone, w), *tokens[:TOKENS_SHOWN]),
        key=lambda clock: clock.standing,
    )
    # One printed page holds it all: the more the first sections say, the fewer clocks.
    told = 2 * bool(facts.view.verifications) + 4 * bool(facts.undone) + 2 * bool(facts.due)
    shown = clocks[: max(CLOCKS_MOST - told, CLOCKS_LEAST)]
    said = w("cap_clocks", at=f"{zone.short(at)} {zone.offset}")
    if len(clocks) > len(shown):
        said = w.plural("clocks_more", len(clocks) - len(shown), said=said)
    return Deadlines(said, tuple(shown), tokens)


def _left(end: datetime, at: datetime, w: Words) -> Chip:
    left = end - at
    if left <= timedelta():
        return Chip(tone="bad", symbol="✕", word=w("clock_over", span=span(-left)))
    tone: Tone = "warn" if left < timedelta(days=3) else "neutral"
    return Chip(tone=tone, symbol="◷", word=w("clock_left", span=span(left)))


def _windows(facts: ReportFacts) -> list[Deadline]:
    """Return the windows of jobs that are not done and of pairs that wait for a later round."""
    w, zone, at = facts.w, facts.zone, facts.at
    waiting = {(due.job.id, due.pair) for due in facts.due}
    found = list(_rounds(facts))
    ends: dict[tuple[datetime, datetime], list[str]] = defaultdict(list)
    for job in facts.undone:
        if job.state in AT_ATLASSIAN or job.settled_by_person:
            continue
        pairs = [pair for pair in job.windows if (job.id, pair) not in waiting]
        over = (WindowState.CLOSED, WindowState.NEVER)
        for pair in [pair for pair in pairs if pair.state(at) not in over] or pairs:
            if pair.safe_closes is not None and pair.closes is not None:
                ends[pair.safe_closes, pair.closes].append(job.id)
    for (safe, closes), jobs in ends.items():
        named = list(dict.fromkeys(jobs))
        state = "late" if safe <= at < closes else "closed" if at >= closes else "open"
        found.append(
            Deadline(
                standing=Standing.OVER if state == "closed" else Standing.OPEN,
                end=safe,
                name=w("clock_window", jobs=w.count("job", len(named))),
                note=clip(", ".join(named), 90),
                when=zone.moment(safe),
                when_note=w("clock_last_end", at=f"{zone.short(closes)} {zone.offset}"),
                left=_left(safe if at < safe else closes, at, w),
                means=w(f"clock_window_{state}"),
            )
        )
    return sorted(found, key=lambda clock: (clock.end is None, clock.end or at))


def _rounds(facts: ReportFacts) -> Iterator[Deadline]:
    """Yield one clock for all pairs of one state: its end is the first of their ends.

    While a wave has no end, the plan's planned one counts, and is said to be planned.
    """
    w, at = facts.w, facts.at
    alike: dict[WindowState, list[Unserved]] = defaultdict(list)
    for due in facts.due:
        alike[due.state].append(due)
    for state, same in alike.items():
        windows = [_planned_window(due, facts.plan) for due in same]
        ends = {pair.closes if state is WindowState.LATE else pair.safe_closes for pair in windows}
        known = sorted(end for end in ends if end is not None)
        opens = min((pair.opens for pair in windows if pair.opens is not None), default=None)
        left = Chip(tone="neutral", symbol="○", word=w("window_not_yet"))
        if state is not WindowState.NOT_YET and known:
            left = _left(known[0], at, w)
        elif opens is not None and at < opens:
            word = w("clock_opens", span=span(opens - at))
            left = Chip(tone="neutral", symbol="○", word=word)
        notes = [w("clock_earliest")] if len(known) > 1 else []
        if any(due.pair.closes is None for due in same):
            notes.append(w("clock_planned"))
        yield Deadline(
            standing=Standing.OPEN,
            end=known[0] if known else None,
            name=w.plural("clock_round", len(same)),
            note=names_of(same, 90),
            when=facts.zone.moment(known[0]) if known else Timestamp(local=w("unknown_moment")),
            when_note="; ".join(notes) if known else w("clock_waits"),
            left=left,
            means=w(f"clock_round_{state.value}"),
        )


def _planned_window(due: Unserved, plan: Plan | None) -> Pair:
    """Return a pair with the plan's planned ends where its waves have no other yet."""
    instance = None if plan is None else plan.instance(due.job.id)
    if due.pair.closes is not None or plan is None or instance is None:
        return due.pair
    names = (due.pair.from_wave.name, due.pair.to_wave.name)
    planned = pairs_of(plan, instance, use_planned=True)
    return next(
        (pair for pair in planned if (pair.from_wave.name, pair.to_wave.name) == names), due.pair
    )


def _logs(view: RunView, at: datetime, zone: Zone, w: Words) -> list[Deadline]:
    sites: dict[str, list[tuple[datetime, JobView]]] = defaultdict(list)
    for job in view.jobs:
        deadline = evidence_deadline(job)
        if deadline is not None:
            sites[job.job.site].append((deadline, job))
    clocks = []
    for site, ends in sites.items():
        end = min(deadline for deadline, _ in ends)
        kept = all(_log_kept_after(view, job) for _, job in ends)
        left = (
            Chip(tone="info", symbol="●", word=w("clock_log_kept")) if kept else _left(end, at, w)
        )
        clocks.append(
            Deadline(
                standing=Standing.KEPT if kept else Standing.OPEN if at < end else Standing.OVER,
                end=end,
                name=w("clock_log", site=clip(site_label(site), 60)),
                note=w.count("complete_job", len(ends)),
                when=zone.moment(end),
                left=left,
                means=w("clock_log_means_kept" if kept else "clock_log_means"),
            )
        )
    return sorted(clocks, key=lambda clock: clock.end or at)


def _log_kept_after(view: RunView, job: JobView) -> bool:
    """Return whether an audit log of the job's site was kept after the job had ended."""
    return any(
        log.log == "audit"
        and log.site == job.job.site
        and (job.ended_at is None or at >= job.ended_at)
        for at, log in view.logs
    )


def _tokens(plan: Plan | None, at: datetime, w: Words) -> Iterator[Deadline]:
    """Yield when each account's token ends, as the plan says."""
    sites = () if plan is None else plan.sites
    expiry = {(site.token_expires, site.account) for site in sites if site.token_expires}
    for day, account in sorted(expiry):
        end = datetime.combine(day, time(0, 0), UTC)
        yield Deadline(
            standing=Standing.OPEN if at < end else Standing.OVER,
            end=end,
            name=w("clock_token", account=clip(account, 60)),
            when=day_moment(day),
            left=_left(end, at, w),
            means=w("clock_token_means"),
        )


def window_rows(facts: ReportFacts) -> Iterable[WindowRow]:
    """Yield every window and the 29-day moment of every job: what the timeline draws, in words."""
    chips, at = facts.chips, facts.at
    for job in facts.view.jobs:
        until, moments = evidence_deadline(job), served_at(job)
        if not job.windows:
            yield WindowRow(job=job, until=until)
        for pair in job.windows:
            served = [moment for moment in moments if pair.servable(moment)]
            then = chips.window(pair.state((served or moments)[-1]).value) if moments else None
            yield WindowRow(
                job=job,
                pair=pair,
                then=None if facts.preview else then,
                now=chips.window(pair.state(at).value),
                served=bool(served),
                until=until,
            )
