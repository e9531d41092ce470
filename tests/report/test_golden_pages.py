"""The report's pages, byte for byte: a change of words or marks shows as a difference of these files.

`python -m tests.report.golden` writes them anew; `tests/report/golden.py` says what each is.
"""

from difflib import unified_diff
from itertools import islice

import pytest

from tests.report import golden

PAGES = golden.html_pages()
SUMMED = golden.summed_pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_the_same_byte_for_byte(name: str) -> None:
    kept = (golden.PAGES / f"{name}.html").read_text(encoding="utf-8")
    page = PAGES[name]()
    changes = unified_diff(kept.splitlines(), page.splitlines(), "kept", "now", lineterm="", n=1)
    # Marks of a whole drawing stand in one line: what is cut is in the file.
    assert kept == page, "\n".join(line[:300] for line in islice(changes, 60))


@pytest.mark.parametrize("name", SUMMED)
def test_a_page_that_is_not_kept_has_the_same_sha256(name: str) -> None:
    lines = golden.SUMS.read_text(encoding="utf-8").splitlines()
    kept = {page: sha256 for sha256, _, page in (line.partition("  ") for line in lines)}
    assert golden.sha256_of(SUMMED[name]()) == kept[name]


def test_no_kept_page_is_left_without_a_maker() -> None:
    assert {file.stem for file in golden.PAGES.glob("*.html")} == set(PAGES)
    assert len(golden.SUMS.read_text(encoding="utf-8").splitlines()) == len(SUMMED)
