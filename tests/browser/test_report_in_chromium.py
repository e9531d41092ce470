"""The report as its readers have it: opened from a file, in a real browser, on paper."""

import io
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import missing, node_module, written
from tests.report import evenings

pytestmark = pytest.mark.browser

NAMES = (*evenings.evenings(), "hostile")


@pytest.mark.parametrize("name", NAMES)
def test_a_report_opens_without_a_word_and_without_a_request(opened: Any, name: str) -> None:
    """Nothing on the console, nothing asked for but the file itself, no sideways scrolling."""
    seen = opened(name)
    assert seen.said == []
    assert len(seen.asked) == 1
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 1280
    assert seen.page.evaluate("window.hit") is None
    outside = seen.page.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') && !e.closest('.unseen')"
        " && e.getBoundingClientRect().right > 1280).map(e => e.outerHTML.slice(0, 80))"
    )
    assert outside == []


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("name", ["long names", "due", "halted", "differing", "worst verified"])
def test_no_table_scrolls_sideways(opened: Any, name: str, lang: str) -> None:
    """At 1280 pixels every column of every table is seen whole, also with long names in German."""
    page = opened(name, lang=lang).page
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    scrolled = page.evaluate(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => [e.getAttribute('aria-label'), e.scrollWidth, e.clientWidth])"
    )
    assert scrolled == []


# Only what was violated leaves the page: all that axe looked at is megabytes.
AXE = """axe.run(document, {resultTypes: ['violations']}).then(result => result.violations.map(one =>
    [one.id, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary.slice(0, 300)]))"""


LOOKS = (
    *itertools.product(("mixed", "differing", "hostile"), ("light", "dark", "print")),
    ("rehearsal", "dark"),
    ("running", "light"),
)


@pytest.mark.parametrize(("name", "look"), LOOKS)
def test_axe_finds_no_violation(opened: Any, name: str, look: str) -> None:
    """WCAG rules of axe hold in light, dark and print."""
    axe = node_module("axe-core/axe.min.js").read_text(encoding="utf-8")
    seen = opened(name, scheme="dark" if look == "dark" else "light", bypass_csp=True)
    if look == "print":
        seen.page.emulate_media(media="print")
    seen.page.evaluate(axe)
    assert seen.page.evaluate(AXE) == []


