"""One process at its run: a real ledger on the virtual clock, and a wire that answers as told."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook.clock import VirtualClock
from runbook.execute.ports import Audience, Interrupts, Ports
from runbook.execute.session import Assignment, RunSession
from runbook.http import Answer, Outcome, ProbeReading, Request
from runbook.jobs import CmaJob
from runbook.ledger.codec import Event, Row
from runbook.ledger.store import Ledger, create_ledger
from runbook.secrets import Mask
from runbook.view import JobView
from tests.evening import RUN, START, UUID

SITE, OTHER = "https://a.atlassian.net", "https://b.atlassian.net"


def answer(status: int, body: str = "", **headers: str) -> Answer:
    named = tuple((name.replace("_", "-").lower(), value) for name, value in headers.items())
    return Answer(status=status, headers=named, body=body.encode(), at=START)


ACCEPTED = answer(200, f'{{"uuid":"{UUID}"}}')


def status(word: str) -> Answer:
    return answer(200, f'{{"status":"{word}"}}')


def view_of(name: str = "one", **known: Any) -> JobView:
    windowed = known.pop("recreate_as_remote", False)
    job = CmaJob(
        id=name,
        order=1,
        needs=(),
        site=SITE,
        destination=OTHER,
        account="default",
        method="POST",
        url="https://api.atlassian.com/links/v1/{siteId}/jobs/cma",
        body={},
        recreate_as_remote=windowed,
    )
    return JobView(job=job, **known)


@dataclass
class Watcher:
    """Notes what it is told."""

    events: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def on_event(self, row: Row, event: Event) -> None:
        self.events.append(f"{row.seq} {event.KIND}")

    def on_wait(self, job: str, until: str, why: str) -> None:
        self.waits.append(why)

    def on_failure(self, text: str) -> None:
        self.failures.append(text)


@dataclass
class Prober:
    """Finds what it is told to find."""

    result: str = "absent"

    async def read(self, site: str, issue: str, target: str, destination: str) -> ProbeReading:
        return ProbeReading(result=self.result)


@dataclass
class Desk:
    """A session, and everything around it that a test looks at."""

    session: RunSession
    clock: VirtualClock
    ledger: Ledger
    watcher: Watcher
    prober: Prober
    sent_s: list[float]
    last_on_disk: list[str]

    def kinds(self) -> list[str]:
        return [row.kind for row in self.ledger.rows()]

    def gaps_s(self) -> list[float]:
        return [round(b - a, 3) for a, b in zip(self.sent_s, self.sent_s[1:], strict=False)]

    def elsewhere(self, event: Event, job: str | None = None) -> None:
        """Another terminal writes."""
        self.ledger.append(event, run=RUN, job=job)


@contextlib.contextmanager
def desk(
    tmp_path: Path, *outcomes: Outcome, jobs: tuple[JobView, ...] = (), **assigned: Any
) -> Iterator[Desk]:
    """Yield a desk whose requests are answered in this order, the last answer again and again."""
    clock, watcher, prober = VirtualClock(START), Watcher(), Prober()
    sent_s: list[float] = []
    last_on_disk: list[str] = []

    async def send(request: Request) -> Outcome:
        sent_s.append(clock.monotonic_s())
        last_on_disk.extend(row.kind for row in list(ledger.rows())[-1:])
        return outcomes[min(len(sent_s), len(outcomes)) - 1]

    views = {view.id: view for view in jobs or (view_of(),)}
    with create_ledger(tmp_path / "x.ledger", clock=clock, mask=Mask()) as ledger:
        ports = Ports(
            send=send,
            ledger=ledger,
            clock=clock,
            audience=Audience([watcher]),
            prober=assigned.pop("prober", prober),
        )
        values: dict[str, Any] = {"todo": list(views), "pairs": {}, "site_ids": {SITE: "a"}}
        session = RunSession(
            Assignment(run=RUN, jobs=views, **(values | assigned)), ports, Interrupts()
        )
        yield Desk(session, clock, ledger, watcher, prober, sent_s, last_on_disk)
