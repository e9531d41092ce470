"""What a sample says about the whole, with its confidence, exactly.

Clopper-Pearson bounds of a binomial proportion: they hold whatever the true share is, and are a
little wide where the sample is a large part of the whole. Pure, no statistics library.
"""

import math
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleWord:
    """A sample of `size` rows out of `total`; of the `looked_at`, `bad` were missing, wrong or old."""

    size: int
    looked_at: int
    total: int
    bad: int
    seed: str

    @property
    def at_most(self) -> float:
        """Return the share of bad rows that is not exceeded, with 95 % confidence.

        A drawn row that could not be looked at may be bad and counts so: what hides rows (a site that
        answers nothing) rarely hides them by chance.
        """
        return upper_bound(self.bad + self.size - self.looked_at, self.size)

    def sentence(self) -> str:
        """Return what the sample says, in words."""
        if self.looked_at == 0:
            return f"none of the {self.size} drawn rows could be looked at: the sample says nothing"
        unseen = self.size - self.looked_at
        hidden = (
            f" {unseen} of the {self.size} drawn could not be looked at and count as if they were;"
            if unseen
            else ""
        )
        return (
            f"{self.bad} of {self.looked_at} rows looked at are missing, wrong or old;{hidden} with 95 % confidence"
            f" at most {_percent(self.at_most)} of all {self.total} rows are"
            f" (at most {math.floor(self.at_most * self.total + 1e-9)}; Clopper-Pearson, one-sided, seed `{self.seed}`)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the sample as the ledger keeps it."""
        return {
            "size": self.size,
            "looked_at": self.looked_at,
            "total": self.total,
            "bad": self.bad,
            "seed": self.seed,
            "confidence": CONFIDENCE,
            "at_most": round(self.at_most, 6),
            "sentence": self.sentence(),
        }


def upper_bound(bad: int, looked_at: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest share under which `bad` or fewer of `looked_at` still happen 1 time in 20.

    None looked at says nothing: 1. None bad gives `1 - 0.05 ** (1 / n)`, close to the rule of three.
    """
    if looked_at <= 0 or bad >= looked_at:
        return 1.0
    low, high = bad / looked_at, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if at_most_probability(bad, looked_at, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def at_most_probability(bad: int, looked_at: int, share: float) -> float:
    """Return the probability of `bad` or fewer among `looked_at`, each bad with probability `share`."""
    if share <= 0.0:
        return 1.0
    if share >= 1.0:
        return 1.0 if bad >= looked_at else 0.0
    whole = math.lgamma(looked_at + 1)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(looked_at - k + 1)
            + k * math.log(share)
            + (looked_at - k) * math.log1p(-share)
        )
        for k in range(bad + 1)
    )


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.1f} %"
