"""What tests of several subjects share."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook.clock import VirtualClock

CANARY = "canary-T0ken/with+odd=chars"


@pytest.fixture
def clock() -> VirtualClock:
    """A virtual clock that starts at the cutover of the examples."""
    return VirtualClock(datetime(2026, 11, 22, 19, 0, tzinfo=UTC))


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    """The path of a ledger that is not there yet."""
    return tmp_path / "runbook.ledger"
