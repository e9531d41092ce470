"""The report of a run as a file, by the ledger as it is now."""

from pathlib import Path

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.ledger.store import Ledger
from runbook.report import build, render
from runbook.view import run_of


def write_report(file: Path, ledger: Ledger, run: str, *, led: bool = False) -> None:
    """Write the HTML report of a run as the ledger knows it now."""
    view = run_of(ledger.events(), run, led=run if led else None)
    if view is not None:
        write_atomically(file, render(build(view)), mode=PRIVATE)
