"""Recreate issue links between Jira Cloud sites: planned, rehearsed, run once, verified."""

__version__ = "0.1.0"
