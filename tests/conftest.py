"""What tests of several subjects share."""

import atexit
import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from runbook.clock import VirtualClock
from tests.canary import CANARY, leaking_files, leaks

__all__ = ["CANARY"]

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1 << 30

# How long an example takes says more about what else the machine does than about the program.
settings.register_profile(
    "no deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no deadline")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep temporary files in memory where there is room: each write to a ledger waits for the disk.

    The files of a run are gone when it ends; `--basetemp FOLDER` keeps them there instead.
    """
    if config.option.basetemp is not None or hasattr(config, "workerinput"):
        return
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        return
    for left in MEMORY.glob("runbook-tests-*"):
        # A run that was killed could not clear up.
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - 86_400:
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="runbook-tests-", dir=MEMORY))
    # At the very end: what keeps temporary files for the whole process clears up before.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    config.option.basetemp = str(folder / "pytest")
    # The workers of this run, and the processes that tests start, keep theirs here too.
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


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
