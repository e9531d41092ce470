"""The only origin that speaks HTTP, and the only one that sees a token.

Every failure becomes a value that answers the operator's question: could the request have
arrived? Redirects are never followed, so no credential reaches a host it was not meant for. What
comes back is masked before anything else sees it, so that no part of a credential that a server
echoes is ever cut, encoded or kept.
"""

import asyncio
import ipaddress
import logging
import re
import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import httpcore
import httpx

from runbook import __version__
from runbook.atlassian.connection_pool import AnswerTooLargeError, ConnectionPool, Origin, RawAnswer
from runbook.clock import Clock
from runbook.encoded_forms import SHORTEST
from runbook.errors import CredentialError, UsageError
from runbook.http import Answer, Lost, NotSent, Outcome, Request
from runbook.secrets import Account, Mask

USER_AGENT = f"runbook/{__version__}"
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
_log = logging.getLogger(__name__)
_ENCODED = re.compile(r"/[A-Za-z0-9%/?&=._~-]*")
# An answer that drips for ever is given up after so many times the wait for its next part.
DEADLINE_WAITS = 5
_NOT_KEPT = ("set-cookie", "authorization")

# No connection was made, so the request cannot have arrived; everything else that fails may have.
# A proxy that refuses CONNECT (407) never passed the request on. httpx only knows addresses here,
# and carries the requests of tests. A test holds a table of every error of both.
NOT_SENT: tuple[type[Exception], ...] = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.ConnectionNotAvailable,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_MAY_HAVE_ARRIVED: tuple[type[Exception], ...] = (
    httpcore.ProtocolError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpx.RequestError,
    AnswerTooLargeError,
    OSError,
)


