"""Edits that each break one promise of `runbook`; every one of them must turn the suite red."""
