"""A split of two sites after its run, for tests of what follows: verify, repair, rollback."""

import csv
import io
import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

from runbook.simulator.app import make_app
from runbook.simulator.model import Issue, LostLink
from tests.flows.evening import Evening, Result, plan_text

DIRECTIONS = (("eng", "ops"), ("ops", "eng"))
ENG, OPS = "https://contoso-eng.atlassian.net", "https://contoso-ops.atlassian.net"
LATE_WAVE = plan_text(("eng", "ops"), pairs=DIRECTIONS).replace(
    """    projects: [ENG]
    migrations: [{started: 2026-11-19T18:00:00+01:00, finished: 2026-11-20T02:30:00+01:00}]""",
    """    projects: [ENG, PLT]
    migrations:
      - {name: one, projects: [ENG], finished: 2026-11-20T02:30:00+01:00}
      - {name: two, projects: [PLT], planned: 2026-11-24T02:30:00+01:00}""",
)


class _Watched(httpx.AsyncBaseTransport):
    def __init__(self, night: "Night") -> None:
        self._night = night
        self._inner = httpx.ASGITransport(app=make_app(night.world))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._night.interfere is not None:
            self._night.interfere(request)
        return await self._inner.handle_async_request(request)


class Night(Evening):
    """An evening with its files: expected links, and a snapshot from before the run."""

    @property
    def csv(self) -> Path:
        return self.folder / "links.csv"

    @property
    def before(self) -> Path:
        return self.folder / "before.snapshot"

    interfere: Callable[[httpx.Request], None] | None = None

    def begin(self) -> "Night":
        """Take the snapshot and run the jobs; `first` is what was there before."""
        self.first = self.records()
        self.csv.write_text(self.world.expected_csv(), encoding="utf-8")
        taken = self.command(
            "snapshot", str(self.plan), "-o", str(self.before), "--links", str(self.csv)
        )
        assert taken.code == 0, taken.err
        ran = self.run()
        assert ran.code == 0, ran.err
        return self

    def sockets(self) -> httpx.AsyncBaseTransport:
        """Return the network; `interfere` is called before each request reaches the world."""
        return _Watched(self)

    def command(self, *words: str, interactive: bool = False) -> Result:
        result = super().command(*words, interactive=interactive)
        assert "Traceback" not in result.err, result.err
        return result

    def verify(self, *more: str) -> Result:
        return self.on_ledger("verify", "latest", "--expected", str(self.csv), *more)

    def verified(self, *more: str) -> Any:
        return json.loads(self.verify("--format", "json", *more).out)

    def repair(self, *more: str) -> Result:
        return self.on_ledger("repair", "latest", "--expected", str(self.csv), *more)

    def rollback(self, *more: str) -> Result:
        return self.on_ledger("rollback", "latest", "--before", str(self.before), *more)

    def rows(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.csv.read_text(encoding="utf-8"))))[1:]

    def add_row(self, *row: str) -> None:
        with self.csv.open("a", encoding="utf-8") as file:
            file.write(",".join(row) + "\n")

    def issue(self, key: str) -> Issue:
        return self.world.issue(key)

    def made(self, *, site: str = ENG) -> LostLink:
        """Return one end of a lost link that a job recreated."""
        return next(
            link for link in self.world.lost_links if link.source_site == site and link.link_id
        )

    def records(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return every link of every issue, without ids: what a rollback must bring back."""
        result = {}
        for site in self.world.sites.values():
            for issue in site.issues.values():
                links = [deepcopy(link.record) for link in issue.links.values()]
                for record in links:
                    record.pop("id", None)
                    record.pop("self", None)
                result[site.url, issue.key] = sorted(
                    links, key=lambda one: json.dumps(one, sort_keys=True)
                )
        return result

    def all_links(self) -> dict[tuple[str, int], dict[str, Any]]:
        return {
            (site.url, number): deepcopy(link.record)
            for site in self.world.sites.values()
            for issue in site.issues.values()
            for number, link in issue.links.items()
        }


def counts(document: Any, job: str) -> dict[str, int]:
    """Return the counts of a job that are not zero, and hold that the kinds add up."""
    for counted in document["jobs"]:
        kinds = {
            name: value
            for name, value in counted.items()
            if name not in ("id", "expected", "duplicate", "unexpected")
        }
        assert sum(kinds.values()) == counted["expected"]
    (found,) = [counted for counted in document["jobs"] if counted["id"] == job]
    return {name: value for name, value in found.items() if name != "id" and value}


@pytest.fixture
def night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Night]:
    """Return a maker of nights: `night(links_per_pair=…, leave_out=…)`, begun."""

    def make(*, begun: bool = True, text: str | None = None, **settings: Any) -> Night:
        made = Night(
            tmp_path, capsys, text or plan_text(("eng", "ops"), pairs=DIRECTIONS), settings
        )
        return made.begin() if begun else made

    return make
