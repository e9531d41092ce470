"""The report of a run as a file, by the ledger as it is now."""

from pathlib import Path

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.errors import UsageError
from runbook.ledger.store import Ledger
from runbook.report import build, render
from runbook.report.build import LOGO_LIMIT_BYTES, logo_uri
from runbook.view import run_of


def write_report(file: Path, ledger: Ledger, run: str, *, led: bool = False) -> None:
    """Write the HTML report of a run as the ledger knows it now."""
    view = run_of(ledger.events(), run, led=run if led else None)
    if view is not None:
        write_atomically(file, render(build(view)), mode=PRIVATE)


def read_logo(path: Path) -> bytes:
    """Return a picture's bytes.

    Raises:
        UsageError: it cannot be read, or is larger than a picture for a page's head should be.
    """
    try:
        if path.stat().st_size > LOGO_LIMIT_BYTES:
            raise UsageError(
                f"the logo `{path}` is larger than {LOGO_LIMIT_BYTES // 1000} kB",
                hint="save it smaller: 600 pixels wide is plenty",
            )
        data = path.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"cannot read the logo `{path}`: {problem.strerror or problem}",
            hint="name a PNG, JPEG or SVG file that is there",
        ) from problem
    logo_uri(data)
    return data
