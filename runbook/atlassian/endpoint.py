"""The stand-in address: every request to one loopback server that tells sites apart by `Host`."""

import ipaddress
from urllib.parse import urlsplit

from runbook.errors import UsageError


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
