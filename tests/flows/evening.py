"""A whole evening for tests: a plan on disk, a simulated Atlassian, virtual time, and the commands."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest

from runbook.cli.app import main
from runbook.clock import VirtualClock
from runbook.operations.root import Root
from runbook.plan import read_plan
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.populate import world_of
from tests.intents import IntentsFirst, Watch

CUTOVER = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
TOKEN = "canary-T0ken/with+odd=chars"
EMAIL = "admin@contoso.example"
SUBMIT = {"method": "POST", "path": "*/jobs/cma"}
STATUS = {"method": "GET", "path": "*/jobs/status/*", "not_path": "*/00000000-*"}


def url_of(site: str) -> str:
    return f"https://contoso-{site}.atlassian.net"


def plan_text(
    sites: tuple[str, ...] = ("eng", "ops", "hr"),
    *,
    pairs: tuple[tuple[str, str], ...] | None = None,
    name: str = "contoso-split",
    finished: str = "2026-11-20T02:30:00+01:00",
    head: str = "",
    accounts: Mapping[str, str] | None = None,
    extra: Callable[[str, str], str] = lambda _source, _target: "",
) -> str:
    """Return a plan in which every site is one wave, every direction is authorized and dated."""
    lines = ["format: 1", f"name: {name}", "cutover: 2026-11-22T20:00:00+01:00"]
    lines += [head] if head else []
    lines.append("sites:")
    for site in sites:
        lines += [f"  - url: {url_of(site)}", f"    projects: [{site.upper()}]"]
        if accounts and site in accounts:
            lines.append(f"    account: {accounts[site]}")
        lines.append(
            f"    migrations: [{{started: 2026-11-19T18:00:00+01:00, finished: {finished}}}]"
        )
    lines.append("instances:")
    for source, target in pairs or tuple(permutations(sites, 2)):
        lines += [
            f"  - id: {source}-to-{target}",
            f"    productURL: {url_of(source)}",
            f"    destinationURL: {url_of(target)}",
            "    migratedFrom: https://jira.contoso.example",
            "    appLink: {authorized: true, by: J. Doe, at: 2026-11-21T09:15:00+01:00}",
        ]
        more = extra(source, target)
        if more:
            lines.append(f"    {more}")
    return "\n".join(lines) + "\n"


def present_plan(sites: tuple[str, ...], pairs: tuple[tuple[str, str], ...]) -> str:
    """Return a plan whose windows are open now, for tests that run on the real clock."""
    finished = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = plan_text(sites, pairs=pairs, finished=finished)
    text = text.replace("started: 2026-11-19T18:00:00+01:00, ", "")
    return "\n".join(line for line in text.splitlines() if not line.startswith("cutover")) + "\n"


@dataclass
class Result:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Evening:
    """One plan, one world, one ledger; `run` and friends are the real commands in this process."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    text: str = field(default_factory=plan_text)
    settings: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(CUTOVER + timedelta(minutes=5))
        self.plan = self.folder / "plan.yaml"
        self.ledger = self.folder / "runbook.ledger"
        self.env = {"RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN, **self.env}
        self.write(self.text)
        self.world = world_of(read_plan(self.plan), clock=self.clock, **self.settings)
        self.watch = Watch()

    def write(self, text: str) -> None:
        self.plan.write_text(text, encoding="utf-8")

    def sockets(self) -> httpx.AsyncBaseTransport:
        """Return what stands in for the network of one command."""
        return httpx.ASGITransport(app=make_app(self.world))

    def command(self, *words: str, interactive: bool = False) -> Result:
        """Run a command; no write may leave it whose intent is not on disk."""
        return self.through(self.sockets, *words, interactive=interactive)

    def through(
        self,
        sockets: Callable[[], httpx.AsyncBaseTransport],
        *words: str,
        interactive: bool = False,
    ) -> Result:
        """Run a command with something else in place of the network, held to the same."""
        ledger = self.ledger
        if "--ledger" in words:
            ledger = Path(words[words.index("--ledger") + 1])
        root = Root(
            environ=self.env,
            clock=self.clock,
            interactive=interactive,
            transport=lambda: IntentsFirst(sockets(), lambda: ledger, self.watch),
        )
        self.capsys.readouterr()
        code = main(list(words), root=root)
        captured = self.capsys.readouterr()
        assert TOKEN not in captured.out + captured.err
        assert not self.watch.unannounced, "sent before the intent was on disk"
        return Result(code, captured.out, captured.err)

    def run(self, *more: str) -> Result:
        return self.command("run", str(self.plan), "--yes", *more)

    def on_ledger(self, *words: str) -> Result:
        return self.command(*words, "--ledger", str(self.ledger))

    def status(self) -> Any:
        return self.on_ledger("status", "--format", "json").json()

    def states(self) -> dict[str, str]:
        status = self.status()
        assert sum(status["counts"].values()) == len(status["jobs"])
        return {job["id"]: job["state"] for job in status["jobs"]}

    def events(self) -> list[dict[str, Any]]:
        lines = self.on_ledger("ledger", "export").out.splitlines()
        return [json.loads(line) for line in lines]

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]

    def posts(self) -> dict[tuple[str, str], int]:
        """How many submissions reached Atlassian, by direction."""
        counts: dict[tuple[str, str], int] = {}
        for one in self.world.submissions:
            pair = (_label(one.body["productURL"]), _label(one.body["destinationURL"]))
            counts[pair] = counts.get(pair, 0) + 1
        return counts

    def fault(self, kind: FaultKind, where: Mapping[str, str], **more: Any) -> None:
        self.world.faults.add(Fault(kind=kind, **where, **more))


def _label(url: str) -> str:
    return url.removeprefix("https://contoso-").removesuffix(".atlassian.net")
