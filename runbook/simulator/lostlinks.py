"""The Data Center's issue links as CSV: the columns that `expected` in a plan names.

`source_key,destination_key,link_type,direction`, one row per end; keys are those of the Data Center.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from runbook.remotelinks.expected import COLUMNS
from runbook.simulator.model import Direction, LostLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: the issue `source_key` is to hold a remote link to `destination_key`."""

    source_key: str
    destination_key: str
    label: str
    direction: Direction


def to_csv(links: Iterable[LostLink]) -> str:
    """Return the file's text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for link in links:
        writer.writerow((link.source_was, link.destination_was, link.label, link.direction))
    return out.getvalue()
