"""An evening with somebody beside the wire: look at a request, answer in the server's place, press Ctrl-C."""

import signal

import httpx

from runbook.simulator.app import make_app

TWO = ("eng", "ops")


class Watched(httpx.AsyncBaseTransport):
    """before(request) may return a response instead; after(request, response) watches."""

    def __init__(self, one, before=None, after=None):
        self._inner = httpx.ASGITransport(app=make_app(one.world))
        self.before, self.after = before, after

    async def handle_async_request(self, request):
        if self.before is not None:
            given = self.before(request)
            if given is not None:
                return given
        response = await self._inner.handle_async_request(request)
        if self.after is not None:
            given = self.after(request, response)
            if given is not None:
                return given
        return response


def run_hooked(one, *more, before=None, after=None):
    return one.through(lambda: Watched(one, before, after), "run", str(one.plan), "--yes", *more)


def bound(one, hours):
    """Make a hang visible: press Ctrl-C after so many virtual hours; return where it is noted."""
    noted = []
    real = one.clock.sleep
    start = one.clock.monotonic_s()

    async def sleep(seconds):
        if one.clock.monotonic_s() - start > hours * 3600 and not noted:
            noted.append(one.clock.monotonic_s() - start)
            signal.raise_signal(signal.SIGINT)
        await real(seconds)

    one.clock.sleep = sleep
    return noted


def job_of(request):
    import json

    body = json.loads(request.content)
    return body["productURL"][16:19], body["destinationURL"][16:19]


def is_post(request):
    return request.method == "POST" and request.url.path.endswith("/jobs/cma")


def is_status(request):
    return "/jobs/status/" in request.url.path and "00000000-" not in request.url.path
