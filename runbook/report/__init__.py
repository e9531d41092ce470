"""The report: a pure function of the ledger."""
