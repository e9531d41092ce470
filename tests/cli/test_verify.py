"""`verify`, `repair` and `rollback` as their users meet them: real commands, a simulated Atlassian."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.evening import Evening, plan_text

TWO = (("eng", "ops"), ("ops", "eng"))


@pytest.fixture
def evening(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Evening]:
    def make(**given: Any) -> Evening:
        given.setdefault("text", plan_text(("eng", "ops"), pairs=TWO))
        made = Evening(tmp_path, capsys, **given)
        (tmp_path / "links.csv").write_text(made.world.expected_csv(), encoding="utf-8")
        return made

    return make


def test_an_evening_that_went_well_verifies_clean(evening: Callable[..., Evening]) -> None:
    night = evening()
    csv = str(night.folder / "links.csv")
    before = str(night.folder / "before.snapshot")
    done = night.command("snapshot", str(night.plan), "-o", before, "--links", csv)
    assert done.code == 0, done.err
    assert night.run().code == 0
    seen = night.on_ledger("verify", "latest", "--before", before, "--expected", csv)
    print(seen.out, seen.err)
    assert seen.code == 0
    assert night.status()["run"]["verification"] == "clean"
    gone = night.on_ledger("rollback", "latest", "--before", before, "--yes")
    print(gone.out, gone.err)
    assert gone.code == 0


def test_what_the_job_left_out_is_named_repaired_and_taken_back(
    evening: Callable[..., Evening],
) -> None:
    night = evening(settings={"leave_out": 0.2, "links_per_pair": 10})
    csv = str(night.folder / "links.csv")
    before = str(night.folder / "before.snapshot")
    night.command("snapshot", str(night.plan), "-o", before, "--links", csv)
    assert night.run().code == 0
    seen = night.on_ledger("verify", "latest", "--before", before, "--expected", csv)
    print(seen.out, seen.err)
    assert seen.code == 8
    dry = night.on_ledger("repair", "latest", "--expected", csv, "--dry-run")
    print(dry.out, dry.err)
    assert dry.code == 0
    made = night.on_ledger("repair", "latest", "--expected", csv, "--yes")
    print(made.out, made.err)
    assert made.code == 0
    seen = night.on_ledger("verify", "latest", "--before", before, "--expected", csv)
    print(seen.out, seen.err)
    assert seen.code == 0
    gone = night.on_ledger("rollback", "latest", "--before", before, "--yes")
    print(gone.out, gone.err)
    assert gone.code == 0
