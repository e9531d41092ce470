"""A server that gives the credential back in every form: no file, screen or page ever holds it."""

import base64
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from html import unescape
from itertools import permutations
from pathlib import Path
from urllib.parse import quote, unquote

import httpx
import pytest

from runbook.clock import SystemClock
from runbook.operations import root as wiring
from runbook.plan import read_plan
from runbook.simulator.app import make_app
from runbook.simulator.populate import world_of
from tests.canary import leaks
from tests.flows.evening import EMAIL, TOKEN, Evening, Result, plan_text, present_plan
from tests.simulator.serving import serving_in_thread

TWO = ("eng", "ops")
ONE_WAY = plan_text(TWO, pairs=(("eng", "ops"),))
PAIR = f"{EMAIL}:{TOKEN}"
BASIC = base64.b64encode(PAIR.encode()).decode()

Before = Callable[[httpx.Request], httpx.Response | None]


class Answering(httpx.AsyncBaseTransport):
    """The simulated Atlassian, but for the requests that `before` answers in its place."""

    def __init__(self, one: Evening, before: Before) -> None:
        self._inner = httpx.ASGITransport(app=make_app(one.world))
        self._before = before

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._before(request) or await self._inner.handle_async_request(request)


def run(one: Evening, before: Before, *more: str) -> Result:
    return one.through(lambda: Answering(one, before), "run", str(one.plan), "--yes", *more)


