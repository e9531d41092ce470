"""The table of mutants fits the code that it breaks."""

import ast

import pytest

from tests.mutants.table import MUTANTS, Mutant
from tests.mutants.tree import ROOT, problems


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_every_edit_finds_its_place_and_leaves_python(mutant: Mutant) -> None:
    """An entry that no longer fits would break nothing, and so prove nothing."""
    assert list(problems(mutant)) == []
    for file in {edit.file for edit in mutant.edits}:
        text = (ROOT / file).read_text(encoding="utf-8")
        for edit in mutant.edits:
            if edit.file == file:
                text = text.replace(edit.old, edit.new)
        ast.parse(text)


def test_every_mutant_has_a_name_and_a_promise_of_its_own() -> None:
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.promise for mutant in MUTANTS}) == len(MUTANTS)
