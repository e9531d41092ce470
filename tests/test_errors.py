"""One tree of errors, one table of exit codes, one order where several apply."""

import itertools
import re
from pathlib import Path

import pytest

from runbook import errors
from runbook.errors import PRECEDENCE, ExitCode, RunbookError, foremost

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_lists_every_exit_code_with_its_meaning() -> None:
    """In the order of the codes, and no other code."""
    rows = re.findall(r"^\| (\d+) \| \S.* \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in ExitCode]


def test_the_exit_codes_stay_what_they_are() -> None:
    """Scripts depend on them."""
    assert [code.value for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130]


def test_precedence_is_the_documented_one() -> None:
    """4, 9, 7, 6, 8, 5 in this order."""
    assert [code.value for code in PRECEDENCE] == [4, 9, 7, 6, 8, 5]


@pytest.mark.parametrize("pair", list(itertools.combinations(range(len(PRECEDENCE)), 2)), ids=str)
def test_of_two_codes_the_earlier_one_wins(pair: tuple[int, int]) -> None:
    """In whichever order they were met."""
    first, second = (PRECEDENCE[index] for index in pair)
    assert foremost([first, second]) is foremost([second, first]) is first


def test_nothing_wrong_is_done() -> None:
    """No code at all, or only `DONE`, ends with 0."""
    assert foremost([]) is foremost([ExitCode.DONE]) is ExitCode.DONE


def families() -> list[type[RunbookError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, RunbookError) and kind is not RunbookError
    ]


def test_each_family_has_a_code_of_its_own() -> None:
    """No two families of errors end with the same code, and none with 0 or 1."""
    codes = [kind.exit_code for kind in families()]
    assert len(set(codes)) == len(codes) == 5
    assert not {ExitCode.DONE, ExitCode.INTERNAL} & set(codes)


@pytest.mark.parametrize("kind", families(), ids=lambda kind: kind.__name__)
def test_an_error_carries_its_message_and_hint_apart(kind: type[RunbookError]) -> None:
    """The boundary shows the hint below the message."""
    problem = kind("what happened", hint="what to do")
    assert (str(problem), problem.hint) == ("what happened", "what to do")
