"""Checks: what is wrong with a plan, found before the cutover."""

from runbook.checks.codes import CODES, Facts
from runbook.checks.examine import ALL_CHECKS, examine

__all__ = ["ALL_CHECKS", "CODES", "Facts", "examine"]
