"""Ledgers of hand-made evenings for the reading commands, and a way to call one in process."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.ledger.store import create_ledger
from runbook.operations.root import Root
from runbook.secrets import Mask
from tests.evening import RUN, START


def write_ledger(path: Path, events: Iterable[Any], *, run: str = RUN) -> Path:
    """Append events, a second apart, to a ledger; a pair is (job, event)."""
    clock = VirtualClock(START)
    with create_ledger(path, clock=clock, mask=Mask()) as ledger:
        for item in events:
            clock.advance(1)
            job, event = item if isinstance(item, tuple) else (None, item)
            ledger.append(event, run=run, job=job)
    return path


def call(*argv: str, clock: VirtualClock | None = None, **environ: str) -> int:
    """Call a command in this process and return its exit code."""
    root = Root(environ=environ, clock=clock or VirtualClock(START), interactive=False)
    return main(list(argv), root=root)
