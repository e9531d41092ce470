"""What a preview needs from disk besides the plan: how many links each job is expected to recreate."""

from pathlib import Path

from runbook.checks.checked_plan import CheckedPlan
from runbook.preview import Expected
from runbook.remotelinks.expected import read_expected
from runbook.remotelinks.mapping import expected_counts


def expected_links(checked: CheckedPlan, links_file: Path | None) -> Expected | None:
    """Return how many links each job and pair of waves is expected to recreate.

    The links are those of `--links`, else of the plan's `expected` where that file is there; None
    without either.

    Raises:
        UsageError: the CSV cannot be read.
    """
    plan = checked.plan
    if links_file is None and plan.expected is not None:
        beside = Path(plan.file).parent / plan.expected
        links_file = beside if beside.is_file() else None
    return None if links_file is None else expected_counts(plan, read_expected(links_file))
