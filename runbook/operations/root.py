"""The composition root: the real clock, network, ledger and credentials are built here only."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook.clock import Clock, SystemClock
from runbook.errors import UsageError
from runbook.secrets import Account, Mask

if TYPE_CHECKING:
    import httpx

    from runbook.execute.ports import Prober
    from runbook.http import Send
    from runbook.ledger.store import LeaseOwner, Ledger
    from runbook.operations.credentials import Ask
    from runbook.plan.model import Plan

_PROCESS_MASK = Mask()


def _random() -> float:
    from random import SystemRandom

    return SystemRandom().random()


def process_mask() -> Mask:
    """Return the mask that knows every credential this process has read."""
    return _PROCESS_MASK


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """How hosts are reached: `endpoint` stands in for all of them, `ca_bundle` is trusted besides."""

    endpoint: str | None = None
    ca_bundle: Path | None = None


@dataclass(slots=True)
class Root:
    """What a command gets from outside: environment, time, network, terminal.

    `transport` replaces the sockets (tests); `random` draws jitter, between 0 and 1. `ask` and `warn`
    are the command line's ways to ask and to warn a person.
    """

    environ: Mapping[str, str]
    clock: Clock
    interactive: bool
    transport: "Callable[[], httpx.AsyncBaseTransport] | None" = None
    random: Callable[[], float] = field(default=lambda: 0.5)
    verbose: bool = False
    no_color: bool = False
    ask: "Ask | None" = None
    warn: Callable[[str], None] = field(default=lambda _: None)

    @classmethod
    def of_this_process(cls) -> "Root":
        """Return the root of a real process."""
        return cls(
            environ=os.environ,
            clock=SystemClock(),
            interactive=sys.stdin.isatty() and sys.stderr.isatty(),
            random=_random,
        )

    def accounts(self, profiles: Iterable[str]) -> tuple[Account, ...]:
        """Return the account of every profile, each once, in order.

        Raises:
            CredentialError: a profile has no complete credential.
        """
        from runbook.operations.credentials import find_account

        ask = self.ask if self.interactive else None
        found = tuple(
            find_account(profile, self.environ, ask=ask, warn=self.warn)
            for profile in dict.fromkeys(profiles)
        )
        for account in found:
            _PROCESS_MASK.add(account)
        return found

    def operator(self, given: str | None, accounts: tuple[Account, ...] = ()) -> str:
        """Return who is at the keyboard: the option, the environment, else the account's e-mail."""
        named = given or self.environ.get("RUNBOOK_OPERATOR")
        if named:
            return named
        email = accounts[0].email if accounts else self.environ.get("RUNBOOK_EMAIL")
        return email or self.environ.get("USER") or self.environ.get("USERNAME") or "unknown"

    @property
    def machine(self) -> str:
        """Return this machine's name."""
        import platform

        return platform.node() or "unnamed"

    def run_id(self) -> str:
        """Return a new run's id: the moment in UTC, and four digits of chance."""
        return f"{self.clock.now():%Y%m%d-%H%M%S}-{int(self.random() * 0x10000):04x}"

    def lease_owner(self, operator: str) -> "LeaseOwner":
        """Return this process as a holder of the ledger's lease."""
        import secrets as chance

        from runbook.ledger.store import LeaseOwner

        return LeaseOwner(
            token=chance.token_hex(16), operator=operator, pid=os.getpid(), machine=self.machine
        )

    def ledger_path(self, option: Path | None, plan: Path | None = None) -> Path:
        """Return the ledger's path: option, environment, beside the plan, else working directory."""
        if option is not None:
            return option
        named = self.environ.get("RUNBOOK_LEDGER")
        if named:
            return Path(named)
        return (Path() if plan is None else plan.parent) / "runbook.ledger"

    def open_ledger(self, path: Path, *, read_only: bool = True) -> "Ledger":
        """Open a ledger that is there; see `runbook.ledger.store.open_ledger` for the errors."""
        from runbook.ledger.store import open_ledger

        return open_ledger(path, clock=self.clock, mask=_PROCESS_MASK, read_only=read_only)

    def create_ledger(self, path: Path) -> "Ledger":
        """Open a ledger or make one; see `runbook.ledger.store.create_ledger` for the errors."""
        from runbook.ledger.store import create_ledger

        return create_ledger(path, clock=self.clock, mask=_PROCESS_MASK)

    @contextlib.asynccontextmanager
    async def network(
        self, accounts: tuple[Account, ...], options: NetworkOptions
    ) -> "AsyncIterator[Send]":
        """Yield the way to send requests; connections are closed at the end."""
        from runbook.atlassian.transport import HttpTransport

        transport = HttpTransport(
            accounts=accounts,
            clock=self.clock,
            endpoint=self.endpoint(options.endpoint),
            ca_bundle=options.ca_bundle,
            sockets=self.transport,
            mask=_PROCESS_MASK,
        )
        try:
            yield transport
        finally:
            await transport.aclose()

    def prober(self, plan: "Plan", send: "Send") -> "Prober | None":
        """Return what reads probe links, None where the plan names none."""
        if not any(instance.probe for instance in plan.instances):
            return None
        from runbook.remotelinks.probe import RemoteLinkProber

        return RemoteLinkProber(plan, send, self.clock)

    def endpoint(self, option: str | None) -> str | None:
        """Return the loopback address that stands in for every host, None for the real ones.

        Raises:
            UsageError: it is not a plain HTTP address of this machine.
        """
        from runbook.atlassian.transport import checked_endpoint

        named = option or self.environ.get("RUNBOOK_ENDPOINT") or None
        return None if named is None else checked_endpoint(named)

    def await_(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run asynchronous work to its end from synchronous code."""
        import asyncio

        return asyncio.run(work)


def read_plan_for(path: Path) -> "Plan":
    """Return the parsed plan of a command that needs a plan without structural errors.

    Raises:
        PlanError: the plan cannot be read, or has structural errors; they are part of the message.
        UsageError: the path is a directory.
    """
    if path.is_dir():
        raise UsageError(f"`{path}` is a folder, not a plan", hint="name the plan file inside it")
    from runbook.plan import read_plan

    return read_plan(path)


def read_whole(
    path: Path, what: str, *, limit: int, too_large: UsageError, hint: str = ""
) -> bytes:
    """Return a file's bytes; `what` names it in the message that it cannot be read.

    Raises:
        UsageError: it cannot be read, or has more than `limit` bytes (`too_large`).
    """
    try:
        if path.stat().st_size > limit:
            raise too_large
        return path.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"cannot read {what}: {problem.strerror or problem}", hint=hint
        ) from problem
