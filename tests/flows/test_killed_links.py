"""A real process that repairs or rolls back, killed at every boundary, then started again."""

import dataclasses
import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from runbook.clock import SystemClock
from runbook.ledger.store import open_ledger
from runbook.plan import read_plan
from runbook.secrets import Mask
from runbook.simulator.model import Issue
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.flows.dying import Launched, launch
from tests.flows.evening import EMAIL, TOKEN, present_plan
from tests.simulator.serving import serving_in_thread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL"),
]

PAIRS = (("eng", "ops"), ("ops", "eng"))
# The boundaries are dealt out to this many tests, so that they share the processors.
SHARES = 2
# What an issue held: its links by id, and how long its history was.
Kept = dict[int, tuple[dict[int, Any], int]]


@dataclasses.dataclass
class Scene:
    """A run that is complete but for some links, its files, and the world it ran in."""

    folder: Path
    world: World
    endpoint: str
    first: dict[int, list[str]] = dataclasses.field(default_factory=dict)

    def command(self, *words: str, ledger: str = "base", deadly: int = 0) -> Launched:
        """Run a command in a process of its own, and die at the boundary `deadly`."""
        all_words = [*words, "--endpoint", self.endpoint]
        if words[0] != "snapshot":
            all_words += ["--ledger", str(self.path(ledger))]
        env = {"RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN}
        launched = launch(all_words, env, self.folder, deadly=deadly)
        assert TOKEN not in launched.said
        return launched

    def done(self, *words: str) -> None:
        launched = self.command(*words)
        assert launched.code in (0, 8), launched.said

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.ledger"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def issues(self) -> list[Issue]:
        return [issue for site in self.world.sites.values() for issue in site.issues.values()]

    def keep(self) -> Kept:
        return {
            issue.id: (
                {
                    n: dataclasses.replace(v, record=deepcopy(v.record))
                    for n, v in issue.links.items()
                },
                len(issue.history),
            )
            for issue in self.issues()
        }

    def put_back(self, kept: Kept) -> None:
        for issue in self.issues():
            links, length = kept[issue.id]
            issue.links = {
                n: dataclasses.replace(v, record=deepcopy(v.record)) for n, v in links.items()
            }
            del issue.history[length:]

    def records(self) -> dict[int, list[str]]:
        """Return what every issue links to, without the links' ids."""
        return {
            issue.id: sorted(
                json.dumps(link.record, sort_keys=True) for link in issue.links.values()
            )
            for issue in self.issues()
        }

    def written(self, kept: Kept) -> Counter[tuple[str, str | None]]:
        """Return how often each link was written since, by issue and id; a removal is a write."""
        return Counter(
            (issue.key, change.before[0] or change.after[0])
            for issue in self.issues()
            for change in issue.history[kept[issue.id][1] :]
        )

    def writes(self, name: str, purpose: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the intents of a purpose in a ledger, and the last end of each, by name."""
        begun, ended = {}, {}
        with open_ledger(
            self.path(name), clock=SystemClock(), mask=Mask(), read_only=True
        ) as ledger:
            for row in ledger.rows(kinds=("write.intended", "write.ended")):
                payload = json.loads(row.payload)
                if payload["purpose"] == purpose:
                    (begun if row.kind == "write.intended" else ended)[payload["write"]] = payload
        return begun, ended

    def last_counts(self, name: str) -> tuple[int, dict[str, int]]:
        """Return how many writes the last list planned, and what its end counted."""
        with open_ledger(
            self.path(name), clock=SystemClock(), mask=Mask(), read_only=True
        ) as ledger:
            listed = [json.loads(row.payload) for row in ledger.rows(kinds=("links.listed",))]
            ended = [json.loads(row.payload) for row in ledger.rows(kinds=("links.ended",))]
        if not ended:
            return 0, {}
        (planned,) = [one["planned"] for one in listed if one["listing"] == ended[-1]["listing"]]
        return len(planned), ended[-1]["counts"]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A run whose jobs left out some links, with snapshots from before and after it."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(present_plan(("eng", "ops"), PAIRS), encoding="utf-8")
    world = world_of(
        read_plan(plan),
        clock=SystemClock(),
        job_minutes=0.0002,
        links_per_pair=2,
        issues_per_project=6,
        own_links=0.5,
    )
    for site in world.sites:
        # Of each direction one link is left out, and one shows how Atlassian writes them.
        next(lost for lost in world.lost_links if lost.source_site == site).left_out = True
    (tmp_path / "links.csv").write_text(world.expected_csv(), encoding="utf-8")
    with serving_in_thread(world) as endpoint:
        made = Scene(tmp_path, world, endpoint)
        made.first = made.records()
        links = ("--links", made.file("links.csv"))
        made.done("snapshot", str(plan), "-o", made.file("before.snapshot"), *links)
        pace = ("--submit-interval", "0", "--poll-interval", "0.01")
        made.done("run", str(plan), "--yes", *pace)
        made.done("snapshot", str(plan), "-o", made.file("after.snapshot"), *links)
        yield made


def killed_everywhere(scene: Scene, share: int, words: list[str], purpose: str, total: int) -> None:
    """Kill a command at each boundary of a share, start it again, and hold what must hold."""
    kept = scene.keep()
    shutil.copy(scene.path("base"), scene.path("whole"))
    whole = scene.command(*words, ledger="whole")
    assert whole.code == 0, whole.said
    wanted = scene.records()
    assert set(scene.written(kept).values()) == {1}
    assert len(scene.written(kept)) == total
    assert whole.boundaries > 15 * total
    for deadly in range(1 + share, whole.boundaries + 1, SHARES):
        scene.put_back(kept)
        name = f"killed-{deadly}"
        shutil.copy(scene.path("base"), scene.path(name))
        killed = scene.command(*words, ledger=name, deadly=deadly)
        assert killed.code in (-signal.SIGKILL, 0), killed.said
        begun, _ = scene.writes(name, purpose)
        assert len(scene.written(kept)) <= len(begun), f"boundary {deadly}: a write without intent"
        again = scene.command(*words, ledger=name)
        assert again.code == 0, f"boundary {deadly}: {again.said}"
        assert scene.records() == wanted, f"boundary {deadly}"
        assert set(scene.written(kept).values()) == {1}, f"boundary {deadly}: written twice"
        begun, ended = scene.writes(name, purpose)
        assert {end["result"] for end in ended.values()} <= {"done", "skipped"}
        assert set(begun) <= set(ended), f"boundary {deadly}: an intent without an end"
        assert sum(end["result"] == "done" for end in ended.values()) == total, f"boundary {deadly}"
        planned, counts = scene.last_counts(name)
        assert sum(counts.values()) == planned, f"boundary {deadly}: {counts}"


@pytest.mark.parametrize("share", range(SHARES))
def test_a_repair_killed_at_any_moment_writes_no_link_twice_and_loses_none(
    scene: Scene, share: int
) -> None:
    words = ["repair", "latest", "--yes", "--expected", scene.file("links.csv")]
    words += ["--after", scene.file("after.snapshot")]
    killed_everywhere(scene, share, words, "repair", 2)


@pytest.mark.parametrize("share", range(SHARES))
def test_a_rollback_killed_at_any_moment_removes_each_link_once_and_no_other(
    scene: Scene, share: int
) -> None:
    expected = ("--expected", scene.file("links.csv"))
    scene.done("verify", "latest", *expected, "--before", scene.file("before.snapshot"))
    words = ["rollback", "latest", "--yes", "--before", scene.file("before.snapshot")]
    killed_everywhere(scene, share, words, "rollback", 2)
    assert scene.records() == scene.first
