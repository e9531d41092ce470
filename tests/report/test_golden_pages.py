"""The report's pages, byte for byte: a change of words or marks shows as a difference of these files.

`RUNBOOK_UPDATE_GOLDEN=1 pytest tests/report/test_golden_pages.py` writes them anew. Six ledgers stand
whole in `tests/golden/pages`; of all others only the SHA-256 of their page is kept.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import chdir
from difflib import unified_diff
from functools import cache
from itertools import islice
from pathlib import Path

import pytest

from runbook.checklist import groups_of
from runbook.clock import VirtualClock
from runbook.operations.check_plan import checked_plan
from runbook.operations.root import Root
from runbook.report import build, planned_page, render
from runbook.report.checklist_html import checklist_html
from tests.report import evenings

GOLDEN = Path(__file__).parents[1] / "golden"
PAGES = GOLDEN / "pages"
SUMS = GOLDEN / "pages.sha256"
PLANS = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
UPDATE = bool(os.environ.get("RUNBOOK_UPDATE_GOLDEN"))
LANGUAGES = ("en", "de")

WHOLE = {
    "clean": evenings.clean,
    "differences": evenings.differing,
    "unknown": evenings.mixed,
    "stopped": evenings.stopped,
    "rehearsal": lambda: evenings.clean(rehearsal=True),
    "many-jobs": lambda: evenings.clean(("eng", "ops", "svc", "hr", "fin")),
}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", WHOLE)
def test_the_page_of_a_ledger_is_the_same_byte_for_byte(name: str, lang: str) -> None:
    page = render(build(WHOLE[name]().view(), lang=lang))
    file = PAGES / f"{name}.{lang}.html"
    if UPDATE:
        file.write_text(page, encoding="utf-8", newline="\n")
    kept = file.read_text(encoding="utf-8")
    changes = unified_diff(kept.splitlines(), page.splitlines(), "golden", "now", lineterm="", n=1)
    assert kept == page, "\n".join(line[:300] for line in islice(changes, 60))


def other_pages() -> Iterator[tuple[str, str]]:
    """Yield every other page with its name."""
    others = {
        **evenings.evenings(),
        "hostile": evenings.hostile(),
        "hostile short": evenings.hostile(short=True),
        "due with differences": evenings.due(result="differences"),
        "worst first page": evenings.worst_first_page(),
        "worst verified": evenings.worst_verified(),
    }
    for name, evening in others.items():
        for lang in LANGUAGES:
            yield f"{name} {lang}", render(build(evening.view(), lang=lang))
    root = Root(environ={}, clock=VirtualClock(evenings.START), interactive=False)
    for path in PLANS:
        # A page names its plan's file as it was given, and a checkout may lie anywhere.
        with chdir(path.parent):
            checked = checked_plan(root, Path(path.name))
        page = planned_page(checked.plan, checked.findings, checked.facts.at)
        yield f"planned {path.name}", page
        yield f"checklist {path.name}", checklist_html(checked.plan, groups_of(checked.plan))


@cache
def sums() -> dict[str, str]:
    return {name: hashlib.sha256(page.encode()).hexdigest() for name, page in other_pages()}


def test_every_other_page_is_the_same_byte_for_byte() -> None:
    text = "".join(f"{sha256}  {name}\n" for name, sha256 in sums().items())
    if UPDATE:
        SUMS.write_text(text, encoding="utf-8", newline="\n")
    assert text == SUMS.read_text(encoding="utf-8")
