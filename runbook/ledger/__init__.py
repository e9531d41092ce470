"""The ledger: every event, durable, final and chained."""
