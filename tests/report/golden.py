"""The golden pages: what makes each, where it is kept, and how it is written anew.

    python -m tests.report.golden

writes every page to `tests/golden/pages`, and the SHA-256 of those that are not kept to
`tests/golden/pages.sha256`; review the difference before it is committed. Nothing in a page
comes from the machine, its time zone or the versions of its packages: the events are made by hand,
and the tool's version stands in them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from runbook.checklist import groups_of
from runbook.clock import isoformat_utc
from runbook.findings import Finding, Severity, Waived
from runbook.ledger.codec import Row, encode, recorded
from runbook.plan import load_plan_bytes
from runbook.plan.model import Plan
from runbook.report import build, planned_view, render
from runbook.report.checklist_html import checklist_html
from runbook.report.redact import redact_rows
from runbook.view import RunView, run_of
from tests.report import evenings, wide_evenings
from tests.report.evenings import Evening

FOLDER = Path(__file__).parents[1] / "golden"
PAGES = FOLDER / "pages"
SUMS = FOLDER / "pages.sha256"
PLANS = Path(__file__).parents[2] / "plans"
EXAMPLES = ("contoso-split", "mixed-confluence")
LANGUAGES = ("en", "de")
LOGO = b'<svg xmlns="http://www.w3.org/2000/svg"><title>Contoso</title></svg>'

WHOLE: dict[str, Callable[[], Evening]] = {
    "clean": evenings.clean,
    "differences": evenings.differing,
    "unknown": evenings.mixed,
    "stopped": evenings.stopped,
    "rehearsal": lambda: evenings.clean(rehearsal=True),
    "many-jobs": lambda: evenings.clean(("eng", "ops", "svc", "hr", "fin")),
    "everything": wide_evenings.everything,
    "live": wide_evenings.live,
    "many-jobs-undone": wide_evenings.many_jobs,
    "hostile": wide_evenings.poisoned,
    "not-attempted": wide_evenings.not_attempted,
    "spoken-and-due": wide_evenings.spoken_and_due,
}
# What is rare stands whole in English only; of the German pages the SHA-256 is kept.
RARE: dict[str, Callable[[], Evening]] = {
    "not-selected": wide_evenings.not_selected,
    "not-arrived": wide_evenings.not_arrived,
    "interrupted": wide_evenings.interrupted,
    "failed": wide_evenings.failed,
    "missed": wide_evenings.missed,
    "waves": wide_evenings.waves,
    "unreadable-plan": wide_evenings.unreadable,
    "two-waves-later": lambda: wide_evenings.later(48),
    "two-weeks-later": lambda: wide_evenings.later(14 * 24 + 2),
    "bare": wide_evenings.bare,
    "due-with-differences": lambda: evenings.due(wide_evenings.TWO, result="differences"),
    "spoken": evenings.spoken,
    "unprobed": evenings.unprobed,
    "unverified": evenings.unverified,
}
LARGE: dict[str, Callable[[], Evening]] = {
    "lean": lambda: wide_evenings.lean(14),
    "crowd": wide_evenings.crowd,
    "flood": lambda: wide_evenings.flood(1_700),
    "flood-of-details": lambda: wide_evenings.flood(2_200, 2_100),
    "high-flood": lambda: wide_evenings.flood(20_100),
    "long-words": lambda: evenings.hostile(short=True),
}


def html_pages() -> dict[str, Callable[[], str]]:
    """Return what makes each page that is kept whole, by the name of its file."""
    pages: dict[str, Callable[[], str]] = {}
    for lang in LANGUAGES:
        for name, evening in WHOLE.items():
            pages[f"{name}.{lang}"] = lambda evening=evening, lang=lang: page(
                evening().view(), lang
            )
        pages[f"redacted.{lang}"] = lambda lang=lang: page(redacted_view(), lang)
        for name in EXAMPLES:
            pages[f"preview-{name}.{lang}"] = lambda name=name, lang=lang: page(preview(name), lang)
    for name, evening in RARE.items():
        pages[f"{name}.en"] = lambda evening=evening: page(evening().view(), "en")
    pages["logo.en"] = lambda: render(build(wide_evenings.failed().view(), logo=LOGO))
    for name in EXAMPLES:
        pages[f"checklist-{name}"] = lambda name=name: checklist(plan_file(name))
    pages["checklist-varied"] = lambda: checklist(evenings.plan_named(wide_evenings.varied_plan()))
    return pages


def summed_pages() -> dict[str, Callable[[], str]]:
    """Return what makes each page of which only the SHA-256 is kept: large ones, and rare German ones."""
    evenings_in = [(name, "en") for name in LARGE]
    evenings_in += [(name, "de") for name in ("lean", *RARE)]
    every = LARGE | RARE
    return {
        f"{name}.{lang}": lambda name=name, lang=lang: page(every[name]().view(), lang)
        for name, lang in evenings_in
    }


def page(view: RunView, lang: str) -> str:
    """Return the report of a run."""
    return render(build(view, lang=lang))


def plan_file(name: str) -> Plan:
    """Return a plan of the examples, named as on any machine."""
    data = (PLANS / f"{name}.yaml").read_bytes().replace(b"\r\n", b"\n")
    return load_plan_bytes(data, f"{name}.yaml").whole_plan()


def preview(name: str) -> RunView:
    """Return what the HTML preview shows of a plan; the second one is blocked by an error."""
    plan = plan_file(name)
    note = Finding(code="RB690", severity=Severity.NOTE, message="the site was not asked")
    waived = Waived(by=None, reason="agreed by phone")
    warning = Finding(
        code="RB204", severity=Severity.WARNING, message="it is late", line=7, waived=waived
    )
    error = Finding(
        code="RB301", severity=Severity.ERROR, message="no app link", hint="authorize it", line=12
    )
    findings = [note, warning, *([error] if name == "mixed-confluence" else [])]
    view = planned_view(plan, findings, datetime(2026, 11, 22, 18, tzinfo=UTC))
    return replace(view, started=replace(view.started, tool_version="0.1.0"))


def checklist(plan: Plan) -> str:
    """Return the sheet of app links to print."""
    return checklist_html(plan, groups_of(plan))


def redacted_view() -> RunView:
    """Return the evening of everything as its redacted bundle tells it."""
    evening = wide_evenings.everything()
    rows = [
        Row(
            seq=row.seq,
            at=isoformat_utc(row.at),
            kind=row.kind,
            run=row.run,
            job=row.job,
            payload=encode(row.event),
            hash=row.hash,
        )
        for row in evening.rows
    ]
    redacted, changed = redact_rows(rows)
    assert changed
    view = run_of([recorded(row) for row in redacted], evening.run)
    assert view is not None
    return view


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a page's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_all() -> None:
    """Write every page and every SHA-256 anew; pages that nothing makes any more go."""
    pages = html_pages()
    PAGES.mkdir(parents=True, exist_ok=True)
    for kept in PAGES.glob("*.html"):
        if kept.stem not in pages:
            kept.unlink()
    for name, make in pages.items():
        (PAGES / f"{name}.html").write_text(make(), encoding="utf-8", newline="\n")
    sums = [f"{sha256_of(make())}  {name}\n" for name, make in summed_pages().items()]
    SUMS.write_text("".join(sums), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_all()
