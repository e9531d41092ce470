"""Atlassian's APIs: transport, link fixing, Jira, and read-only questions."""
