"""Text from outside, made safe to read: visible controls, cut lengths, links that only lead to http(s).

Everything here is pure. Escaping for HTML is not done here; the renderer does it for every value.
"""

import hashlib
import re
from urllib.parse import urlsplit

LONG = 4_000
SHORT = 300
LINE = 120
DASH = "\u2013"

# Controls that reorder, hide or break text, and halves of surrogate pairs that no encoding can write.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_WEB = re.compile(r"https?://[^\s\"'<>\\^`{|}]+", re.ASCII | re.IGNORECASE)
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


class Composed(str):
    """A text that `build` put together from short ones: the renderer does not cut it."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return `text` with every invisible, reordering or unwritable character spelled out.

    Line feeds and tabs stay; a carriage return before a line feed is dropped.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(lambda hit: f"\u27e6U+{ord(hit[0]):04X}\u27e7", text.replace("\r\n", "\n"))


def shortened(text: str, limit: int) -> tuple[str, int]:
    """Return the first `limit` characters and how many are left out."""
    if len(text) <= limit:
        return text, 0
    return text[:limit], len(text) - limit


def clip(text: str, limit: int = LINE) -> str:
    """Return `text` in one line of at most `limit` characters, with an ellipsis where it was longer."""
    if len(text) > 4 * limit:
        text = text[: 4 * limit]
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def web_address(url: str) -> str | None:
    """Return `url` where it is an ordinary http(s) address, None for anything else."""
    if len(url) > 2_000 or not url.isascii() or not _WEB.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if host and parts.username is None and parts.password is None else None


def host_of(url: str) -> str:
    """Return the host of an address, or the address itself where it has none."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def site_label(url: str) -> str:
    """Return a short name of a site: the first label of an `atlassian.net` host, else the host."""
    host = host_of(url)
    return host.removesuffix(".atlassian.net")


def anchor(prefix: str, name: str) -> str:
    """Return an id for use in HTML and in a fragment; odd names are told apart by a digest."""
    if _PLAIN_ID.fullmatch(name):
        return f"{prefix}-{name}"
    clean = re.sub(r"[^A-Za-z0-9._-]+", "-", name[:40], flags=re.ASCII).strip("-")
    return f"{prefix}-{clean}-{sha256(name)[:10]}"


def sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def thousands(count: int) -> str:
    """Return a count, in groups of three from 10 000 on."""
    return str(count) if -10_000 < count < 10_000 else f"{count:,}".replace(",", "\u202f")
