"""Which missing links no submission could have recreated yet, and whether a later round still can.

In: a plan, what is known of its run, and a moment. Out: for a job and the keys of a link's two ends,
why their pair of waves was not served. Pure. An end belongs to the last wave that brought its
project, as in `mapping.expected_counts`; only waves that have finished count, as in `run`.
"""

from datetime import datetime
from typing import NamedTuple

from runbook.plan.model import Plan
from runbook.remotelinks.mapping import Located, PlanMap
from runbook.view import RunView, served_at
from runbook.windows import WINDOW, Pair, WindowState, pair_of

_Ends = tuple[str, str, str]


class WindowGap(NamedTuple):
    """Why no submission served a pair of waves; `later` says that the next round can still do it."""

    detail: str
    later: bool


class WindowGaps:
    """The pairs of waves of a run that no accepted, or perhaps accepted, submission served."""

    def __init__(self, plan: Plan, view: RunView, now: datetime) -> None:
        self._map = PlanMap(plan)
        self._moments = {job.id: served_at(job) for job in view.jobs}
        self._now = now
        self._known: dict[_Ends, WindowGap | None] = {}

    def of(self, job: str, source_key: str, target_key: str) -> WindowGap | None:
        """Return why the pair of a link was not served, None where it was, or where no wave is known.

        Keys are those on the cloud sites, as the plan maps them.
        """
        ends = (job, source_key.rpartition("-")[0], target_key.rpartition("-")[0])
        if ends not in self._known:
            pair = self._pair(*ends, use_planned=False)
            self._known[ends] = None if pair is None else self._judged(pair, ends)
        return self._known[ends]

    def _pair(self, job: str, source: str, target: str, *, use_planned: bool) -> Pair | None:
        plan = self._map.plan
        instance = plan.instance(job)
        if instance is None:
            return None
        waves = []
        for url, project in ((instance.product_url, source), (instance.destination_url, target)):
            site = plan.site(url)
            if site is None:
                return None
            name = self._map.wave(Located(site, "", project))
            wave = next((wave for wave in site.waves if wave.name == name), None)
            if wave is None:
                return None
            waves.append(wave)
        return pair_of(job, *waves, use_planned=use_planned)

    def _judged(self, pair: Pair, ends: _Ends) -> WindowGap | None:
        moments = self._moments.get(pair.job, ())
        if any(pair.servable(moment) for moment in moments):
            return None
        named = f"{pair.from_wave.name} -> {pair.to_wave.name}"
        planned = self._pair(*ends, use_planned=True) or pair
        if WindowState.NEVER in (pair.state(self._now), planned.state(self._now)):
            return WindowGap(f"{named} is open at no moment; only repair helps", later=False)
        if not moments:
            why = f"no submission for {named} was accepted"
        elif pair.opens is not None and pair.opens <= max(moments):
            why = f"{named} was closed at the last submission"
        else:
            why = f"{named} was not in at the last submission"
        if _over(pair, self._now):
            return WindowGap(f"{why}; its window is closed; only repair helps", later=False)
        return WindowGap(f"{why}; the next round serves it", later=True)


def _over(pair: Pair, now: datetime) -> bool:
    """Return whether the window is closed, or would be by the time its missing wave ends."""
    ends = [wave.finished for wave in (pair.from_wave, pair.to_wave) if wave.finished is not None]
    return bool(ends) and now >= min(ends) + WINDOW
