"""Which proxy leads to a host: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case.

On Windows and macOS the system's own settings count too. The address may hold a password, so no
message repeats it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import getproxies, proxy_bypass

import httpx

from runbook.errors import UsageError

_HINT = "give it as `http://[user:password@]host:port`; `NO_PROXY` names hosts that need none"


@dataclass(slots=True)
class Proxies:
    """The proxies of the environment as it is at the first question."""

    _addresses: Mapping[str, str] | None = None
    _read: dict[str, httpx.Proxy] = field(default_factory=dict)

    def to(self, scheme: str, host: str) -> httpx.Proxy | None:
        """Return the proxy that leads to a host, None where it is reached directly.

        Raises:
            UsageError: the proxy is none that speaks HTTP, or its address cannot be read.
        """
        if self._addresses is None:
            self._addresses = getproxies()
        if not self._addresses:
            return None
        kind = scheme if self._addresses.get(scheme) else "all"
        address = self._addresses.get(kind)
        if not address or proxy_bypass(host):
            return None
        if kind not in self._read:
            self._read[kind] = _proxy(address if "://" in address else f"http://{address}", kind)
        return self._read[kind]


def _proxy(address: str, kind: str) -> httpx.Proxy:
    named = _named(kind)
    try:
        url = httpx.URL(address)
        # `from None`, since the words of the cause may repeat the password.
        given = httpx.Proxy(url) if url.scheme in ("http", "https") and url.host else None
    except (httpx.InvalidURL, ValueError):
        raise UsageError(f"{named} holds no address of a proxy", hint=_HINT) from None
    if given is None:
        scheme = url.scheme if url.scheme.isalnum() else "?"
        raise UsageError(
            f"{named} names a proxy of the kind `{scheme}://`, which this tool does not speak",
            hint=f"name the HTTP proxy of your network instead: {_HINT}",
        )
    return given


def _named(kind: str) -> str:
    name = f"{kind}_proxy"
    variable = next((key for key in (name, name.upper()) if os.environ.get(key)), None)
    return f"the system's setting of a proxy for {kind}" if variable is None else f"`{variable}`"
