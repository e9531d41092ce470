"""The simulator on real sockets: inside a loop, in a thread, blocking; clean at its end."""

import asyncio
import builtins
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from runbook.clock import SystemClock, VirtualClock
from runbook.errors import UsageError
from runbook.simulator.app import make_app
from runbook.simulator.populate import world_of
from runbook.simulator.server import serving
from runbook.simulator.world import World
from tests.simulator.serving import serving_in_thread
from tests.simulator.worlds import EMAIL, ENG, OPS, TOKEN, two_sites


def host_of(site: str) -> dict[str, str]:
    return {"Host": site.split("://")[1]}


def test_sites_are_told_apart_by_their_host(world: World) -> None:
    async def act() -> list[str]:
        async with serving(world) as endpoint, httpx.AsyncClient(base_url=endpoint) as client:
            answers = [
                await client.get("/_edge/tenant_info", headers=host_of(site))
                for site in (ENG, OPS, ENG + ":443", ENG.upper())
            ]
            return [answer.json()["cloudId"] for answer in answers]

    ids = asyncio.run(act())
    eng = world.sites[ENG].site_id
    assert ids == [eng, world.sites[OPS].site_id, eng, eng]


def test_answers_carry_the_worlds_date_and_a_trace_id(world: World) -> None:
    async def act() -> httpx.Response:
        async with serving(world) as endpoint, httpx.AsyncClient(base_url=endpoint) as client:
            return await client.get("/_edge/tenant_info", headers=host_of(ENG))

    headers = asyncio.run(act()).headers
    assert headers.get_list("date") == ["Sun, 22 Nov 2026 19:00:00 GMT"]
    assert len(headers["atl-traceid"]) == 32
    assert "server" not in headers


def test_the_server_listens_on_loopback_only_and_lets_the_port_go(world: World) -> None:
    async def act() -> int:
        async with serving(world) as endpoint:
            assert endpoint.startswith("http://127.0.0.1:")
            return int(endpoint.rsplit(":", 1)[1])

    port = asyncio.run(act())
    with socket.socket() as free:
        assert free.connect_ex(("127.0.0.1", port)) != 0


def test_two_servers_one_after_the_other_take_the_same_port(world: World) -> None:
    async def act() -> None:
        async with serving(world) as first:
            port = int(first.rsplit(":", 1)[1])
        async with serving(world, port) as second:
            assert second == first

    asyncio.run(act())


@pytest.mark.parametrize("port", ["taken", "too large"])
def test_a_port_that_cannot_be_had_is_a_usage_error(world: World, port: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        wanted = other.getsockname()[1] if port == "taken" else 70_000

        async def act() -> None:
            async with serving(world, wanted):
                raise AssertionError

        with pytest.raises(UsageError, match="cannot listen"):
            asyncio.run(act())


def test_the_end_waits_for_an_answer_that_is_under_way(world: World) -> None:
    begun = asyncio.Event()

    class Slow(SystemClock):
        async def sleep(self, seconds: float) -> None:
            begun.set()
            await super().sleep(seconds)

    world.settings.latency_s = 0.05
    world.clock = Slow()

    async def act() -> int:
        async with httpx.AsyncClient() as client:
            async with serving(world) as endpoint:
                url = f"{endpoint}/_edge/tenant_info"
                asked = asyncio.create_task(client.get(url, headers=host_of(ENG)))
                await begun.wait()
            return (await asked).status_code

    assert asyncio.run(act()) == 200


def test_an_end_during_an_outage_is_clean(world: World, clock: VirtualClock) -> None:
    async def act() -> None:
        async with serving(world) as endpoint:
            world.go_dark(3600)
            with pytest.raises(httpx.ConnectError):
                async with httpx.AsyncClient() as client, asyncio.timeout(5):
                    await client.get(endpoint)

    asyncio.run(act())
    assert clock.monotonic_s() < 3600


def test_a_thread_can_serve_a_caller_that_blocks() -> None:
    world = world_of(two_sites(), clock=SystemClock())
    with serving_in_thread(world) as endpoint:
        got = httpx.get(
            f"{endpoint}/rest/api/3/issue/ENG-1", headers=host_of(ENG), auth=(EMAIL, TOKEN)
        )
    assert got.json()["key"] == "ENG-1"


def test_a_thread_passes_its_error_on() -> None:
    world = world_of(two_sites(), clock=SystemClock())
    with pytest.raises(UsageError, match="cannot listen"), serving_in_thread(world, 70_000):
        raise AssertionError


def test_many_requests_at_once_are_all_answered(world: World) -> None:
    world.limits.enabled = False

    async def act() -> set[int]:
        async with (
            serving(world) as endpoint,
            httpx.AsyncClient(base_url=endpoint, auth=(EMAIL, TOKEN)) as client,
        ):
            got = await asyncio.gather(
                *(
                    client.get(
                        f"/rest/api/3/issue/ENG-{n % 20 + 1}/remotelink", headers=host_of(ENG)
                    )
                    for n in range(200)
                )
            )
        return {reply.status_code for reply in got}

    assert asyncio.run(act()) == {200}


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to a child needs another way there")
def test_ctrl_c_ends_the_blocking_server_without_a_word() -> None:
    script = textwrap.dedent(
        """
        import signal
        from runbook.clock import SystemClock
        from runbook.simulator.server import run_server
        from runbook.simulator.populate import world_of
        from tests.simulator.worlds import two_sites
        signal.signal(signal.SIGINT, signal.default_int_handler)
        world = world_of(two_sites(), clock=SystemClock())
        run_server(world, ready=lambda endpoint: print(endpoint, flush=True))
        print("ended")
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    endpoint = child.stdout.readline().strip()
    assert httpx.get(f"{endpoint}/_edge/tenant_info", headers=host_of(ENG)).status_code == 200
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out, err) == (0, "ended\n", "")


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    world: World, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *more: Any, **kwargs: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == library:
            raise ModuleNotFoundError(f"No module named '{library}'", name=library)
        return real(name, *more, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=library) as caught:
        asyncio.run(_serve_once(world))
    assert "link-runbook[rehearsal]" in caught.value.hint


async def _serve_once(world: World) -> None:
    async with serving(world):
        pass


def test_the_application_ignores_what_is_not_http(world: World) -> None:
    async def act() -> None:
        async def receive() -> Any:
            raise AssertionError

        async def send(message: Any) -> None:
            raise AssertionError

        await make_app(world)({"type": "lifespan"}, receive, send)

    asyncio.run(act())


def test_a_world_on_a_real_clock_dates_its_answers_today() -> None:
    world = world_of(two_sites(), clock=SystemClock())
    with serving_in_thread(world) as endpoint:
        date = httpx.get(f"{endpoint}/_edge/tenant_info", headers=host_of(ENG)).headers["date"]
    said = datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert abs((said - datetime.now(UTC)).total_seconds()) < 60


def test_half_a_request_is_no_submission(world: World) -> None:
    """A client that is killed between the head and the body of its POST has submitted nothing."""
    with serving_in_thread(world) as endpoint:
        address = urlsplit(endpoint)
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(
                b"POST /links/v1/x/jobs/cma HTTP/1.1\r\nHost: api.atlassian.com\r\n"
                b'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"product"'
            )
        # The next request is answered after the first one was taken up or dropped.
        for _ in range(3):
            httpx.get(
                f"{endpoint}/_edge/tenant_info", headers={"Host": "contoso-eng.atlassian.net"}
            )
    assert world.submissions == []
    assert not any(logged.path.endswith("/jobs/cma") for logged in world.log)
