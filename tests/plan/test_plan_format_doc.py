"""The documentation of the plan format names every field, and its example is right."""

import re
from pathlib import Path

from runbook.plan import load_plan_bytes
from runbook.plan.fields import RECORDS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "plan-format.md").read_text(encoding="utf-8")


def test_every_field_is_named():
    for record in RECORDS:
        for field in record.fields:
            assert re.search(rf"\b{field.key}\b", TEXT), field.key


def test_the_example_is_a_right_plan():
    example = TEXT.split("```yaml\n")[1].split("```")[0]
    assert load_plan_bytes(example.encode(), "example").findings == ()
