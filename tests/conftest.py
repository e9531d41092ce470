"""What tests of several subjects share."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runbook.clock import VirtualClock
from tests.canary import CANARY, leaking_files, leaks

__all__ = ["CANARY"]


@pytest.fixture(autouse=True)
def no_credential_is_left_in_a_file(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail every test that leaves the canary token, in any form, in one of its files."""
    yield
    folder = getattr(request.node, "funcargs", {}).get("tmp_path")
    if isinstance(folder, Path):
        found = leaking_files(folder)
        assert not found, f"a credential stands in {found}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail every test whose output or traceback shows the canary token, in any form."""
    report = yield
    shown = "".join(text for _, text in report.sections)
    if report.passed and leaks(shown.encode()):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: a credential stands in the output"
    return report


@pytest.fixture
def clock() -> VirtualClock:
    """A virtual clock that starts at the cutover of the examples."""
    return VirtualClock(datetime(2026, 11, 22, 19, 0, tzinfo=UTC))


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    """The path of a ledger that is not there yet."""
    return tmp_path / "runbook.ledger"
