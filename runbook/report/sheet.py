"""The checklist as a sheet of paper: one HTML file without scripts, to print, tick and sign.

In: a plan and its grouped directions. Out: the page. Same plan, same bytes.
"""

import base64
import hashlib
from pathlib import Path

import runbook
from runbook.checklist import (
    Group,
    LinkState,
    attested,
    clicks,
    count_states,
    host,
    preparation,
    summary,
)
from runbook.plan.model import Plan
from runbook.text import moment, printable

_STYLE = """\
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1.5rem; background: #fff; color: #1b1f24;
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
p, ol, ul { margin: .3rem 0 .6rem; }
li { margin: .15rem 0; overflow-wrap: anywhere; }
section { border-top: 2px solid #1b1f24; margin-top: 1.6rem; padding-top: .8rem; }
table { border-collapse: collapse; margin: .6rem 0; table-layout: fixed; width: 100%; }
th, td { border: 1px solid #6a737d; overflow-wrap: anywhere; padding: .4rem .5rem; text-align: left;
  vertical-align: top; }
th { background: #eef1f4; font-weight: 600; }
td.blank { height: 2.6rem; }
.tick { width: 4rem; text-align: center; }
td.tick { font-size: 1.3rem; line-height: 1.2; }
code { font-family: inherit; font-weight: 600; }
.facts { color: #414a54; }
.sign { display: grid; gap: 2.5rem; grid-template-columns: 1fr 1fr; margin-top: 3rem; }
.sign p { border-top: 1px solid #1b1f24; margin: 0; padding-top: .2rem; }
@page { margin: 16mm; size: A4; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; }
  h2, tr, ol { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
_MARKS = {
    LinkState.DONE: ("☑", "done"),
    LinkState.INCOMPLETE: ("☐", "lacks who or when"),
    LinkState.OPEN: ("☐", "open"),
}


def checklist_html(plan: Plan, groups: tuple[Group, ...]) -> str:
    """Return the sheet as HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_template_folders()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["ticked"] = _ticked
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
    return environment.get_template("checklist.html.j2").render(
        style=_marked(_STYLE),
        style_digest=f"sha256-{digest}",
        title=f"App links of {printable(plan.name)}",
        summary=summary(plan, groups),
        counts=count_states(groups),
        customer=printable(plan.customer or ""),
        change=printable(plan.change or ""),
        cutover=None if plan.cutover is None else moment(plan.cutover, plan.zone),
        digest=plan.digest,
        groups=[_group(plan, group) for group in groups],
    )


def _marked(text: str) -> object:
    import markupsafe

    # Ours, without a value of anybody in it.
    return markupsafe.Markup(text)  # noqa: S704


def _ticked(text: str) -> object:
    """Return a sentence whose words in backticks are set apart; everything in it is escaped."""
    import markupsafe

    parts = [str(markupsafe.escape(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return text
    marked = (f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
    return markupsafe.Markup("".join(marked))  # noqa: S704


def _template_folders() -> list[str]:
    package = Path(runbook.__file__).resolve().parent
    # Inside the wheel, and beside the package in a checkout.
    return [str(package / "templates"), str(package.parent / "templates")]


def _group(plan: Plan, group: Group) -> dict[str, object]:
    first = next(
        (one for one in group.directions if one.state is LinkState.OPEN), group.directions[0]
    )
    return {
        "site": printable(group.site),
        "account": printable(group.account),
        "preparation": preparation(group),
        "clicks": clicks(group, first),
        "several": len(group.directions) > 1,
        "directions": [
            {
                "mark": _MARKS[one.state][0],
                "state": _MARKS[one.state][1],
                "to": host(one.destination),
                "ids": [printable(job.id) for job in one.instances],
                "attested": "" if one.state is LinkState.OPEN else attested(one, plan.zone),
            }
            for one in group.directions
        ],
    }
