"""The app-link checklist: which directions a person has to authorize, where, and signed in as whom.

In: a plan. Out: its directions grouped by site and account, their states, and the clicks as
sentences. Pure. Only jobs that recreate links need an authorized app link; one sign-in on a site
covers every direction that starts there. No documented API tells whether a link is
authorized (links-api.md 4), so a person's attestation is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

from runbook.plan.model import AppLink, Instance, Plan
from runbook.text import moment, plural, printable

# Where Jira shows its application links; the page is also reached through the settings.
ADMIN_PATH = "/plugins/servlet/applinks/listApplicationLinks"


class LinkState(StrEnum):
    """The state of one direction, the best first; `incomplete` lacks who or when (RB302)."""

    DONE = "done"
    INCOMPLETE = "incomplete"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One direction of a pair of sites: the jobs it serves, and what is attested of it."""

    source: str
    destination: str
    instances: tuple[Instance, ...]

    @property
    def id(self) -> str:
        """Return the id of its first job."""
        return self.instances[0].id

    @property
    def state(self) -> LinkState:
        """Return the worst state of its jobs."""
        states = [state_of(instance.app_link) for instance in self.instances]
        return max(states, key=list(LinkState).index)

    @property
    def link(self) -> AppLink | None:
        """Return the attestation of the first job that has one."""
        return next((job.app_link for job in self.instances if job.app_link is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLinkGroup:
    """Everything that one sign-in covers: a site, an account, and the directions that start there.

    `issue` is a key known to exist on the site (from a probe), None where the plan names none.
    """

    site: str
    account: str
    issue: str | None
    directions: tuple[Direction, ...]


def state_of(link: AppLink | None) -> LinkState:
    """Return the state that an attestation amounts to."""
    if link is None or not link.authorized:
        return LinkState.OPEN
    return LinkState.DONE if link.by and link.at else LinkState.INCOMPLETE


def groups_of(plan: Plan) -> tuple[AppLinkGroup, ...]:
    """Return the directions of a plan by site and account, in plan order."""
    by_source: dict[str, dict[str, list[Instance]]] = {site.url: {} for site in plan.sites}
    for instance in plan.instances:
        if instance.recreate_as_remote:
            starting_here = by_source.setdefault(instance.product_url, {})
            starting_here.setdefault(instance.destination_url, []).append(instance)
    groups = []
    for source, by_destination in by_source.items():
        if not by_destination:
            continue
        site = plan.site(source)
        jobs = [job for members in by_destination.values() for job in members]
        groups.append(
            AppLinkGroup(
                site=source,
                account="default" if site is None else site.account,
                issue=next((probe.issue for job in jobs for probe in job.probe), None),
                directions=tuple(
                    Direction(source=source, destination=destination, instances=tuple(members))
                    for destination, members in by_destination.items()
                ),
            )
        )
    return tuple(groups)


def count_states(groups: Iterable[AppLinkGroup]) -> dict[str, int]:
    """Return how many directions are in each state."""
    states = [direction.state for group in groups for direction in group.directions]
    return {state.value: states.count(state) for state in LinkState}


def host(url: str) -> str:
    """Return the host of a site's address, for display."""
    return printable(urlsplit(url).hostname or url)


def preparation(group: AppLinkGroup) -> tuple[str, ...]:
    """Return what to do once per site: sign in, and see that the app links exist."""
    others = ", ".join(host(direction.destination) for direction in group.directions)
    return (
        f"Sign in to {printable(group.site)} with account `{group.account}`, whose API token submits the jobs: an authorization belongs to whoever is signed in.",
        f"See that an app link exists to {others}, and create it where it is missing: Jira settings > Products > Application links, usually at {printable(group.site)}{ADMIN_PATH}",
    )


def clicks(group: AppLinkGroup, direction: Direction) -> tuple[str, ...]:
    """Return the clicks for one direction; labels may have changed, so each names its purpose."""
    issue = f"{group.site}/browse/{quote(group.issue)}" if group.issue else f"{group.site}/issues"
    return (
        f"Open any issue (work item) of this site: {printable(issue)}",
        "Begin to link it to another one: `Link issue` (or `Link work item`).",
        f"Open the drop-down that says `Local` and choose the other site: {host(direction.destination)}",
        "Choose `Authorize and search` and follow the prompts until the search of the other site works.",
        "Leave without making the link: the authorization is what counts.",
    )


def attested(direction: Direction, zone: tzinfo) -> str:
    """Return the attestation of a direction in words."""
    link = direction.link
    if link is None or not link.authorized:
        return "open"
    at = moment(link.at, zone) if link.at else None
    told = {"by": link.by, "at": at, "as": link.as_account, "evidence": link.evidence}
    words = ["authorized", *(f"{name} {printable(value)}" for name, value in told.items() if value)]
    missing = [name for name, value in (("by", link.by), ("at", link.at)) if not value]
    if missing:
        words.append(f"but without {' and '.join(f'`{name}`' for name in missing)}")
    if direction.state is LinkState.OPEN:
        words.append("but not for every job of this direction")
    return " ".join(words)


def summary(plan: Plan, groups: tuple[AppLinkGroup, ...]) -> str:
    """Return one sentence on how far the checklist is."""
    counts = count_states(groups)
    total = sum(counts.values())
    if not total:
        return f"{plan.name}: no job recreates links, so no app link has to be authorized"
    parts = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{plan.name}: {plural(total, 'direction')}, {parts}"


def checklist_text(plan: Plan, groups: tuple[AppLinkGroup, ...]) -> str:
    """Return the checklist for a terminal."""
    lines = [summary(plan, groups)]
    marks = {LinkState.DONE: "[x]", LinkState.INCOMPLETE: "[?]", LinkState.OPEN: "[ ]"}
    for group in groups:
        lines += ["", f"{printable(group.site)}, signed in with account `{group.account}`"]
        for direction in group.directions:
            ids = ", ".join(printable(instance.id) for instance in direction.instances)
            lines.append(
                f"  {marks[direction.state]} to {host(direction.destination)} ({ids}): "
                f"{attested(direction, plan.zone)}"
            )
        still_open = [d for d in group.directions if d.state is LinkState.OPEN]
        if still_open:
            lines += [f"      {text}" for text in preparation(group)]
            steps = clicks(group, still_open[0])
            lines += [f"      {number}. {text}" for number, text in enumerate(steps, start=1)]
        if len(still_open) > 1:
            rest = ", ".join(host(direction.destination) for direction in still_open[1:])
            lines.append(f"      then again from step 2 for {rest}")
    return "\n".join(lines)


def checklist_json(plan: Plan, groups: tuple[AppLinkGroup, ...]) -> dict[str, Any]:
    """Return the checklist as `checklist --format json` prints it."""
    counts = count_states(groups)
    return {
        "format": 1,
        "plan": {"name": plan.name, "digest": plan.digest},
        "counts": counts,
        "groups": [
            {
                "site": group.site,
                "account": group.account,
                "admin_url": group.site + ADMIN_PATH,
                "preparation": list(preparation(group)),
                "directions": [_direction_json(group, direction) for direction in group.directions],
            }
            for group in groups
        ],
    }


def _direction_json(group: AppLinkGroup, direction: Direction) -> dict[str, Any]:
    link = direction.link
    return {
        "ids": [instance.id for instance in direction.instances],
        "from": direction.source,
        "to": direction.destination,
        "state": direction.state.value,
        "authorized": bool(link and link.authorized),
        "as": link.as_account if link else None,
        "by": link.by if link else None,
        "at": link.at.isoformat() if link and link.at else None,
        "evidence": link.evidence if link else None,
        "clicks": list(clicks(group, direction)),
    }
