"""A real Chromium without a network, and what else these tests need; skipped where it is not there.

With `RUNBOOK_REQUIRE_BROWSER=1` a missing tool is a failure instead. `make browser-tools` brings them.
"""

import asyncio
import inspect
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from runbook.report import build, render
from tests.report import evenings

ROOT = Path(__file__).parents[2]


def missing(what: str, how: str) -> Any:
    """Skip because a tool is not there, or fail where it has to be."""
    said = f"{what} is not there: {how}"
    if os.environ.get("RUNBOOK_REQUIRE_BROWSER") == "1":
        pytest.fail(said)
    pytest.skip(said)


def node_module(path: str) -> Path:
    """Return a file of an npm package that `make browser-tools` installed."""
    file = ROOT / "node_modules" / path
    if not file.is_file():
        missing(f"node_modules/{path}", "run `make browser-tools`")
    return file


@cache
def written(name: str, lang: str = "en") -> str:
    """Return the report of an evening, by its name."""
    made = {
        "hostile": lambda: evenings.hostile(short=True),
        "worst": evenings.worst_first_page,
        "worst verified": evenings.worst_verified,
    }
    evening = made[name]() if name in made else evenings.evenings()[name]
    return render(build(evening.view(), lang=lang))


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that writes a report to a file and returns its address."""
    folder = tmp_path_factory.mktemp("reports")

    def address(name: str, lang: str = "en") -> str:
        file = folder / f"{name.replace(' ', '-')}-{lang}.html"
        if not file.exists():
            file.write_text(written(name, lang), encoding="utf-8")
        return file.as_uri()

    return address


class Driven:
    """An object of Playwright's async API, each call run to its end on an event loop of our own.

    The sync API would leave its loop running in the main thread, where other tests call `asyncio.run`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any) -> None:
        self._loop = loop
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if not callable(value):
            return self._driven(value)

        async def called(*given: Any, **named: Any) -> Any:
            # Even a call that is not awaited, such as `on`, asks for the loop that runs.
            result = value(*given, **named)
            return await result if inspect.isawaitable(result) else result

        def call(*given: Any, **named: Any) -> Any:
            return self._driven(self._loop.run_until_complete(called(*given, **named)))

        return call

    def _driven(self, value: Any) -> Any:
        is_playwrights = type(value).__module__.startswith("playwright.")
        return Driven(self._loop, value) if is_playwrights else value


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Start Chromium with no way to any network."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("chromium", "install Debian's package `chromium`")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        missing("playwright", "pip install playwright")
    loop = asyncio.new_event_loop()
    try:
        playwright = loop.run_until_complete(async_playwright().start())
        browser = loop.run_until_complete(
            playwright.chromium.launch(
                executable_path=path,
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--host-resolver-rules=MAP * ~NOTFOUND",
                ],
            )
        )
        yield Driven(loop, browser)
        loop.run_until_complete(browser.close())
        loop.run_until_complete(playwright.stop())
    finally:
        loop.close()


class Seen:
    """A page with everything it said and asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda problem: self.said.append(str(problem)))
        page.on("request", lambda request: self.asked.append(request.url))


@pytest.fixture
def opened(chromium: Any, reports: Any) -> Iterator[Any]:
    """Return a function that opens a report at 1280 pixels, offline.

    With `hands_on_clock` timers of the page run by `page.clock` only.
    """
    contexts = []

    def open_(
        name: str,
        *,
        lang: str = "en",
        fragment: str = "",
        scheme: str = "light",
        hands_on_clock: bool = False,
        **options: Any,
    ) -> Seen:
        context = chromium.new_context(
            viewport={"width": 1280, "height": 900}, offline=True, color_scheme=scheme, **options
        )
        contexts.append(context)
        if hands_on_clock:
            context.clock.install()
            context.clock.pause_at(datetime(2100, 1, 1, tzinfo=UTC))
        seen = Seen(context.new_page())
        seen.page.goto(reports(name, lang) + fragment)
        return seen

    yield open_
    for context in contexts:
        context.close()