class HttpTransport:
    """Send requests to their hosts, or all of them to one loopback endpoint.

    `sockets` makes the httpx transport (tests hand in an in-process one); `mask` also knows the
    credentials of other transports of the process.

    Raises:
        CredentialError: a token is too short to be one and real hosts would be asked.
        UsageError: `ca_bundle` cannot be read.
    """

    def __init__(
        self,
        *,
        accounts: tuple[Account, ...],
        clock: Clock,
        endpoint: str | None = None,
        ca_bundle: Path | None = None,
        sockets: Callable[[], httpx.AsyncBaseTransport] | None = None,
        connect_timeout_s: float = 10.0,
        mask: Mask | None = None,
    ) -> None:
        # Neither a stand-in nor a test: real hosts get real credentials.
        real = endpoint is None and sockets is None
        if real:
            for account in accounts:
                _refuse_practice(account)
        self._accounts = {account.profile: account for account in accounts}
        self._mask = Mask(accounts) if mask is None else mask
        self._clock = clock
        self._origin = None if endpoint is None else _address(endpoint)[0]
        self._sockets = sockets
        self._in_process = None if sockets is None else sockets()
        self._connect_timeout_s = connect_timeout_s
        self._pool = ConnectionPool(
            tls=_tls_context(ca_bundle) if real else None,
            trust_env=endpoint is None,
            body_limit_bytes=ANSWER_LIMIT_BYTES,
        )

    async def __call__(self, request: Request) -> Outcome:
        """Send one request; a failure of the network is part of the returned value."""
        whole_s = DEADLINE_WAITS * request.timeout_s
        began_s, how = self._clock.monotonic_s(), ""
        with self._clock.busy():
            try:
                async with asyncio.timeout(whole_s):
                    outcome, how = await self._sent(request)
            except TimeoutError:
                outcome = Lost(reason=f"{_to(request)}: no complete answer in {whole_s:g} s")
        if _log.isEnabledFor(logging.DEBUG):
            _log_outcome(request, outcome, self._clock.monotonic_s() - began_s, how)
        return outcome

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
        if self._in_process is not None:
            await self._in_process.aclose()

    async def _sent(self, request: Request) -> tuple[Outcome, str]:
        """Send one request and return what became of it, and over what connection it went."""
        # What the system or the protocol says of a failure may repeat what was sent. The order
        # counts: most errors of the first kind are kinds of the second, too.
        try:
            got = await self._exchanged(request)
        except NOT_SENT as problem:
            reason = self._mask.text(_reason(problem, request))
            return NotSent(reason=reason, hint=_hint(problem)), ""
        except _MAY_HAVE_ARRIVED as problem:
            return Lost(reason=self._mask.text(_reason(problem, request))), ""
        return self._answer(got), "connection reused" if got.reused else "fresh connection"

    async def _exchanged(self, request: Request) -> RawAnswer:
        origin, host, target = _address(request.url)
        origin = self._origin or origin
        built = httpcore.Request(
            request.method,
            httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target),
            headers=self._headers(request, host),
            content=request.body,
            extensions={
                "timeout": {
                    "connect": self._connect_timeout_s,
                    **dict.fromkeys(("read", "write", "pool"), request.timeout_s),
                }
            },
        )
        if self._sockets is None or self._in_process is None:
            return await self._pool.send(origin, built, fresh=request.fresh)
        # Tests hand in a transport of httpx for the sockets.
        sockets = self._sockets() if request.fresh else self._in_process
        outgoing = httpx.Request(
            request.method, bytes(built.url).decode(), headers=built.headers, content=request.body
        )
        response = await sockets.handle_async_request(outgoing)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > ANSWER_LIMIT_BYTES:
                    raise AnswerTooLargeError(ANSWER_LIMIT_BYTES)
        finally:
            await response.aclose()
            if request.fresh:
                await sockets.aclose()
        return RawAnswer(response.status_code, response.headers.raw, bytes(body), not request.fresh)

    def _answer(self, got: RawAnswer) -> Answer:
        pairs = got.headers
        mask = self._mask.data
        head = b"\n".join(part for pair in pairs for part in pair)
        if mask(head) is not head:
            pairs = [(mask(name), mask(value)) for name, value in pairs]
        named = ((name.decode("latin-1").lower(), value) for name, value in pairs)
        return Answer(
            status=got.status,
            headers=tuple(
                (name, value.decode("latin-1")) for name, value in named if name not in _NOT_KEPT
            ),
            body=mask(got.body),
            at=self._clock.now(),
        )

    def _headers(self, request: Request, host: str) -> list[tuple[bytes, bytes]]:
        headers = {"Host": host, "Accept": "application/json"}
        headers |= dict(request.headers)
        headers |= {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip"}
        if request.body is not None:
            headers["Content-Length"] = str(len(request.body))
        if request.account is not None:
            headers["Authorization"] = self._account(request.account).basic().reveal()
        return [(name.encode("ascii"), text.encode("latin-1")) for name, text in headers.items()]

    def _account(self, profile: str) -> Account:
        account = self._accounts.get(profile)
        if account is None:
            raise CredentialError(
                f"no credential of account `{profile}` was read for this command",
                hint="set the account's environment variables, or keep it with `runbook auth set`",
            )
        return account


def _tls_context(ca_bundle: Path | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=str(ca_bundle))
        except (OSError, ssl.SSLError) as problem:
            raise UsageError(
                f"cannot read certificates from `{ca_bundle}`: {problem}",
                hint="`--ca-bundle` takes a file in PEM form",
            ) from problem
    return context


def _log_outcome(request: Request, outcome: Outcome, took_s: float, how: str) -> None:
    if isinstance(outcome, Answer):
        what = f"{outcome.status}, {how}"
    else:
        what = f"{'lost' if isinstance(outcome, Lost) else 'not sent'}: {outcome.reason}"
    # Without the query, which may hold what people wrote.
    parts = urlsplit(request.url)
    took_ms = round(1000 * took_s)
    _log.debug("%s %s%s: %d ms, %s", request.method, parts.hostname, parts.path, took_ms, what)


def _reason(problem: Exception, request: Request) -> str:
    timed_out = isinstance(problem, httpcore.TimeoutException)
    words = str(problem) or ("no answer in time" if timed_out else type(problem).__name__)
    return f"{_to(request)}: {words}"


def _to(request: Request) -> str:
    return f"{request.method} to {urlsplit(request.url).hostname}"


def _refuse_practice(account: Account) -> None:
    if len(account.token.reveal()) < SHORTEST:
        raise CredentialError(
            f"the API token of account `{account.profile}` is shorter than {SHORTEST} characters, so it is none of Atlassian's",
            hint="create one at https://id.atlassian.com/manage-profile/security/api-tokens; to practise, name the stand-in with `--endpoint`",
        )


def _hint(problem: Exception) -> str:
    if isinstance(problem, httpx.ProxyError | httpcore.ProxyError):
        return "the proxy refused: check HTTPS_PROXY, its user and password, and NO_PROXY"
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return "a proxy may open TLS here: name its certificate with `--ca-bundle FILE`"
    return "check the network, the VPN, and HTTPS_PROXY"


def _address(url: str) -> tuple[Origin, str, bytes]:
    """Return where a URL leads, its `Host`, and the path with the query as they go out.

    A path that is percent-encoded already, as all of ours are, goes out as it is; httpx encodes any other.

    Raises:
        httpx.InvalidURL: it is no address of a web server.
    """
    scheme, _, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    origin, host = _origin(scheme, netloc)
    target = slash + path
    if not _ENCODED.fullmatch(target):
        return origin, host, httpx.URL(url).raw_path
    return origin, host, target.encode("ascii")


@lru_cache(maxsize=1024)
def _origin(scheme: str, netloc: str) -> tuple[Origin, str]:
    url = httpx.URL(f"{scheme}://{netloc}")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise httpx.InvalidURL(f"`{scheme}://{netloc}` is no address of a web server")
    port = url.port or (443 if url.scheme == "https" else 80)
    return Origin(url.scheme, url.raw_host.decode("ascii"), port), url.netloc.decode("ascii")


def checked_endpoint(text: str) -> str:
    """Return a loopback endpoint without its trailing slash.

    Raises:
        UsageError: it is not `http://` plus an address of this machine, or has a path.
    """
    hint = "for example `--endpoint http://127.0.0.1:8080`, as `runbook rehearse --serve` prints it"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"the endpoint is no address: {text!r}", hint=hint) from None
    if parts.scheme != "http" or not host or not _is_loopback(host):
        raise UsageError(f"the endpoint is not loopback: `{text}`", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"the endpoint has more than an address and a port: `{text}`", hint=hint)
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
