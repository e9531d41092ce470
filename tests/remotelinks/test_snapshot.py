"""A snapshot looks at every issue in scope, says what became of each, and goes on where it stood."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.atlassian.retry import Patience
from runbook.atlassian.transport import HttpTransport
from runbook.clock import VirtualClock
from runbook.errors import ExitCode, UsageError
from runbook.plan.model import Plan
from runbook.remotelinks import snapshot as snapshot_module
from runbook.remotelinks.snapshot import Scope, Taken, scope_of, take
from runbook.remotelinks.snapshot_file import create_snapshot, open_snapshot
from runbook.simulator.app import make_app
from runbook.simulator.faults import Fault, FaultKind
from runbook.simulator.populate import world_of
from tests.atlassian.scripted import ACCOUNT
from tests.simulator.worlds import ENG, OPS, two_sites

LINKS = {"method": "GET", "path": "*/remotelink"}


class KilledError(BaseException):
    """The process ends here."""


class Scene:
    """A world of two sites, and snapshots of it."""

    def __init__(self, folder: Path, clock: VirtualClock, plan: Plan) -> None:
        self.file, self.clock, self.plan = folder / "snap", clock, plan
        self.world = world_of(plan, clock=clock, issues_per_project=25, own_links=0.5)

    def take(
        self, scope: Scope | None = None, *, interfere: Callable[[httpx.Request], Any] | None = None
    ) -> Taken:
        scope = scope or scope_of(self.plan)
        inner = httpx.ASGITransport(app=make_app(self.world))

        class Watched(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                given = None if interfere is None else interfere(request)
                if isinstance(given, httpx.Response):
                    return given
                return await inner.handle_async_request(request)

        async def whole() -> Taken:
            transport = HttpTransport(accounts=(ACCOUNT,), clock=self.clock, sockets=Watched)
            with create_snapshot(
                self.file, plan="p", digest="d", scope=scope.as_json(), at=self.clock.now()
            ) as file:
                try:
                    limits = Limits(self.clock)
                    sites = {
                        site.url: JiraSite(
                            site,
                            send=transport,
                            clock=self.clock,
                            limits=limits,
                            patience=Patience(attempts=2, limited_attempts=3),
                        )
                        for site in self.plan.sites
                    }
                    return await take(self.plan, file, scope, sites=sites, clock=self.clock)
                finally:
                    await transport.aclose()

        return asyncio.run(whole())

    def states(self) -> dict[str, int]:
        with open_snapshot(self.file) as file:
            return file.states()

    def fault(self, kind: FaultKind, **more: Any) -> None:
        self.world.faults.add(Fault(kind=kind, **(LINKS | more)))


@pytest.fixture
def scene(tmp_path: Path, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(snapshot_module, "CHUNK_ISSUES", 10)
    return Scene(tmp_path, clock, two_sites())


def held(scene: Scene) -> dict[tuple[str, int], str]:
    with open_snapshot(scene.file) as file:
        return {(row.site, row.link_id): row.title for row in file.links()}


def there(scene: Scene) -> dict[tuple[str, int], str]:
    return {
        (site.url, link.id): link.record["object"]["title"]
        for site in scene.world.sites.values()
        for issue in site.issues.values()
        for link in issue.links.values()
    }


def test_everything_that_is_there_is_in_the_file(scene: Scene) -> None:
    taken = scene.take()
    assert taken.whole
    total = sum(len(site.issues) for site in scene.world.sites.values())
    assert taken.states == {"read": total}
    assert taken.links == len(there(scene)) > 10
    assert held(scene) == there(scene)
    with open_snapshot(scene.file) as file:
        assert file.meta().finished_at is not None
        assert all(row.key and row.id for row in file.issues())
        assert {row.base_url for row in file.sites()} == {ENG, OPS}
        assert {row.app_via for row in file.sites()} == {"site"}


def test_no_429_is_provoked(scene: Scene) -> None:
    scene.take()
    assert not scene.world.limits.refused


def test_issues_that_vanish_refuse_or_fail_are_listed_and_add_up(
    scene: Scene, clock: VirtualClock
) -> None:
    scene.fault(FaultKind.STATUS, path="*/ENG-3/remotelink", status=403, times=99)
    scene.fault(FaultKind.STATUS, path="*/ENG-4/remotelink", status=413, times=99)
    scene.fault(FaultKind.STATUS, path="*/ENG-5/remotelink", status=500, times=99)
    scene.fault(FaultKind.HTML, path="*/ENG-6/remotelink", times=99)
    gone = scene.world.sites[ENG].issue("ENG-7")
    assert gone is not None

    def vanish(request: httpx.Request) -> None:
        if request.url.path.endswith("/remotelink"):
            scene.world.sites[ENG].issues.pop(gone.id, None)

    total = sum(len(site.issues) for site in scene.world.sites.values())
    taken = scene.take(interfere=vanish)
    assert taken.states == {"read": total - 5, "absent": 1, "refused": 2, "failed": 2}
    assert not taken.whole
    with open_snapshot(scene.file) as file:
        named = {row.asked: row.state for row in file.issues() if row.state != "read"}
        assert named == {
            "ENG-3": "refused",
            "ENG-4": "refused",
            "ENG-5": "failed",
            "ENG-6": "failed",
            "ENG-7": "absent",
        }
        assert all(row.detail for row in file.issues() if row.state != "read")
    scene.world.faults.rules.clear()
    again = scene.take()
    assert again.whole
    assert again.states == {"read": total - 1, "absent": 1}


def test_a_site_that_fails_stops_no_other(scene: Scene) -> None:
    scene.fault(FaultKind.STATUS, method="*", path="*", host="contoso-ops*", status=503, times=9999)
    taken = scene.take()
    ((site, error),) = taken.errors
    assert site == OPS
    assert error.exit_code is ExitCode.REMOTE
    assert taken.states["read"] == len(scene.world.sites[ENG].issues)
    with open_snapshot(scene.file) as file:
        assert file.meta().finished_at is None
    scene.world.faults.rules.clear()
    assert scene.take().whole


@pytest.mark.parametrize("after", [1, 2, 9, 10, 11, 27, 40, 60])
def test_a_snapshot_that_is_killed_goes_on_behind_its_last_whole_chunk(
    scene: Scene, after: int
) -> None:
    seen: list[str] = []

    def kill(request: httpx.Request) -> None:
        if request.url.path.endswith("/remotelink"):
            seen.append(request.url.path)
            if len(seen) == after:
                raise KilledError

    with pytest.raises(KilledError):
        scene.take(interfere=kill)
    with open_snapshot(scene.file) as file:
        done = {row.asked for row in file.issues()}
        recorded = sum(file.chunk_sizes(site)[1] for site in (ENG, OPS))
    assert len(done) == recorded
    begun: list[str] = []
    assert scene.take(interfere=lambda request: begun.append(request.url.path)).whole
    assert not any(path.endswith(f"/{key}/remotelink") for path in begun for key in done)
    assert held(scene) == there(scene)


@pytest.mark.parametrize("after", [1, 2, 10, 11, 15, 20, 21, 25, 26])
def test_a_login_that_is_lost_on_the_way_makes_nothing_absent(scene: Scene, after: int) -> None:
    """Wherever in a chunk it happens: to nobody in particular Jira says 404, not 401."""
    seen: list[str] = []

    def lose(request: httpx.Request) -> None:
        if request.url.path.endswith("/remotelink"):
            seen.append(request.url.path)
            if len(seen) == after:
                scene.world.settings.accept_any = False
                scene.world.accounts.clear()

    taken = scene.take(interfere=lose)
    assert {error.exit_code for _, error in taken.errors} == {ExitCode.CREDENTIAL}
    assert "absent" not in taken.states


@pytest.mark.parametrize("after", [1, 2, 10, 11, 15, 20, 21, 25, 26])
def test_a_404_makes_an_issue_absent_only_while_the_login_holds(scene: Scene, after: int) -> None:
    """Some gateways do not say that a login was lost; an issue is then as good as not there."""
    seen: list[str] = []

    def lose(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/remotelink"):
            seen.append(request.url.path)
            if len(seen) >= after:
                return httpx.Response(404, json={"errorMessages": ["Issue does not exist"]})
        if request.url.path.endswith("/myself") and len(seen) >= after:
            return httpx.Response(401, json={})
        return None

    taken = scene.take(interfere=lose)
    assert {error.exit_code for _, error in taken.errors} == {ExitCode.CREDENTIAL}
    assert "absent" not in taken.states


def test_the_expected_links_say_what_is_read_and_what_is_resolved(
    scene: Scene, tmp_path: Path
) -> None:
    csv = tmp_path / "links.csv"
    csv.write_text(
        "source_key,destination_key,link_type,direction\n"
        "ENG-1,OPS-2,blocks,outward\n"
        "PLT-3,OPS-9999,blocks,outward\n"
        "ENG-1,ENG-2,blocks,outward\n"
        "XX-1,OPS-4,blocks,outward\n"
        "nonsense\n"
    )
    scope = scope_of(scene.plan, links=csv)
    assert scope.keys == {ENG: ("ENG-1", "PLAT-3"), OPS: ("OPS-2", "OPS-4", "OPS-9999")}
    assert [row.line for row in scope.bad_rows] == [6]
    assert scope.unplaced == 1
    taken = scene.take(scope)
    assert taken.whole
    assert taken.states == {"read": 4, "absent": 1}
    with open_snapshot(scene.file) as file:
        resolved = {row.asked: row.state for row in file.resolved(OPS)}
        assert resolved == {"OPS-2": "found", "OPS-4": "found", "OPS-9999": "absent"}


def test_targets_that_links_name_are_resolved_too(scene: Scene) -> None:
    issue = scene.world.sites[ENG].issue("ENG-1")
    assert issue is not None
    for number, key in enumerate(("OPS-5", "OPS-4444")):
        record = {"globalId": f"g{number}", "object": {"url": f"{OPS}/browse/{key}", "title": key}}
        scene.world.write_link(issue, record, scene.world.account("someone@x.example"))
    scene.take(scope_of(scene.plan))
    with open_snapshot(scene.file) as file:
        resolved = {row.asked: row.state for row in file.resolved(OPS)}
    assert resolved["OPS-5"] == "found"
    assert resolved["OPS-4444"] == "absent"


def test_a_query_reads_what_it_finds_on_the_chosen_site_only(scene: Scene) -> None:
    taken = scene.take(scope_of(scene.plan, sites=(OPS,), jql="project = OPS"))
    assert taken.states == {"read": len(scene.world.sites[OPS].issues)}


def test_a_site_without_projects_needs_to_be_told_what_to_read() -> None:
    plan = two_sites()
    bare = replace(plan, sites=(replace(plan.sites[0], projects=()), plan.sites[1]))
    with pytest.raises(UsageError, match="names no projects"):
        scope_of(bare)
    assert scope_of(bare, sites=(OPS,)).kind == "projects"
    with pytest.raises(UsageError, match="no site"):
        scope_of(plan, sites=("https://x.atlassian.net",))
