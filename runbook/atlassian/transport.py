"""The only place that speaks HTTP, and the only one that sees a token.

Every failure becomes a value that answers the operator's question: could the request have
arrived? Redirects are never followed, so no credential reaches a host it was not meant for.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from runbook import __version__
from runbook.clock import Clock
from runbook.errors import CredentialError, UsageError
from runbook.secrets import Account
from runbook.wire import Answer, Lost, NotSent, Outcome, Request

USER_AGENT = f"runbook/{__version__}"
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024

# Whether a request can have arrived, for every leaf of httpx's transport errors; a test holds the
# table complete. A proxy that refuses CONNECT (407) never passed the request on.
NOT_SENT: tuple[type[Exception], ...] = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
MAY_HAVE_ARRIVED: tuple[type[Exception], ...] = (
    httpx.LocalProtocolError,
    httpx.RemoteProtocolError,
    httpx.ReadError,
    httpx.ReadTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.CloseError,
    httpx.DecodingError,
)


class HttpTransport:
    """Send requests to their hosts, or all of them to one loopback endpoint.

    `sockets` makes the httpx transport (tests hand in an in-process one).
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
    ) -> None:
        self._accounts = {account.profile: account for account in accounts}
        self._clock = clock
        self._endpoint = endpoint
        self._sockets = sockets
        self._connect_timeout_s = connect_timeout_s
        self._tls = self._tls_context(ca_bundle) if endpoint is None and sockets is None else None
        self._kept = self._client(keep=True)

    async def __call__(self, request: Request) -> Outcome:
        """Send one request; a failure of the network is part of the returned value."""
        with self._clock.busy():
            if not request.fresh:
                return await self._send(self._kept, request)
            async with self._client(keep=False) as client:
                return await self._send(client, request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._kept.aclose()

    async def _send(self, client: httpx.AsyncClient, request: Request) -> Outcome:
        try:
            built = self._built(client, request)
            response = await client.send(built, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > ANSWER_LIMIT_BYTES:
                        return Lost(reason=f"the answer is larger than {ANSWER_LIMIT_BYTES} bytes")
            finally:
                await response.aclose()
        except NOT_SENT as problem:
            return NotSent(reason=_reason(problem, request), hint=_hint(problem))
        except MAY_HAVE_ARRIVED as problem:
            return Lost(reason=_reason(problem, request))
        except (httpx.HTTPError, OSError) as problem:
            return Lost(reason=_reason(problem, request))
        return Answer(
            status=response.status_code,
            headers=tuple(
                (name.lower(), value)
                for name, value in response.headers.items()
                if name.lower() not in ("set-cookie", "authorization")
            ),
            body=bytes(body),
            at=self._clock.now(),
        )

    def _built(self, client: httpx.AsyncClient, request: Request) -> httpx.Request:
        url = httpx.URL(request.url)
        headers = dict(request.headers)
        headers.setdefault("Accept", "application/json")
        headers["User-Agent"] = USER_AGENT
        if request.account is not None:
            headers["Authorization"] = self._account(request.account).basic().reveal()
        if self._endpoint is not None:
            stand_in = httpx.URL(self._endpoint)
            headers["Host"] = url.netloc.decode("ascii")
            url = url.copy_with(scheme="http", host=stand_in.host, port=stand_in.port)
        timeout = httpx.Timeout(request.timeout_s, connect=self._connect_timeout_s)
        return client.build_request(
            request.method, url, headers=headers, content=request.body, timeout=timeout
        )

    def _account(self, profile: str) -> Account:
        account = self._accounts.get(profile)
        if account is None:
            raise CredentialError(
                f"no credential of account `{profile}` was read for this command",
                hint="set the account's environment variables, or keep it with `runbook auth set`",
            )
        return account

    def _client(self, *, keep: bool) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=20 if keep else 0)
        stands_in = self._endpoint is not None or self._sockets is not None
        return httpx.AsyncClient(
            transport=None if self._sockets is None else self._sockets(),
            verify=self._tls if self._tls is not None else False,
            limits=limits,
            follow_redirects=False,
            # A stand-in on loopback is never reached through a proxy.
            trust_env=not stands_in,
        )

    @staticmethod
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


def _reason(problem: Exception, request: Request) -> str:
    words = str(problem) or type(problem).__name__
    return f"{request.method} to {urlsplit(request.url).hostname}: {words}"


def _hint(problem: Exception) -> str:
    if isinstance(problem, httpx.ProxyError):
        return "the proxy refused: check HTTPS_PROXY, its user and password, and NO_PROXY"
    if "CERTIFICATE_VERIFY_FAILED" in str(problem):
        return "a proxy may open TLS here: name its certificate with `--ca-bundle FILE`"
    return "check the network, the VPN, and HTTPS_PROXY"
