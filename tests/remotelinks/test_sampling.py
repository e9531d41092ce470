"""What a sample says about the whole."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.remotelinks.verification import SampleResult, at_most_probability, upper_bound

# One-sided 95 % bounds; checked with exact fractions.
KNOWN = {(0, 100): 0.029513, (0, 300): 0.009936, (1, 100): 0.046560, (5, 50): 0.198833}


@pytest.mark.parametrize(("case", "bound"), KNOWN.items(), ids=[f"{k} of {n}" for k, n in KNOWN])
def test_known_bounds(case: tuple[int, int], bound: float) -> None:
    assert upper_bound(*case) == pytest.approx(bound, abs=5e-5)


def test_none_bad_is_close_to_the_rule_of_three() -> None:
    assert upper_bound(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert upper_bound(0, 1000) == pytest.approx(1 - 0.05 ** (1 / 1000))


def test_nothing_looked_at_says_nothing() -> None:
    assert upper_bound(0, 0) == 1.0
    assert upper_bound(4, 4) == 1.0
    sample = SampleResult(size=4, looked_at=0, total=9, bad=0, seed="s")
    assert "says nothing" in sample.sentence()


def test_drawn_rows_that_nobody_saw_count_as_bad_in_the_bound() -> None:
    sample = SampleResult(size=100, looked_at=50, total=1000, bad=0, seed="s")
    assert sample.at_most == upper_bound(50, 100) > 0.5
    assert (
        "50 of the 100 drawn could not be looked at and count as if they were" in sample.sentence()
    )
    assert "at most 58.6 % of all 1000 rows" in sample.sentence()
    assert sample.as_json()["at_most"] > 0.5


@given(n=st.integers(1, 3000), share=st.floats(0, 1))
def test_the_bound_is_where_the_probability_is_five_percent(n: int, share: float) -> None:
    bad = min(n - 1, math.floor(n * share))
    bound = upper_bound(bad, n)
    assert bad / n < bound <= 1
    assert at_most_probability(bad, n, bound) == pytest.approx(0.05, abs=1e-6)


def test_the_sentence_names_numbers_confidence_and_seed() -> None:
    sample = SampleResult(size=300, looked_at=300, total=100_000, bad=0, seed="run:abc")
    assert sample.sentence() == (
        "0 of 300 rows looked at are missing, wrong or old; with 95 % confidence at most 0.99 % of all"
        " 100000 rows are (at most 993; Clopper-Pearson, one-sided, seed `run:abc`)"
    )