def test_the_nu_checker_finds_no_error(tmp_path: Path) -> None:
    """Every kind of report is valid HTML, in either language."""
    if shutil.which("java") is None:
        missing("java", "install a Java runtime")
    jar = node_module("vnu-jar/build/dist/vnu.jar")
    files = []
    for name, lang in [*((name, "en") for name in NAMES), ("differing", "de")]:
        file = tmp_path / f"{name}-{lang}.html"
        file.write_text(written(name, lang), encoding="utf-8")
        files.append(str(file))
    done = subprocess.run(
        ["java", "-jar", str(jar), "--errors-only", "--format", "gnu", *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def rows(page: Any) -> list[str]:
    return page.eval_on_selector_all(
        "#jobs-table tbody tr",
        "all => all.filter(r => r.offsetParent).map(r => r.cells[1].textContent)",
    )


def test_jobs_can_be_filtered_searched_and_sorted(opened: Any) -> None:
    """A state, a word, an order; the details follow the table, and the count says so."""
    page = opened("mixed").page
    every = rows(page)
    assert len(every) == 6
    page.select_option("#jobs-table-state", "unknown")
    assert rows(page) == ["eng-to-svc"]
    assert (
        page.eval_on_selector_all("article.job", "a => a.filter(j => j.offsetParent).length") == 1
    )
    assert page.inner_text("form.tools output").startswith("1 of 6")
    page.select_option("#jobs-table-state", "")
    page.fill("#jobs-table-search", "svc refused")
    assert rows(page) == []
    page.fill("#jobs-table-search", "SVC-to")
    assert rows(page) == ["svc-to-eng", "svc-to-ops"]
    page.fill("#jobs-table-search", "")
    page.click("#jobs-table th:nth-child(2) button")
    assert rows(page) == sorted(every)
    page.click("#jobs-table th:nth-child(2) button")
    assert rows(page) == sorted(every, reverse=True)
    assert page.get_attribute("#jobs-table th:nth-child(2)", "aria-sort") == "descending"
    page.click("#jobs-table th:nth-child(1) button")
    assert rows(page) == every


def test_a_request_is_copied_as_curl_without_the_token(opened: Any) -> None:
    """The command names shell variables of the right account, and runs in a shell as it stands."""
    allowed = ["clipboard-read", "clipboard-write"]
    seen = opened("clean", hands_on_clock=True, permissions=allowed)
    selector = "#job-ops-to-eng .raw[data-account] button"
    seen.page.click(selector)
    seen.page.wait_for_function(f"document.querySelector('{selector}').textContent === 'Copied'")
    text = seen.page.evaluate("navigator.clipboard.readText()")
    assert '"$RUNBOOK_CONTOSO_OPS_EMAIL" "$RUNBOOK_CONTOSO_OPS_API_TOKEN"' in text
    assert "--request 'POST' 'https://api.atlassian.com/links/v1/" in text
    job = next(job for job in evenings.clean().jobs if job.id == "ops-to-eng")
    assert f"--data-raw '{job.body_bytes().decode()}'" in text
    assert seen.said == []
    if shutil.which("sh") is not None:
        shown = subprocess.run(
            ["sh", "-c", f"curl() {{ cat; printf '%s\\n' \"$@\"; }}\n{text}"],
            capture_output=True,
            text=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "RUNBOOK_CONTOSO_OPS_EMAIL": "a@b",
                "RUNBOOK_CONTOSO_OPS_API_TOKEN": "t",
            },
        )
        assert shown.stdout.splitlines()[-1] == job.body_bytes().decode()
        assert shown.stdout.splitlines()[0] == "Authorization: Basic YUBiOnQ="
        assert "a@b:t" not in shown.stdout


def test_a_row_has_an_address_of_its_own(opened: Any) -> None:
    """A click puts the row into the fragment; a fragment is found even behind a filter."""
    page = opened("mixed").page
    page.click("#row-eng-to-svc td:nth-child(6)")
    assert page.evaluate("location.hash") == "#row-eng-to-svc"
    page.select_option("#jobs-table-state", "error")
    page.evaluate("location.hash = '#job-eng-to-ops'")
    page.wait_for_function("document.getElementById('job-eng-to-ops').offsetParent !== null")
    assert len(rows(page)) == 6
    other = opened("mixed", fragment="#job-svc-to-ops").page
    assert other.locator("#job-svc-to-ops:target").count() == 1
    assert other.evaluate("window.scrollY") > 500


def test_without_javascript_every_fact_is_readable(opened: Any) -> None:
    """The script only adds tools: without it each job, request, answer and finding is visible."""
    page = opened("differing", java_script_enabled=False).page
    text = page.inner_text("main")
    evening = evenings.differing()
    view = evening.view()
    for job in view.jobs:
        assert job.uuid in text
        assert job.job.body_bytes().decode()[:60] in text
    for finding in view.verifications[-1].findings:
        assert finding["issue"] in text
    assert view.last_hash in text
    assert page.locator("button").count() == 0


def test_a_run_under_way_reloads_and_can_be_paused(opened: Any) -> None:
    """A live report reloads itself; a reader can stop that; a final report never does."""
    seen = opened("running", hands_on_clock=True)
    page = seen.page
    assert page.inner_text("#refreshing button") == "Pause reloading"
    page.evaluate("window.loaded = 'once'")
    page.clock.run_for(4_000)
    assert page.evaluate("window.loaded") == "once"
    page.clock.run_for(2_000)
    page.wait_for_function("window.loaded === undefined && document.readyState === 'complete'")
    assert seen.said == []
    page.evaluate("window.loaded = 'twice'")
    page.click("#refreshing button")
    assert page.inner_text("#refreshing button") == "Reload again"
    page.clock.run_for(60_000)
    assert page.evaluate("window.loaded") == "twice"
    assert opened("clean").page.locator("#refreshing").count() == 0


def printed(page: Any, *, pages: int | None = None) -> list[str]:
    """Return the text of every page of paper, or of the first `pages`."""
    try:
        from pypdf import PdfReader
    except ImportError:
        missing("pypdf", "pip install pypdf")
    data = page.pdf(prefer_css_page_size=True, print_background=True)
    paper = PdfReader(io.BytesIO(data)).pages[:pages]
    return [" ".join(sheet.extract_text().split()) for sheet in paper]


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize(
    "name",
    [
        "clean",
        "mixed",
        "differing",
        "stopped",
        "worst",
        "worst verified",
        "due",
        "long names",
        "halted",
    ],
)
def test_the_first_printed_page_stands_alone(opened: Any, name: str, lang: str) -> None:
    """Verdict, numbers, what is not done and the deadlines share one page; the matrix begins the next."""
    pages = printed(opened(name, lang=lang).page, pages=2)
    verdict, deadlines, matrix = {
        "en": ("Run report", "3 Deadlines", "4 Sites and directions"),
        "de": ("Bericht eines Laufs", "3 Fristen", "4 Sites und Richtungen"),
    }[lang]
    assert verdict in pages[0]
    assert deadlines in pages[0]
    assert matrix not in pages[0]
    assert matrix in pages[1]


def test_jobs_share_pages_of_paper(opened: Any) -> None:
    """Six jobs with all their requests and answers take no page each, and their names no page's last line."""
    pages = printed(opened("clean").page)
    begins = next(n for n, text in enumerate(pages) if "What was sent and answered" in text)
    ends = next(n for n, text in enumerate(pages) if "7 Findings and waivers" in text)
    assert ends - begins <= 4
    for job in evenings.clean().jobs:
        (page,) = [text for text in pages[begins : ends + 1] if f"{job.id} ✓ complete" in text]
        assert "Holds links" in page.split(f"{job.id} ✓ complete")[1]
        assert "Request 1" in page.split(f"{job.id} ✓ complete")[1]


def test_paper_has_page_numbers_marks_and_every_row(opened: Any) -> None:
    """Each page is numbered, a rehearsal is marked on each, and a filter hides nothing on paper."""
    page = opened("rehearsal").page
    page.fill("#jobs-table-search", "no such job")
    pages = printed(page)
    for number, text in enumerate(pages, start=1):
        assert f"Page {number} / {len(pages)}" in text
        assert "REHEARSAL" in text
    whole = "".join(re.sub(r"\s", "", text) for text in pages)
    view = evenings.clean(rehearsal=True).view()
    for job in view.jobs:
        assert whole.count(job.id) >= 3
        assert job.uuid in whole
    for finding in view.findings:
        assert finding["code"] in whole
