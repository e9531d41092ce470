"""What every command prints: a few scripted nights, step by step, kept as files of text.

    python -m tests.cli.golden_commands

writes every step anew to `tests/golden/commands`; review the difference before it is committed. A
night is a plan on disk, a simulated Atlassian and virtual time; a step is one command line, and its
file holds the exit code and both streams. Commands run in the night's own folder with relative
paths, so nothing of this machine is printed; its name, and what chance draws, are given.
"""

import contextlib
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from runbook.cli.app import COMMANDS, main
from runbook.clock import VirtualClock
from runbook.ledger.store import create_ledger
from runbook.operations.root import Root
from runbook.plan import read_plan
from runbook.secrets import Mask
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.populate import world_of
from runbook.simulator.world import World
from tests.flows.evening import CUTOVER, EMAIL, STATUS, SUBMIT, TOKEN, plan_text
from tests.report import evenings, wide_evenings
from tests.report.evenings import Evening

REPOSITORY = Path(__file__).parents[2]
COMMAND_FILES = REPOSITORY / "tests" / "golden" / "commands"
TWO = ("eng", "ops")
ENG, OPS = "https://contoso-eng.atlassian.net", "https://contoso-ops.atlassian.net"
RANDOM_NAME = re.compile(r'"write": "[0-9a-f]{16}"')
ROW_HASH = re.compile(r'"hash": "[0-9a-f]{64}"')
MACHINE = "jump-host-7"
LINK = (
    '{"globalId": "appId=55f8&issueId=7", "relationship": "blocks", "object": '
    f'{{"url": "{OPS}/browse/OPS-1", "title": "OPS-1", "summary": "S"}}}}\n'
)
AUDIT_LOG = (
    "Issue key;Old link;New link;Result;Date\n"
    f"ENG-1;https://jira.contoso.example/browse/OPS-1;{OPS}/browse/OPS-1;updated;2026-11-22T19:08:00Z\n"
    f"ENG-2;https://jira.contoso.example/browse/OPS-2;{OPS}/browse/OPS-2;failed;2026-11-22T19:08:01Z\n"
)


