"""The report of a run as a file, by the ledger as it is now."""

import json
from dataclasses import dataclass
from pathlib import Path

from runbook.atomic_file import PRIVATE, write_atomically
from runbook.errors import UsageError
from runbook.ledger.store import Ledger
from runbook.operations.find_run import find_run, read_runs
from runbook.operations.root import Root, read_whole
from runbook.report import build, render
from runbook.report.build import LOGO_LIMIT_BYTES, logo_uri
from runbook.report.data import report_json
from runbook.view import RunView, run_of


def write_report(file: Path, ledger: Ledger, run: str, *, led: bool = False) -> None:
    """Write the HTML report of a run as the ledger knows it now."""
    view = run_of(ledger.events(), run, led=run if led else None)
    if view is not None:
        write_atomically(file, render(build(view)), mode=PRIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Which run is reported how; `output` is a file, or `-`."""

    run: str
    output: str
    output_format: str
    lang: str
    logo: Path | None
    ledger_file: Path | None


def report_of(root: Root, options: ReportOptions) -> tuple[RunView, str]:
    """Return a run and its report as HTML or JSON; the same ledger gives the same text.

    Raises:
        UsageError: the run is unknown, or the logo is no picture for a page's head.
        LedgerError: the ledger is not there, locked, damaged or altered.
    """
    as_json = options.output_format == "json"
    if options.logo is not None and as_json:
        raise UsageError("JSON has no logo", hint="leave out `--logo`, or use `--format html`")
    logo = None if options.logo is None else _read_logo(options.logo)
    view = find_run(read_runs(root, root.ledger_path(options.ledger_file)), options.run)
    if as_json:
        return view, json.dumps(report_json(view), ensure_ascii=True, indent=2) + "\n"
    return view, render(build(view, lang=options.lang, logo=logo))


def _read_logo(path: Path) -> bytes:
    too_large = UsageError(
        f"the logo `{path}` is larger than {LOGO_LIMIT_BYTES // 1000} kB",
        hint="save it smaller: 600 pixels wide is plenty",
    )
    hint = "name a PNG, JPEG or SVG file that is there"
    what = f"the logo `{path}`"
    data = read_whole(path, what, limit=LOGO_LIMIT_BYTES, too_large=too_large, hint=hint)
    # Refuses what is no picture.
    logo_uri(data)
    return data
