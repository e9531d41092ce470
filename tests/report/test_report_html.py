"""The file itself: the same bytes anywhere, inert whatever it holds, complete without a script."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from runbook.report import build, render, report_json
from runbook.report.templates import template_dir
from runbook.report.text import anchor, clip, visible, web_address
from tests.report import evenings

EVENINGS = evenings.evenings()
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


class Reader(HTMLParser):
    """Collects the tags, ids, links, words, scripts and styles of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside.append(tag)
            self.raw[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.raw[self.inside[-1]][-1] += data
        else:
            self.words.append(data)

    def all(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]

    def data(self) -> dict[str, Any]:
        return json.loads(self.raw["script"][0])


@cache
def html_of(name: str, lang: str = "en") -> str:
    return render(build(EVENINGS[name].view(), lang=lang))


@pytest.fixture(scope="module")
def hostile() -> str:
    return render(build(evenings.hostile().view()))


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("name", EVENINGS)
def test_the_policy_names_the_hashes_of_exactly_this_style_and_script(name: str, lang: str) -> None:
    """Nothing but the one style and the one script of the file may run, and nothing may load."""
    page = Reader(html_of(name, lang))
    (policy,) = [
        a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for kind, text in (("style-src", page.raw["style"][0]), ("script-src", page.raw["script"][1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert len(page.raw["script"]) == 2
    assert page.all("style") == []
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)


@pytest.mark.parametrize("name", [*EVENINGS, "hostile"])
def test_ids_are_unique_and_every_inner_link_leads_somewhere(name: str, hostile: str) -> None:
    """A fragment always finds its row."""
    page = Reader(hostile if name == "hostile" else html_of(name))
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert not [found for found in ids if re.search(r"\s", found)]
    inner = {href[1:] for href in page.all("href") if href.startswith("#")}
    lost = inner - set(ids)
    assert lost == set() if name != "hostile" else len(lost) <= 1


def test_hostile_text_is_inert_everywhere(hostile: str) -> None:
    """Scripts, handlers, addresses, styles, bidi controls and endless words change nothing."""
    page = Reader(hostile)
    calm = Reader(html_of("differing"))
    allowed = {tag for tag, _ in calm.tags} | {"i"}
    assert {tag for tag, _ in page.tags} <= allowed
    assert len(page.raw["script"]) == 2
    assert len(page.raw["style"]) == 1
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for href in [*page.all("href"), *page.all("src")]:
        assert href.startswith(("#", "https://", "http://")), href[:80]
    for hidden in ("\u202e", "\u2066", "\u2028", "\x00", "\x1b", "\ud800"):
        assert hidden not in hostile
    words = " ".join(page.words)
    assert "⟦U+202E⟧" in words
    assert "{{ 7 * 7 }}" in words
    assert max(len(word) for word in words.split()) < 10_000
    assert len(hostile) < 6_000_000


def test_a_text_that_was_cut_is_whole_in_the_data(hostile: str) -> None:
    """What the page shortens, the embedded data holds once, under its hash."""
    kept = Reader(hostile).data()["long_texts"]
    poison = " ".join(evenings.PAYLOADS)
    assert poison in kept.values()
    for digest, text in kept.items():
        assert hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() == digest


def test_nothing_is_hidden_without_a_script() -> None:
    """Every fact is text of the page: no closed details, nothing hidden, nothing that waits."""
    for name in EVENINGS:
        page = Reader(html_of(name))
        assert "details" not in {tag for tag, _ in page.tags}
        assert page.all("hidden") == []
        words = " ".join(page.words)
        for job in EVENINGS[name].view().jobs:
            assert job.id in words
            if job.uuid:
                assert job.uuid in words


def test_only_http_links_leave_the_page() -> None:
    """Other schemes, credentials and odd characters make no link."""
    assert web_address("https://contoso.atlassian.net/browse/A-1")
    for bad in (
        "javascript:alert(1)", "data:text/html,x", "https://u:p@h.example/", "https://h/ x",
        "https://", "ftp://h/", "https:/\\evil", "//h/", "https://h/\u202e", "x" * 3000, "http://[::1",
    ):  # fmt: skip
        assert web_address(bad) is None, bad


def test_ids_from_odd_names_stay_apart() -> None:
    """Two jobs never share a place."""
    names = ["a b", "a-b", "a  b", "ä", "ö", "", "<", "a" * 500, "a" * 501]
    anchors = [anchor("job", name) for name in names]
    assert len(set(anchors)) == len(names)
    assert all(re.fullmatch(r"job-[A-Za-z0-9._-]+", made) for made in anchors)
    assert visible("a\r\nb\tc\u202f") == "a\nb\tc\u202f"
    assert clip("x" * 10, 5) == "xxxx…"


def test_six_jobs_stay_small() -> None:
    """The report of a usual evening can be mailed."""
    assert all(len(html_of(name).encode()) < 1_500_000 for name in EVENINGS)


SCRIPT = """
import hashlib, locale, sys
try: locale.setlocale(locale.LC_ALL, "")
except locale.Error: pass
from runbook.report import build, render
from tests.report import evenings
for lang in ("en", "de"):
    for name in ("mixed", "differing", "running"):
        text = render(build(evenings.evenings()[name].view(), lang=lang))
        print(lang, name, hashlib.sha256(text.encode()).hexdigest())
"""


def test_the_same_ledger_gives_the_same_bytes_in_any_zone_and_locale() -> None:
    """Neither time zone nor locale nor hash seed of a machine shows in the file."""
    said = set()
    for zone, locale, seed in (
        ("UTC", "C", "0"),
        ("Asia/Kathmandu", "de_DE.UTF-8", "7"),
        ("America/Lima", "tr_TR.UTF-8", "99"),
    ):
        environ = {
            **os.environ,
            "TZ": zone,
            "LC_ALL": locale,
            "LANG": locale,
            "PYTHONHASHSEED": seed,
            "PYTHONUTF8": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        )
        said.add(done.stdout)
    assert len(said) == 1
    assert said.pop().count("\n") == 6


@pytest.mark.parametrize("name", ["mixed", "differing"])
def test_the_words_of_the_report_are_golden(name: str) -> None:
    """The text of a report is reviewed as a diff; rewrite it with RUNBOOK_UPDATE_GOLDEN=1."""
    page = Reader(html_of(name))
    lines = [" ".join(text.split()) for text in page.words]
    text = "\n".join(line for line in lines if line) + "\n"
    file = GOLDEN / f"report-{name}.txt"
    if os.environ.get("RUNBOOK_UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8", newline="\n")
    assert file.read_text(encoding="utf-8") == text


def test_the_json_is_status_and_more() -> None:
    """Programs find in `report --format json` what `status` says, and the rest beside it."""
    view = EVENINGS["differing"].view()
    report, status = report_json(view), view.as_json()
    assert report["format"] == 1
    assert report["counts"] == status["counts"]
    assert status["run"].items() <= report["run"].items()
    for more, less in zip(report["jobs"], status["jobs"], strict=True):
        assert less.items() <= more.items()
        assert more["sent"][0]["exchange"]["answer"]["status"] == 200
    assert len(report["verifications"][1]["findings"]) == 15
    json.dumps(report)


def test_the_templates_are_found_in_a_wheel_and_in_a_checkout(tmp_path: Path) -> None:
    """Inside the package first, beside it second."""
    assert template_dir() == ROOT / "templates"
    inside = tmp_path / "runbook" / "templates"
    inside.mkdir(parents=True)
    (inside / "report.html.j2").write_text("")
    assert template_dir(tmp_path / "runbook") == inside