@dataclass
class Scene:
    """One night: a folder, a clock, perhaps a simulated Atlassian, and the steps so far."""

    folder: Path
    steps: dict[str, str] = field(default_factory=dict)
    now: datetime = CUTOVER + timedelta(minutes=5)
    world: World | None = None

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.now)

    def plays(self, text: str, **settings: Any) -> World:
        """Write `plan.yaml` and make the world that it describes."""
        (self.folder / "plan.yaml").write_text(text, encoding="utf-8", newline="\n")
        self.world = world_of(read_plan(self.folder / "plan.yaml"), clock=self.clock, **settings)
        (self.folder / "links.csv").write_text(
            self.world.expected_csv(), encoding="utf-8", newline="\n"
        )
        return self.world

    def fault(self, kind: FaultKind, where: dict[str, str], **more: Any) -> None:
        """Let something go wrong in the world."""
        assert self.world is not None
        self.world.faults.add(Fault(kind=kind, **where, **more))

    def step(self, name: str, *words: str, known: bool = True, show: str | None = None) -> None:
        """Run one command and keep what it printed; `show` also keeps a file that it wrote."""
        environ = {"RUNBOOK_OPERATOR": "J. Doe"}
        if known:
            environ |= {"RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN}
        root = Root(environ=environ, clock=self.clock, interactive=False)
        world = self.world
        if world is not None:
            root.transport = lambda: httpx.ASGITransport(app=make_app(world))
        code, out, err = captured(self.folder, words, root)
        parts = [f"$ runbook {' '.join(words)}\nexit {code}\n"]
        parts += [f"--- {title}\n{text}" for title, text in (("out", out), ("err", err)) if text]
        if show is not None and (self.folder / show).exists():
            parts.append(f"--- {show}\n{shown(self.folder / show)}")
        assert name not in self.steps, name
        self.steps[name] = normal("".join(parts))


def captured(folder: Path, words: tuple[str, ...], root: Root) -> tuple[int, str, str]:
    """Return the exit code and the streams of a command that runs in a folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n") for _ in range(2))
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        patch("platform.node", return_value=MACHINE),
        patch.dict(os.environ, {"COLUMNS": "100", "NO_COLOR": "1"}),
    ):
        code = main(list(words), root=root)
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode())
    assert "Traceback" not in texts[1], texts[1]
    return code, *texts


def shown(path: Path) -> str:
    """Return a file as text; of an archive its entries, its checksums and its manifest."""
    if path.suffix != ".zip":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as archive:
        entries = [f"{entry.file_size:8} {entry.filename}\n" for entry in archive.infolist()]
        texts = [
            archive.read(name).decode() for name in ("SHA256SUMS", "README.txt", "bundle.json")
        ]
    return "".join([*entries, *texts])


def normal(text: str) -> str:
    """Return what was printed without what no clock and no seed decides.

    A link that is written by hand gets a random name in the ledger, which the hashes of its rows
    cover; and a carriage return, as calendar files have, would not survive every checkout.
    """
    named = RANDOM_NAME.sub('"write": "(random)"', text)
    if named != text:
        named = ROW_HASH.sub('"hash": "(follows)"', named)
    return named.replace("\r", "␍")


def probe_of(source: str, target: str) -> str:
    """Return the known link that a job of a plan names."""
    return f"probe: [{{issue: {source.upper()}-1, target: {target.upper()}-1}}]"


def whole_night(scene: Scene) -> None:
    """Play an evening that goes well but for links left out: every command once, in order."""
    scene.step("init", "init", "--site", ENG, "--site", OPS)
    old = ("--migrated-from", "https://jira.contoso.example")
    sites = ("--site", ENG, "--site", OPS)
    scene.step("init-file", "init", *sites, *old, "-o", "new.yaml", show="new.yaml")
    scene.step("init-again", "init", *sites, *old, "-o", "new.yaml")
    scene.step("init-check", "check", "new.yaml")
    scene.plays(plan_text(TWO, extra=probe_of), links_per_pair=12, leave_out=0.2)
    plan = "plan.yaml"
    scene.step("check", "check", plan)
    scene.step("check-json", "check", plan, "--format", "json")
    scene.step("check-online", "check", plan, "--online")
    scene.step("checklist", "checklist", plan)
    scene.step("checklist-json", "checklist", plan, "--format", "json")
    for form in ("text", "json", "curl"):
        scene.step(f"preview-{form}", "preview", plan, "--format", form, "--links", "links.csv")
    scene.step("calendar", "calendar", plan, "-o", "-")
    scene.step("snapshot", "snapshot", plan, "-o", "before.snapshot", "--links", "links.csv")
    scene.step(
        "snapshot-again", "snapshot", plan, "-o", "before.snapshot", "--links", "links.csv",
        "--format", "json",
    )  # fmt: skip
    scene.step("approve", "approve", plan, "--by", "M. Muster")
    scene.step("approve-json", "approve", plan, "--by", "M. Muster", "--format", "json")
    scene.step("run-dry", "run", plan, "--dry-run")
    scene.step("run-without-yes", "run", plan)
    scene.step("run", "run", plan, "--yes", "--report", "live.html")
    scene.step("run-complete", "run", plan, "--yes")
    scene.step("status", "status", "latest")
    scene.step("status-json", "status", "latest", "--format", "json")
    expected = ("--expected", "links.csv")
    scene.step("repair-dry", "repair", "latest", *expected, "--dry-run")
    scene.step("repair-dry-json", "repair", "latest", *expected, "--dry-run", "--format", "json")
    scene.step("verify", "verify", "latest", *expected, "--before", "before.snapshot")
    scene.step("verify-sample", "verify", "latest", *expected, "--sample", "5")
    scene.step("verify-json", "verify", "latest", *expected, "--format", "json")
    scene.step("repair", "repair", "latest", *expected, "--yes")
    scene.step("verify-repaired", "verify", "latest", *expected, "--before", "before.snapshot")
    (scene.folder / "audit.csv").write_text(AUDIT_LOG, encoding="utf-8", newline="\n")
    scene.step(
        "logs-import", "logs", "import", "latest", "audit.csv", "--kind", "audit", "--site", ENG
    )
    scene.step("report-json", "report", "latest", "--format", "json")
    scene.step("report-html", "report", "latest", "-o", "report.html")
    scene.step("bundle", "bundle", "latest", "-o", "bundle.zip", show="bundle.zip")
    scene.step("bundle-verify", "bundle", "verify", "bundle.zip")
    scene.step("bundle-verify-json", "bundle", "verify", "bundle.zip", "--format", "json")
    scene.step(
        "bundle-redacted", "bundle", "latest", "-o", "redacted.zip", "--redact", show="redacted.zip"
    )
    scene.step("bundle-redacted-verify", "bundle", "verify", "redacted.zip")
    before = ("--before", "before.snapshot")
    scene.step("rollback-dry", "rollback", "latest", *before, "--dry-run")
    scene.step("rollback-dry-json", "rollback", "latest", *before, "--dry-run", "--format", "json")
    scene.step("rollback", "rollback", "latest", *before, "--yes")
    scene.step("runs", "runs")
    scene.step("runs-json", "runs", "--format", "json")
    scene.step("ledger-verify", "ledger", "verify")
    scene.step("ledger-export", "ledger", "export")
    scene.step("leftovers", "leftovers", plan)
    scene.step("leftovers-json", "leftovers", plan, "--format", "json")


def bad_night(scene: Scene) -> None:
    """Play an evening on which much goes wrong, until persons have settled all of it."""
    scene.plays(plan_text(("eng", "ops", "hr")))
    plan = "plan.yaml"
    scene.fault(FaultKind.ANSWER_LOST, SUBMIT, nth=2)
    scene.fault(FaultKind.STATUS, SUBMIT, nth=3, status=400, body=b'{"message":"no app link"}')
    scene.fault(FaultKind.RETRY_AFTER_SECONDS, SUBMIT, nth=4)
    scene.fault(FaultKind.UNKNOWN_WORD, STATUS, nth=2)
    scene.step("unknown-run-json", "run", plan, "--yes", "--format", "json")
    scene.step("unknown-run-again", "run", plan, "--yes")
    scene.step("unknown-status", "status", "latest")
    scene.step("unknown-report-json", "report", "latest", "--format", "json")
    unknown = "ops-to-eng"
    scene.step("resolve-no-word", "resolve", "latest", unknown)
    scene.step(
        "resolve", "resolve", "latest", unknown, "--send-again", "--by", "M. Muster",
        "--note", "not in the audit log",
    )  # fmt: skip
    scene.step("only-run", "run", plan, "--yes", "--only", unknown)
    scene.step(
        "again-run", "run", plan, "--yes", "--again", unknown, "--reason", "the app link is mended"
    )
    scene.step("again-runs", "runs")
    scene.step("again-ledger-export", "ledger", "export")


def halted_night(scene: Scene) -> None:
    """Play an evening that is begun with one job, stopped by a person, and taken up again."""
    scene.plays(plan_text(("eng", "ops", "hr")))
    plan = "plan.yaml"
    scene.step("only-run", "run", plan, "--yes", "--only", "eng-to-ops")
    scene.step("only-status", "status", "latest")
    scene.step("stop", "stop", "latest", "--reason", "ticket storm")
    scene.step("stop-again", "stop", "latest")
    scene.step("stopped-run", "run", plan, "--yes")
    scene.step("stopped-status", "status", "latest")
    scene.step("stopped-bundle", "bundle", "latest", "-o", "stopped.zip", show="stopped.zip")
    scene.fault(FaultKind.STATUS, SUBMIT, status=401, times=9)
    scene.step("held-run", "run", plan, "--yes", "--again", "--reason", "the storm is over")
    scene.step("held-status", "status", "latest")
    scene.step("held-ledger-export", "ledger", "export")


def at_the_desk(scene: Scene) -> None:
    """Read and write the remote links of one issue by hand, and meet what commands refuse."""
    scene.plays(plan_text(TWO), own_links=0.0)
    (scene.folder / "link.json").write_text(LINK, encoding="utf-8", newline="\n")
    issue, ledger = (ENG, "ENG-1"), ("--ledger", "runbook.ledger")
    scene.step("links-list-none", "links", "list", *issue)
    scene.step("links-set-dry", "links", "set", *issue, "--file", "link.json", "--dry-run", *ledger)
    scene.step("links-set", "links", "set", *issue, "--file", "link.json", "--yes", *ledger)
    scene.step("links-list", "links", "list", *issue)
    scene.step("links-list-json", "links", "list", *issue, "--format", "json")
    named = ("--global-id", "appId=55f8&issueId=7")
    scene.step("links-get", "links", "get", *issue, *named)
    scene.step("links-get-json", "links", "get", *issue, *named, "--format", "json")
    scene.step("links-delete-dry", "links", "delete", *issue, *named, "--dry-run", *ledger)
    scene.step("links-delete", "links", "delete", *issue, *named, "--yes", *ledger)
    scene.step("links-get-gone", "links", "get", *issue, *named)
    scene.step("links-export", "ledger", "export", *ledger)
    plan = "plan.yaml"
    scene.step("refused-no-credential", "run", plan, "--yes", known=False)
    scene.step("refused-no-plan", "check", "none.yaml")
    scene.step("refused-no-ledger", "status", "latest", "--ledger", "none.ledger")
    scene.step("refused-no-run", "status", "unheard-of", *ledger)
    scene.step("refused-no-command", "chek", plan)
    scene.step("refused-no-code", "explain", "RB000")
    scene.step("refused-digest", "run", plan, "--yes", "--digest", "0" * 64)
    scene.step("refused-endpoint", "run", plan, "--yes", "--endpoint", "https://elsewhere.example")
    scene.step("refused-bundle", "bundle", "verify", "link.json")
    scene.step("refused-bundle-run", "bundle", "latest", "-o", "x.zip")
    scene.world = None
    scene.now = CUTOVER - timedelta(days=1)
    scene.clock = VirtualClock(scene.now)
    scene.step("refused-early", "run", plan, "--yes")
    scene.step("set-attestation", "checklist", plan, "--set", "eng-to-ops", "--by", "A. Berg",
               "--at", "now", show=plan)  # fmt: skip


def written_down(scene: Scene) -> None:
    """Ask reading commands about ledgers made by hand, which hold what no evening has at once."""
    for name, evening in (
        ("everything", wide_evenings.everything()),
        ("live", wide_evenings.live()),
        ("not-attempted", wide_evenings.not_attempted()),
        ("two-waves-later", wide_evenings.later(48)),
        ("unknown", evenings.mixed()),
        ("stopped", evenings.stopped()),
    ):
        file = f"{name}.ledger"
        write_ledger(scene.folder / file, evening)
        scene.clock = VirtualClock(evening.now)
        scene.step(f"told-{name}-status", "status", "latest", "--ledger", file)
        scene.step(
            f"told-{name}-status-json", "status", "latest", "--ledger", file, "--format", "json"
        )
        scene.step(f"told-{name}-runs", "runs", "--ledger", file)
    scene.step(
        "told-everything-report-json",
        "report", "latest", "--ledger", "everything.ledger", "--format", "json",
    )  # fmt: skip
    scene.step("told-everything-verify", "ledger", "verify", "--ledger", "everything.ledger")
    scene.step("told-everything-export", "ledger", "export", "--ledger", "everything.ledger")
    scene.step(
        "told-everything-bundle",
        "bundle", "latest", "--ledger", "everything.ledger", "-o", "everything.zip", "--redact",
        show="everything.zip",
    )  # fmt: skip


def write_ledger(path: Path, evening: Evening) -> None:
    """Write an evening made by hand as a ledger file, at its own moments."""
    clock = VirtualClock(evenings.START)
    with create_ledger(path, clock=clock, mask=Mask()) as ledger:
        for row in evening.rows:
            clock.advance((row.at - clock.now()).total_seconds())
            ledger.append(row.event, run=row.run, job=row.job)


def plans_on_disk(scene: Scene) -> None:
    """Check every plan of the repository, and show the examples in every form."""
    folders = (REPOSITORY / "plans", REPOSITORY / "tests" / "data" / "plans")
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
    for file in files:
        (scene.folder / file.name).write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    for file in files:
        if file.suffix == ".yaml" and file.parent == folders[1]:
            scene.step(f"check-{file.stem}", "check", file.name)
            scene.step(f"check-{file.stem}-json", "check", file.name, "--format", "json")
    for name in ("contoso-split", "mixed-confluence", "two-sites"):
        plan = f"{name}.yaml"
        scene.step(f"{name}-check", "check", plan, "--strict")
        for form in ("text", "json", "curl", "html"):
            scene.step(f"{name}-preview-{form}", "preview", plan, "--format", form)
        for form in ("text", "json"):
            scene.step(f"{name}-checklist-{form}", "checklist", plan, "--format", form)
        scene.step(f"{name}-calendar", "calendar", plan, "-o", "-")


def words_of_the_tool(scene: Scene) -> None:
    """Ask for help on every command, for every explanation, and for the schema."""
    scene.step("help", "--help")
    scene.step("version", "--version")
    scene.step("schema", "schema")
    for name in COMMANDS:
        scene.step(f"help-{name}", name, "--help")
    for name, below in (
        ("links", ("list", "get", "set", "delete")),
        ("logs", ("fetch", "import")),
        ("ledger", ("verify", "export")),
        ("auth", ("list", "set", "remove")),
        ("bundle", ("latest", "verify")),
    ):
        for verb in below:
            scene.step(f"help-{name}-{verb}", name, verb, "--help")
    for file in sorted((REPOSITORY / "tests" / "data" / "plans").glob("RB*.yaml")):
        scene.step(f"explain-{file.stem}", "explain", file.stem)


SCENES: tuple[Callable[[Scene], None], ...] = (
    whole_night,
    bad_night,
    halted_night,
    at_the_desk,
    written_down,
    plans_on_disk,
    words_of_the_tool,
)


def play(scene_of: Callable[[Scene], None]) -> dict[str, str]:
    """Return what every step of a scene printed, by name."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        scene_of(scene)
        return scene.steps


def write_all() -> None:
    """Write every step anew; files that no step makes any more go."""
    COMMAND_FILES.mkdir(parents=True, exist_ok=True)
    for file in COMMAND_FILES.glob("*/*.txt"):
        file.unlink()
    for scene in SCENES:
        for name, text in play(scene).items():
            file = COMMAND_FILES / scene.__name__ / f"{name}.txt"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_all()
