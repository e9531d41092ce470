"""What commands that talk to Jira sites share: the address of a site, and a client for it."""

import re
from urllib.parse import urlsplit

from runbook.atlassian.jira import JiraSite
from runbook.atlassian.limits import Limits
from runbook.errors import UsageError
from runbook.http import Send
from runbook.operations.root import Root
from runbook.plan.model import Site
from runbook.text import printable

_CLOUD_HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(atlassian\.net|jira\.com)")


def site_url(text: str, *, stand_in: bool) -> str:
    """Return a site's address without a trailing slash.

    `stand_in` says that every request goes to a stand-in on this machine (`--endpoint`), so that any
    host may be named; else a mistyped one would be sent a credential.

    Raises:
        UsageError: it is no `https` address of a host alone, or no Jira Cloud site.
    """
    hint = "name the site as in the plan, such as `https://contoso-eng.atlassian.net`"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(f"SITE is no address: {text!r}", hint=hint) from None
    if "@" in parts.netloc:
        raise UsageError("SITE holds a user name or password", hint=hint)
    if parts.scheme != "https" or not host:
        raise UsageError(f"SITE is no site address: {text!r}", hint=hint)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"SITE has more than a host: {text!r}", hint=hint)
    if not (stand_in or _CLOUD_HOST.fullmatch(parts.netloc.lower())):
        raise UsageError(
            f"`{printable(text)}` is no Jira Cloud site, and no credential is sent anywhere else",
            hint="the host of a site ends in `.atlassian.net` or `.jira.com`; for a stand-in on this machine name `--endpoint URL`",
        )
    return f"https://{parts.netloc.lower()}"


def jira_site(root: Root, send: Send, site: Site, *, limits: Limits | None = None) -> JiraSite:
    """Return a client for one site, with the process's clock and chance."""
    limits = limits or Limits(root.clock)
    return JiraSite(site, send=send, clock=root.clock, limits=limits, random=root.random)
