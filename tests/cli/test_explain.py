"""`runbook explain`: every code has a section, in the package and in the documentation."""

from pathlib import Path

import pytest

from runbook.checks.codes import CODES, catalog, sections
from runbook.plan import load_plan_bytes
from tests.cli.ledgers import call

ROOT = Path(__file__).resolve().parents[2]


def test_every_code_has_a_section_and_no_section_is_left_over():
    assert list(sections()) == list(CODES)


def test_the_documentation_is_what_the_package_ships():
    assert (ROOT / "docs" / "checks.md").read_text(encoding="utf-8") == catalog()


@pytest.mark.parametrize("code", CODES)
def test_a_section_says_severity_why_and_how(capsys, code):
    assert call("explain", code) == 0
    out = capsys.readouterr().out
    severity, what = CODES[code]
    assert out.startswith(f"### {code} {what}\n")
    assert f"Severity: {severity.value}" in out
    assert "**Why it matters.**" in out
    assert "**How to fix it.**" in out


@pytest.mark.parametrize("word", ["rb301", "301", " RB301 "])
def test_a_code_is_known_in_any_spelling(capsys, word):
    assert call("explain", word) == 0
    assert "RB301" in capsys.readouterr().out


def test_an_unknown_code_is_a_wrong_call(capsys):
    assert call("explain", "RB999") == 2
    assert "no check `RB999`" in capsys.readouterr().err


def test_without_a_code_all_are_listed(capsys):
    assert call("explain") == 0
    assert [line[:5] for line in capsys.readouterr().out.splitlines()] == list(CODES)


def test_the_examples_of_the_sections_are_yaml():
    blocks = [block.split("```")[0] for block in catalog().split("```yaml\n")[1:]]
    assert len(blocks) > 30
    for block in blocks:
        if "\t" in block:
            continue
        for one in load_plan_bytes(block.encode(), "docs").findings:
            assert one.code != "RB100", block