def is_submission(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/jobs/cma")


def is_status(request: httpx.Request) -> bool:
    return "/jobs/status/" in request.url.path and "00000000-" not in request.url.path


def instead(which: Callable[[httpx.Request], bool], response: httpx.Response, times: int) -> Before:
    """Answer the first `times` of some requests."""
    left = [response] * times

    def before(request: httpx.Request) -> httpx.Response | None:
        return left.pop() if left and which(request) else None

    return before


def escaped(text: str) -> str:
    return "".join(one if one.isalnum() else f"\\u{ord(one):04x}" for one in text)


FORMS = {
    "as it is": TOKEN,
    "the pair": PAIR,
    "the header": f"Authorization: Basic {BASIC}",
    "in JSON as Gson escapes it": escaped(TOKEN),
    "in JSON in upper case": escaped(TOKEN).replace("\\u002f", "\\u002F"),
    "in JSON inside JSON": escaped(TOKEN).replace("\\", "\\\\"),
    "in an address": quote(TOKEN, safe=""),
    "in an address twice": quote(quote(TOKEN, safe=""), safe=""),
    "in HTML": TOKEN.replace("/", "&#x2F;").replace("=", "&#61;").replace("+", "&plus;"),
    "in hex": TOKEN.encode().hex(),
    "in base64": base64.b64encode(TOKEN.encode()).decode(),
    "in a longer base64": base64.b64encode(f"Authorization: {PAIR} no".encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(f"a{PAIR}".encode()).decode(),
    "at the edge of what is shown": "x " * 245 + TOKEN,
}


def shows(data: bytes) -> bool:
    """Return whether a person with patience finds half of the token in the data."""
    texts = [data.decode("latin-1")]
    for decode in (unescape, unquote, lambda text: unquote(unquote(text))):
        texts.append(decode(texts[0]))
    texts.append(re.sub(r"\\+u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), texts[0]))
    halves = (TOKEN[:12], TOKEN[-12:])
    return leaks(data) or any(half in text for half in halves for text in texts)


def everything_kept(one: Evening) -> dict[str, bytes]:
    """Return the bytes of every file of the evening and of everything that can be made of it."""
    page, whole, packed = (one.folder / name for name in ("page.html", "page.json", "run.zip"))
    ledger = ("--ledger", str(one.ledger))
    made = one.command("report", "latest", "-o", str(page), *ledger)
    assert made.code == 0, made.err[-900:]
    assert one.command("report", "latest", "-o", str(whole), "--format", "json", *ledger).code == 0
    assert one.command("bundle", "latest", "-o", str(packed), *ledger).code == 0
    kept = {path.name: path.read_bytes() for path in one.folder.rglob("*") if path.is_file()}
    kept["the export"] = one.on_ledger("ledger", "export").out.encode()
    kept["the status"] = one.on_ledger("status", "--format", "json").out.encode()
    with zipfile.ZipFile(packed) as bundle:
        kept |= {f"{name} of the bundle": bundle.read(name) for name in bundle.namelist()}
    # What is kept in base64 is looked at as what it says.
    for name, data in list(kept.items()):
        for coded in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", data):
            whole_groups = coded.rstrip(b"=")
            whole_groups = whole_groups[: len(whole_groups) // 4 * 4]
            kept[f"{name}: {coded[:20]!r}"] = base64.b64decode(whole_groups)
    return kept


@pytest.mark.parametrize("status", [400, 500], ids=["refused", "unknown"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_echoed_credential_is_kept_nowhere(
    evening: Callable[..., Evening], form: str, status: int
) -> None:
    """Bodies, JSON errors, bytes that are no text, headers, Location; report, bundle and export."""
    one = evening(text=ONE_WAY)
    headers = {"Location": f"https://x.example/?t={form}", "X-Echo": form, "Atl-Traceid": form}
    bodies = (
        b'{"message":"bad credential '
        + form.encode()
        + b'","errors":{"'
        + form.encode()
        + b'":1}}',
        b"\xff\xfe bad: " + form.encode(),
    )
    answers = [httpx.Response(status, headers=headers, content=body) for body in bodies]
    shown = []
    for answer in answers:
        shown.append(run(one, instead(is_submission, answer, 1)))
        one.on_ledger("resolve", "latest", "eng-to-ops", "--send-again", "--by", "J. Doe")
    shown.append(
        run(one, instead(is_status, httpx.Response(503, headers=headers, content=bodies[0]), 1))
    )
    assert shown[-1].code == 0, shown[-1].err
    said = "".join(result.out + result.err for result in shown).encode()
    assert not shows(said)
    found = [name for name, data in everything_kept(one).items() if shows(data)]
    assert found == []


def test_words_that_are_cut_hold_no_beginning_of_the_token(evening: Callable[..., Evening]) -> None:
    """Masked first, shortened later, wherever the cut falls."""
    one = evening(text=ONE_WAY)
    for length in range(470, 501, 3):
        body = ("x " * 250)[:length] + TOKEN
        run(one, instead(is_submission, httpx.Response(400, content=body.encode()), 1))
    details = [e["payload"]["detail"] for e in one.events() if e["kind"] == "submit.answered"]
    assert len(details) == 11
    assert not any(TOKEN[:4] in detail for detail in details)


@pytest.fixture
def own_mask() -> Iterator[None]:
    """Forget afterwards what this test's token is: words of everyday use."""
    before = dict(wiring.process_mask()._forms)
    yield
    wiring.process_mask()._forms = before


@pytest.mark.parametrize("token", ["x", "e", "uuid", "dummy", "practice", "accepted", "complete"])
@pytest.mark.usefixtures("own_mask")
def test_a_token_to_practise_with_breaks_nothing(
    evening: Callable[..., Evening], token: str
) -> None:
    """Whatever word somebody takes for it."""
    one = evening(text=ONE_WAY, env={"RUNBOOK_API_TOKEN": token})
    result = run(one, lambda _: None)
    assert result.code == 0, result.err
    assert one.on_ledger("ledger", "verify").code == 0
    assert one.states() == {"eng-to-ops": "complete"}


ODD = {
    "JSON without end": (200, b"[" * 100_000),
    "a message nested a thousand times": (400, b'{"message":' + b"[" * 900 + b"]" * 900 + b"}"),
    "half a surrogate pair as the id": (200, b'{"uuid":"\\ud800"}'),
    "half a surrogate pair in the words": (400, b'{"message":"no \\udc00"}'),
}


@pytest.mark.parametrize(("status", "body"), ODD.values(), ids=ODD.keys())
def test_an_odd_answer_to_a_submission_is_no_bug(
    evening: Callable[..., Evening], status: int, body: bytes
) -> None:
    """The answer is kept, the job is unknown or refused, the others go on."""
    one = evening(text=plan_text(TWO))
    result = run(one, instead(is_submission, httpx.Response(status, content=body), 1))
    assert result.code == (7 if status == 200 else 6), result.err
    assert sorted(one.states().values()) == ["complete", "unknown" if status == 200 else "refused"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"status":"\\ud800"}'], ids=["deep", "half"])
def test_an_odd_status_answer_keeps_polling(evening: Callable[..., Evening], body: bytes) -> None:
    one = evening(text=plan_text(TWO))
    result = run(one, instead(is_status, httpx.Response(200, content=body), 3))
    assert result.code == 0, result.err


def test_the_longest_of_repeated_waits_is_kept(evening: Callable[..., Evening]) -> None:
    one = evening(text=ONE_WAY)
    sent: list[float] = []

    def before(request: httpx.Request) -> httpx.Response | None:
        if not is_submission(request):
            return None
        sent.append(one.clock.monotonic_s())
        headers = [("Retry-After", "30"), ("Retry-After", "90")]
        return httpx.Response(429, headers=headers, json={}) if len(sent) == 1 else None

    assert run(one, before, "--submit-interval", "0").code == 0
    assert sent[1] - sent[0] >= 90


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_ends_no_run(tmp_path: Path, stream: str) -> None:
    """`run --format json | head -1`, or a terminal that was closed: both jobs are sent and followed."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(present_plan(TWO, tuple(permutations(TWO))), encoding="utf-8")
    world = world_of(read_plan(plan), clock=SystemClock(), job_minutes=0.002)
    with serving_in_thread(world) as endpoint:
        words = ["run", str(plan), "--yes", "--endpoint", endpoint, "--submit-interval", "0"]
        words += ["--poll-interval", "0.02", *(["--format", "json"] if stream == "stdout" else [])]
        with subprocess.Popen(
            [sys.executable, "-m", "runbook", *words],
            env={**_environment(), "RUNBOOK_EMAIL": EMAIL, "RUNBOOK_API_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as child:
            read, other = child.stdout, child.stderr
            if stream == "stderr":
                read, other = other, read
            assert read is not None
            assert other is not None
            read.readline()
            read.close()
            said = other.read()
            assert child.wait(60) == 0, said
    assert b"Traceback" not in said
    assert len(world.submissions) == 2


def _environment() -> dict[str, str]:
    import os

    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root}
