"""`snapshot` at 200 ms latency: one site and ten from one process, beside the two usual clients.

Every part runs in a process of its own against `jira_server`, which keeps to the documented token
buckets and counts its 429. What is counted is issues read by whole seconds of the whole snapshot:
log-in, search, GETs, bulk fetch, and the file. The peers read issue after issue, as their users do.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LATENCY_S = 0.2
ISSUES = 4000
PEER_ISSUES = 60
ONE_SITE_PER_S = 90.0
TEN_SITES_PER_S = 900.0
TIMES_A_PEER = 18.0


def measure() -> list[dict[str, Any]]:
    """Return the rows of design section 9 about `snapshot`."""
    one, _, one_limited = snapshot(1)
    ten, cpu_ms, ten_limited = snapshot(10)
    peers = {name: peer(name) for name in ("jira", "atlassian-python-api")}
    rows = [
        _row("snapshot of one site, GET/s", one, ONE_SITE_PER_S, f"{ISSUES} issues, 200 ms"),
        _row("snapshot of ten sites, GET/s", ten, TEN_SITES_PER_S, f"10 x {ISSUES} issues, 200 ms"),
        {
            "name": "CPU of ten sites, ms per GET",
            "value": cpu_ms,
            "limit": None,
            "detail": "of the reading process, parsing and file included",
        },
        {
            "name": "answers 429 provoked by both",
            "value": one_limited + ten_limited,
            "limit": 0,
            "detail": "buckets of 100, refilled at 100/s",
        },
    ]
    rows += [
        {
            "name": f"snapshot of one site against `{name}`",
            "ratio": one / rate,
            "limit": TIMES_A_PEER,
            "at_least": True,
            "detail": f"{rate:.2f} GET/s there",
        }
        for name, rate in peers.items()
    ]
    return rows


def snapshot(sites: int, issues: int = ISSUES) -> tuple[float, float, int]:
    """Return issues read per second over several sites, CPU in ms per issue, and answers 429."""
    with server(issues) as endpoint:
        spent_s, cpu_s = map(float, _child("ours", endpoint, str(sites)).split())
        with urllib.request.urlopen(f"{endpoint}/counts") as told:
            counts = json.load(told)
    if counts["read"] < sites * issues:
        raise SystemExit(f"only {counts['read']} of {sites * issues} issues were read")
    return counts["read"] / spent_s, 1000 * cpu_s / counts["read"], counts["limited"]


def peer(name: str) -> float:
    """Return issues read per second by another client."""
    with server(PEER_ISSUES) as endpoint:
        return PEER_ISSUES / float(_child(name, endpoint, str(PEER_ISSUES)).split()[0])


@contextlib.contextmanager
def server(issues: int) -> Iterator[str]:
    """Run the stand-in in a process of its own and yield its endpoint."""
    command = [sys.executable, "-m", "benchmarks.jira_server", str(LATENCY_S), str(issues)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def _child(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.snapshot", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _row(name: str, value: float, limit: float, detail: str) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "at_least": True, "detail": detail}


def ours(endpoint: str, sites: int) -> float:
    """Take a snapshot of several sites and return the seconds it took."""
    import asyncio

    from runbook.atlassian.jira import JiraSite
    from runbook.atlassian.limits import Limits
    from runbook.atlassian.transport import HttpTransport
    from runbook.clock import SystemClock
    from runbook.plan.model import Plan, Project, Site
    from runbook.remotelinks.snapshot import scope_of, take
    from runbook.remotelinks.snapshot_file import create_snapshot
    from runbook.secrets import Account, Secret

    clock = SystemClock()
    plan = Plan(
        name="bench",
        sites=tuple(
            Site(url=f"https://site{n}.atlassian.net", projects=(Project(key="ONE", was="ONE"),))
            for n in range(sites)
        ),
    )
    scope = scope_of(plan)

    async def whole(file: Any) -> bool:
        account = Account("default", "admin@example.com", Secret("a-token"))
        transport = HttpTransport(accounts=(account,), clock=clock, endpoint=endpoint)
        limits = Limits(clock)
        sites = {
            site.url: JiraSite(site, send=transport, clock=clock, limits=limits)
            for site in plan.sites
        }
        taken = await take(plan, file, scope, sites=sites, clock=clock)
        await transport.aclose()
        return taken.whole

    with tempfile.TemporaryDirectory() as folder:
        begun_s = time.perf_counter()
        with create_snapshot(
            Path(folder) / "bench.snapshot",
            plan=plan.name,
            digest="",
            scope=scope.as_json(),
            at=clock.now(),
        ) as file:
            whole_one = asyncio.run(whole(file))
        spent_s = time.perf_counter() - begun_s
    if not whole_one:
        raise SystemExit("the snapshot is not whole")
    return spent_s


def with_jira(endpoint: str, issues: int) -> float:
    """Read the links of issues with `jira` and return the seconds."""
    from jira import JIRA

    client = JIRA(
        server=endpoint,
        basic_auth=("admin@example.com", "a-token"),
        get_server_info=False,
        options={"check_update": False},
    )
    begun_s = time.perf_counter()
    for number in range(1, issues + 1):
        assert len(client.remote_links(f"ONE-{number}")) == 2
    return time.perf_counter() - begun_s


def with_atlassian(endpoint: str, issues: int) -> float:
    """Read the links of issues with `atlassian-python-api` and return the seconds."""
    from atlassian import Jira

    client = Jira(url=endpoint, username="admin@example.com", password="a-token", cloud=True)
    begun_s = time.perf_counter()
    for number in range(1, issues + 1):
        assert len(client.get_issue_remote_links(f"ONE-{number}")) == 2
    return time.perf_counter() - begun_s


if __name__ == "__main__":
    part, address, count = sys.argv[1:]
    parts = {"ours": ours, "jira": with_jira, "atlassian-python-api": with_atlassian}
    print(parts[part](address, int(count)), time.process_time())
