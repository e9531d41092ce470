"""Atlassian's own logs: fetched, read, and attributed to jobs."""
