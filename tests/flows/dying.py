"""Run `runbook` in a process of its own that may die by SIGKILL at one boundary.

A boundary is the moment before each statement that begins, changes or commits the ledger, and the
moments before and after each request. Processes are forked from one that has imported everything,
which changes nothing for what is tested and saves a second each.
"""

import contextlib
import multiprocessing
import os
import pkgutil
import signal
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import runbook

# What the fork server imports once, the children inherit: everything that a command may need.
IMPORTED = ["tests.flows.dying"] + [
    found.name
    for found in pkgutil.walk_packages(runbook.__path__, "runbook.")
    if not found.name.endswith("__main__")
]


@dataclass(frozen=True)
class Launched:
    """How a process ended: its exit code (negative: the signal), what it said, boundaries passed."""

    code: int
    said: str
    boundaries: int


def launch(words: list[str], env: dict[str, str], folder: Path, *, deadly: int = 0) -> Launched:
    """Run a command and die at boundary number `deadly`; 0 lives."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    out, count = folder / "said.txt", folder / "boundaries.txt"
    count.unlink(missing_ok=True)
    process = context.Process(target=_child, args=(words, env, str(out), str(count), deadly))
    process.start()
    process.join(120)
    code = process.exitcode
    process.close()
    assert code is not None, "the process hangs"
    passed = int(count.read_text()) if count.exists() else 0
    return Launched(code, out.read_text(encoding="utf-8"), passed)


def _child(words: list[str], env: dict[str, str], out: str, count: str, deadly: int) -> None:
    from runbook.cli.app import main

    os.environ.update(env)
    passed = _armed(deadly)
    with (
        Path(out).open("w", encoding="utf-8", buffering=1) as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        code = main(words)
    Path(count).write_text(str(passed[0]))
    os._exit(code)


def _armed(deadly: int) -> list[int]:
    """Count boundaries from now on, and die at the deadly one; return the running count."""
    from runbook.atlassian.transport import HttpTransport

    passed = [0]

    def boundary() -> None:
        passed[0] += 1
        if passed[0] == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(statement: str) -> None:
        if statement.lstrip().startswith(("BEGIN", "INSERT", "COMMIT", "UPDATE", "DELETE")):
            boundary()

    real_connect, real_send = sqlite3.connect, HttpTransport.__call__

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:
        connection = real_connect(*given, **named)
        if ".ledger" in str(given[0]):
            connection.set_trace_callback(traced)
        return connection

    async def send(self: HttpTransport, request: Any) -> Any:
        boundary()
        outcome = await real_send(self, request)
        boundary()
        return outcome

    sqlite3.connect = connect  # type: ignore[assignment]
    HttpTransport.__call__ = send  # type: ignore[method-assign]
    return passed
