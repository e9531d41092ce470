"""View -> page: the facts of a run, and what each section computes from them.

Pure: no clock, no file, no network. The same view gives the same page on any machine; what is
"now" in the report is the ledger's last event of the run.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runbook.errors import UsageError
from runbook.report.data import embedded_json
from runbook.report.deadlines import Deadlines, WindowRow, deadlines, window_rows
from runbook.report.drawing import Chart
from runbook.report.facts import Matrix, ReportFacts, facts_of, matrix
from runbook.report.provenance import Deed, deeds
from runbook.report.states import Sum
from runbook.report.text import Composed
from runbook.report.timeline import evening_chart, windows_chart
from runbook.report.verdict import RunVerdict, finding_sum, job_sum, verdict
from runbook.report.verification import (
    LinkGroup,
    LinksPart,
    WriteListing,
    kinds_sum,
    links_part,
    listings_of,
    write_groups,
)
from runbook.view import RunState, RunView

REFRESH_S = 5
LOGO_LIMIT_BYTES = 512_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The whole report, before any markup: what the templates place.

    `mark` names what is printed loudly on every page (`rehearsal`, `preview`), empty for the real
    thing; `refresh_s` is 0 for a page that is final; `data` is the embedded JSON; `logo` a data URI;
    `footer` is printed at the foot of every page and holds ASCII only.
    """

    facts: ReportFacts
    mark: Literal["", "preview", "rehearsal"]
    verdict: RunVerdict
    job_sum: Sum
    link_sum: Sum | None
    deadlines: Deadlines
    matrix: Matrix
    charts: Sequence[Chart]
    windows: Sequence[WindowRow]
    finding_sum: Sum
    links: LinksPart | None
    listings: Sequence[WriteListing]
    write_groups: Sequence[LinkGroup]
    deeds: Sequence[Deed]
    refresh_s: int
    footer: str
    data: str
    logo: str


def build(view: RunView, *, lang: str = "en", logo: bytes | None = None) -> Page:
    """Return the page of a run, or of a plan that `planned_view` made look like one.

    `logo` holds the bytes of a PNG, JPEG or SVG file of at most 512 kB.

    Raises:
        UsageError: the language is not known, or the logo is no picture of these kinds.
    """
    facts = facts_of(view, lang)
    charts = (windows_chart(facts), evening_chart(facts))
    running = view.state is RunState.RUNNING and not facts.preview
    return Page(
        facts=facts,
        mark="preview" if facts.preview else "rehearsal" if view.started.rehearsal else "",
        verdict=verdict(facts),
        job_sum=job_sum(facts),
        link_sum=kinds_sum(facts),
        deadlines=deadlines(facts),
        matrix=matrix(facts),
        charts=[chart for chart in charts if chart is not None],
        windows=list(window_rows(facts)),
        finding_sum=finding_sum(facts),
        links=links_part(facts),
        listings=list(listings_of(facts)),
        write_groups=write_groups(facts),
        deeds=deeds(facts),
        refresh_s=REFRESH_S if running else 0,
        footer=_footer(facts),
        data=embedded_json(view),
        logo="" if logo is None else logo_uri(logo),
    )


def _footer(facts: ReportFacts) -> str:
    """Return the foot of every printed page: letters and digits only, so that it is safe in CSS."""
    view = facts.view
    safe = "".join(c for c in view.id[:40] if c.isascii() and (c.isalnum() or c in "-_."))
    chain = "".join(c for c in view.last_hash[:16] if c in "0123456789abcdef")
    parts = ["runbook", "preview" if facts.preview else f"run {safe}"]
    return " / ".join([*parts, *([f"row {view.last_seq}, {chain}"] if chain else [])])


def logo_uri(logo: bytes) -> str:
    """Return a picture as a `data:` address.

    Raises:
        UsageError: the bytes are no PNG, JPEG or SVG, or too many.
    """
    if len(logo) > LOGO_LIMIT_BYTES:
        raise UsageError(
            f"the logo has {len(logo)} bytes, more than {LOGO_LIMIT_BYTES}",
            hint="save it smaller: 600 pixels wide is plenty",
        )
    start = logo[:1024].lstrip().lower()
    if logo.startswith(b"\x89PNG\r\n\x1a\n"):
        kind = "image/png"
    elif logo.startswith(b"\xff\xd8\xff"):
        kind = "image/jpeg"
    elif (
        start.startswith((b"<svg", b"<?xml", b"<!--", b"\xef\xbb\xbf<")) and b"<svg" in logo.lower()
    ):
        kind = "image/svg+xml"
    else:
        raise UsageError("the logo is neither PNG, JPEG nor SVG", hint="convert it to one of these")
    return Composed(f"data:{kind};base64,{base64.b64encode(logo).decode('ascii')}")
