"""The checklist as a sheet of paper: one HTML file without scripts, to print, tick and sign.

In: a plan and its grouped directions. Out: the page. Same plan, same bytes.
"""

from markupsafe import Markup, escape

from runbook.checklist import (
    AppLinkGroup,
    LinkState,
    attested,
    clicks,
    count_states,
    host,
    preparation,
    summary,
)
from runbook.plan.model import Plan
from runbook.report.templates import content_hash, element_source, environment
from runbook.text import moment, printable

_MARKS = {
    LinkState.DONE: ("☑", "done"),
    LinkState.INCOMPLETE: ("☐", "lacks who or when"),
    LinkState.OPEN: ("☐", "open"),
}


def checklist_html(plan: Plan, groups: tuple[AppLinkGroup, ...]) -> str:
    """Return the sheet as HTML."""
    made = environment()
    made.filters["ticked"] = _ticked
    style = element_source("checklist.css")
    return made.get_template("checklist.html.j2").render(
        style=Markup(style),  # noqa: S704 - ours, without a value of anybody in it
        style_digest=content_hash(style),
        title=f"App links of {printable(plan.name)}",
        summary=summary(plan, groups),
        counts=count_states(groups),
        customer=printable(plan.customer or ""),
        change=printable(plan.change or ""),
        cutover=None if plan.cutover is None else moment(plan.cutover, plan.zone),
        digest=plan.digest,
        groups=[_group(plan, group) for group in groups],
    )


def _ticked(text: str) -> object:
    """Return a sentence whose words in backticks are set apart; everything in it is escaped."""
    parts = [str(escape(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return text
    marked = (f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
    return Markup("".join(marked))  # noqa: S704


def _group(plan: Plan, group: AppLinkGroup) -> dict[str, object]:
    first = next(
        (direction for direction in group.directions if direction.state is LinkState.OPEN),
        group.directions[0],
    )
    return {
        "site": printable(group.site),
        "account": printable(group.account),
        "preparation": preparation(group),
        "clicks": clicks(group, first),
        "several": len(group.directions) > 1,
        "directions": [
            {
                "mark": _MARKS[direction.state][0],
                "state": _MARKS[direction.state][1],
                "to": host(direction.destination),
                "ids": [printable(job.id) for job in direction.instances],
                "attested": ""
                if direction.state is LinkState.OPEN
                else attested(direction, plan.zone),
            }
            for direction in group.directions
        ],
    }
