"""Checks: what is wrong with a plan, found before the night."""

from runbook.checks.codes import CODES
from runbook.checks.examine import ALL_CHECKS, examine
from runbook.checks.facts import Facts

__all__ = ["ALL_CHECKS", "CODES", "Facts", "examine"]
