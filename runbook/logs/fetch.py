"""Download Atlassian's logs from an address that the plan's owner wrote down.

The paths of the downloads are not known to us, so nothing is guessed: the address is a template of
the plan with the placeholders `{siteId}`, `{jobId}`, `{product}` and `{productURL}`. The credential
goes to Atlassian's hosts and the plan's own sites only, and never along with a redirect to another
host, where a pre-signed address needs none.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit

from runbook.errors import CredentialError, RemoteError, UsageError
from runbook.http import Answer, Lost, NotSent, Request, Send
from runbook.text import shortened

PLACEHOLDERS = ("siteId", "jobId", "product", "productURL")
BY_HAND = "download it by hand at admin.atlassian.com (Product links) and keep it with `runbook logs import`"
_MOST_REDIRECTS = 5
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_ATLASSIAN = (".atlassian.com", ".atlassian.net")


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return a template with its placeholders replaced by percent-encoded values.

    Raises:
        UsageError: it has another placeholder, or is no https address.
    """
    for name in _PLACEHOLDER.findall(template):
        if name not in PLACEHOLDERS:
            raise UsageError(
                f"the log address has an unknown placeholder `{{{name}}}`",
                hint="known are " + ", ".join(f"`{{{known}}}`" for known in PLACEHOLDERS),
            )
    url = _PLACEHOLDER.sub(lambda found: quote(values[found[1]], safe=""), template)
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise UsageError(
            f"the log address `{shortened(url, 200)}` is no https address",
            hint="`logs: {history: …, audit: …}` of the plan takes addresses of Atlassian",
        )
    return url


async def download(send: Send, url: str, *, account: str, hosts: frozenset[str]) -> bytes:
    """Return the bytes of the log at an address.

    `hosts` are the hosts of the plan's sites; `account` is the profile whose credential is sent.

    Raises:
        UsageError: the address is on a host that is given no credential.
        CredentialError: the credential was refused.
        RemoteError: no answer, or none that is a log.
    """
    host = urlsplit(url).hostname or ""
    if host not in hosts and not host.endswith(_ATLASSIAN):
        raise UsageError(
            f"the log address is on `{host}`, which is neither Atlassian nor a site of the plan",
            hint="no credential is sent there; " + BY_HAND,
        )
    current = url
    for _ in range(1 + _MOST_REDIRECTS):
        same_host = urlsplit(current).netloc == urlsplit(url).netloc
        answer = await _get(send, current, account if same_host else None)
        onward = _onward(answer, current)
        if onward is None:
            return answer.body
        current = onward
        if urlsplit(current).scheme != "https":
            break
    raise RemoteError(
        f"`{host}` redirects too often or to an address that is not https", hint=BY_HAND
    )


async def _get(send: Send, url: str, account: str | None) -> Answer:
    headers = (("Accept", "*/*"),)
    outcome = await send(
        Request(method="GET", url=url, headers=headers, account=account, timeout_s=300.0)
    )
    host = urlsplit(url).hostname
    match outcome:
        case NotSent(reason=reason, hint=hint):
            raise RemoteError(f"`{host}` cannot be reached: {reason}", hint=hint or BY_HAND)
        case Lost(reason=reason):
            raise RemoteError(f"`{host}` did not send the whole log: {reason}", hint="try again")
        case Answer(status=401 | 403):
            raise CredentialError(
                f"`{host}` refused account `{account}` with {outcome.status}",
                hint=f"the log needs an administrator's unscoped API token; else {BY_HAND}",
            )
        case Answer(status=status) if status >= 400 or (
            status >= 300 and outcome.header("location") is None
        ):
            raise RemoteError(
                f"`{host}` answered {status}: {shortened(outcome.text(), 200)}",
                hint=f"check `logs` of the plan; else {BY_HAND}",
            )
        case Answer() if outcome.is_html():
            raise RemoteError(
                f"`{host}` answered with a web page instead of a log",
                hint=f"a login page or a proxy; else {BY_HAND}",
            )
        case Answer():
            return outcome


def _onward(answer: Answer, url: str) -> str | None:
    """Return the address that an answer leads to, None where it is the log itself.

    Instead of the log, an answer may hand out where it lies, as that of ID mapping does.
    """
    location = answer.header("location")
    if 300 <= answer.status < 400 and location:
        return urljoin(url, location)
    if len(answer.body) > 16_384 or not answer.body.lstrip().startswith(b"{"):
        return None
    address = answer.json_object().get("downloadUrl")
    return address if isinstance(address, str) and address.startswith("https://") else None
