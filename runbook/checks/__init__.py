"""Checks: what is wrong with a plan, found before the night."""
