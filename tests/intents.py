"""A stand-in for sockets that looks, at each write, whether its intent is on disk already.

Whoever hands it to a command learns of every request that changes something at Atlassian, and of
each that left before its intent was committed. The ledger is read through a connection of its own,
so that what the writing process has not committed yet does not count.
"""

import contextlib
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from runbook.operations.root import process_mask

# These are asked by POST and change nothing.
READING = ("/search/jql", "/search/approximate-count", "/issue/bulkfetch", "/changelog/bulkfetch")
READING += ("/permissions/check", "/expression/evaluate")

ENDS_OF_SUBMITS = ("submit.answered", "submit.lost", "submit.not_sent")
ENDS_OF_WRITES = ("write.ended",)
_NEWEST_FIRST = (
    "SELECT kind, run, job, payload FROM event WHERE kind LIKE 'submit.%' OR kind LIKE 'write.%'"
    " ORDER BY seq DESC"
)


@dataclass
class Watch:
    """What was seen at the wire: writes whose intent was on disk, and writes without one."""

    announced: list[str] = field(default_factory=list)
    unannounced: list[str] = field(default_factory=list)


class IntentsFirst(httpx.AsyncBaseTransport):
    """Pass every request on to `inner`; of each write, note whether `ledger()` holds its intent."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, ledger: Callable[[], Path], watch: Watch
    ) -> None:
        self._inner, self._ledger, self._watch = inner, ledger, watch

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if changes_something(request):
            there = intended(self._ledger(), request)
            noted = self._watch.announced if there else self._watch.unannounced
            noted.append(f"{request.method} {request.url}")
        return await self._inner.handle_async_request(request)


def changes_something(request: httpx.Request) -> bool:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    return not (request.method == "POST" and request.url.path.endswith(READING))


def intended(ledger: Path, request: httpx.Request) -> bool:
    """Return whether the ledger holds the intent of a request, and no end of that attempt yet."""
    if not ledger.is_file():
        return False
    mask = process_mask()
    url = httpx.URL(f"https://{request.headers['Host']}").copy_with(raw_path=request.url.raw_path)
    sent = (request.method, mask.text(str(url)), mask.text(request.content.decode()))
    ended: set[tuple[str, Any]] = set()
    where = f"{ledger.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(where, uri=True)) as db:
        for kind, run, job, text in db.execute(_NEWEST_FIRST):
            payload = json.loads(text)
            name = (run, job if kind.startswith("submit.") else payload["write"])
            if kind in ENDS_OF_SUBMITS + ENDS_OF_WRITES:
                ended.add(name)
            elif name not in ended and _request(payload["request"]) == sent:
                return True
    return False


def _request(kept: dict[str, Any]) -> tuple[str, str, str]:
    return kept["method"], str(httpx.URL(kept["url"])), kept["body"] or ""
