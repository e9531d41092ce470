"""Execution: submit, poll and schedule, decided by pure functions."""
