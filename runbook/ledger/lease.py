"""Who leads a ledger: the lease, and whether it still holds."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

LEASE_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who leads the ledger; `after_seq` is its last row when the lease was taken."""

    token: str
    operator: str
    pid: int
    machine: str
    since: datetime
    heartbeat: datetime
    after_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOwner:
    """A process that holds the lease, or wants it."""

    token: str
    operator: str
    pid: int
    machine: str


def lease_holds(held: Lease, owner: LeaseOwner, now: datetime) -> bool:
    """Return whether a lease keeps `owner` out at this moment."""
    if held.machine == owner.machine and not process_lives(held.pid):
        return False
    return now - held.heartbeat < LEASE_LIFE


def process_lives(pid: int) -> bool:
    """Return whether a process of this machine is alive; True where that cannot be told."""
    if os.name == "nt":
        return _process_lives_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    # A killed process stays in the table until its parent asks for it; in a container that may be never.
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[:1] == ["Z"]


def _process_lives_on_windows(pid: int) -> bool:
    # os.kill(pid, 0) would send Ctrl-C there.
    import ctypes

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 - absent elsewhere
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == 259  # STILL_ACTIVE
