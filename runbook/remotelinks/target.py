"""Where a remote link points: an issue key in a browse address, an issue id in a `globalId`. Pure."""

from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit


def place_of(address: str) -> str:
    """Return a base address as it is compared: host in lower case, no scheme, no slash at the end."""
    try:
        parts = urlsplit(address)
        return f"{parts.netloc.lower()}{parts.path.rstrip('/')}"
    except ValueError:
        return ""


def places_of(addresses: Iterable[str | None]) -> frozenset[str]:
    """Return several base addresses as they are compared; what is missing is left out."""
    return frozenset(place for one in addresses if one and (place := place_of(one)))


def browse_target(url: str) -> tuple[str, str] | None:
    """Return the base (as `place_of` writes it) and the issue key of a `…/browse/KEY` address, else None."""
    head, mark, rest = url.partition("/browse/")
    if not mark:
        return None
    key = unquote(rest.split("?", 1)[0].split("#", 1)[0].strip("/"))
    if "/" in key or "-" not in key:
        return None
    place = place_of(head)
    return (place, key.upper()) if place else None


def target_site(url: str, sites: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the site and the issue key that an address names; `sites` maps places to site addresses."""
    target = browse_target(url)
    if target is None or target[0] not in sites:
        return None
    return sites[target[0]], target[1]


def issue_id_of(global_id: str | None) -> int | None:
    """Return the numeric issue id of a `globalId` such as `appId=…&issueId=10001` (jira-rest.md B2), else None."""
    if not global_id or "issueId=" not in global_id:
        return None
    found = parse_qs(global_id).get("issueId", [""])[0]
    return int(found) if found.isascii() and found.isdigit() else None
