"""Where a remote link points, and so whether it points to an issue: the one answer for all who ask.

In: a link's address and `globalId`, and the base URLs of the known sites. Out: the site, the issue key
and the issue id that they name. The probe, the snapshot, `verify`, `repair`, `rollback` and `leftovers`
ask here, so that they cannot answer differently. Pure.

- A site is known by host, port and context path. The scheme and the usual ports (80, 443) do not
  matter, and neither does the case of the host; another port or context path is another site.
- A key follows `/browse/`, in any case and with or without percent-encoding (`OPS%2D7`). The query, the
  fragment, path parameters (`;jsessionid=…`) and blanks around the address do not matter.
- An issue id is the member `issueId` of a `globalId` that also has `appId`, in any order and with
  further members (jira-rest.md B2). Ids of different sites may be equal, so an id counts only where
  the address is no `/browse/` address of another site, known or not.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

OLD = "old"  # in place of a site, for every base URL from before the migration
_BROWSE = re.compile(r"([^?#]*)/browse/([^/?#;]*)")
_ISSUE_ID = re.compile(r"(?=(?:.*&)?appId=)(?:.*&)?issueId=([0-9]{1,18})(?:&|\Z)", re.DOTALL)
_BASES_KEPT = 10_000


class Pointer(NamedTuple):
    """Where a link points: `site` is a known site's URL, `OLD` for an old base, None for neither.

    `key` is None where the address is no `/browse/` address, `issue_id` where the `globalId` holds none.
    """

    site: str | None
    key: str | None
    issue_id: int | None

    def hits(self, site: str, keys: Collection[str], issue_id: int | None) -> bool:
        """Return whether this is the issue of a site that has one of `keys`, or this id."""
        if self.site == site and self.key in keys:
            return True
        return (
            issue_id is not None
            and self.issue_id == issue_id
            and (self.key is None or self.site == site)
        )


class Addresses:
    """The known base URLs: those of each site, and the old ones.

    `sites` maps the URL of each site to the base and display URL that it names itself, where it does.
    """

    def __init__(self, sites: Mapping[str, Iterable[str | None]], old: Iterable[str] = ()) -> None:
        self._known = {normal_base(base): OLD for base in old}
        for site, bases in sites.items():
            self._known.update((normal_base(str(base)), site) for base in (site, *bases) if base)
        self._seen: dict[str, str | None] = {}

    def pointer(self, url: str, global_id: str | None = None) -> Pointer:
        """Return where a link points, by its address and its `globalId`."""
        issue_id = issue_id_of(global_id)
        named = _BROWSE.match(url)
        if named is None:
            return Pointer(None, None, issue_id)
        base, key = named.groups()
        if "%" in key:
            key = unquote(key)
        return Pointer(self._site(base), key.strip().upper(), issue_id)

    def pointer_of(self, record: Mapping[str, Any]) -> Pointer:
        """Return where a link points, by its record as Jira returns it."""
        global_id = record.get("globalId")
        return self.pointer(address_of(record), None if global_id is None else str(global_id))

    def _site(self, base: str) -> str | None:
        # A million links share a few bases; an attacker's million different ones must not stay in memory.
        try:
            return self._seen[base]
        except KeyError:
            site = self._known.get(normal_base(base))
            if len(self._seen) < _BASES_KEPT:
                self._seen[base] = site
            return site


def address_of(record: Mapping[str, Any]) -> str:
    """Return the address of a record as Jira returns it, empty where it has none."""
    shown = record.get("object")
    return str(shown.get("url") or "") if isinstance(shown, Mapping) else ""


def normal_base(url: str) -> str:
    """Return a base URL for comparison: host in lower case, no usual port, no trailing slash.

    `http` counts as `https`: links were often stored before the site moved to TLS.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return url.strip().rstrip("/")
    authority = host if port in (None, 80, 443) else f"{host}:{port}"
    return f"{authority}{parts.path.rstrip('/')}"


def issue_id_of(global_id: str | None) -> int | None:
    """Return the issue id of a `globalId` with the members `appId` and `issueId`, None for any other."""
    found = None if global_id is None else _ISSUE_ID.match(global_id.strip())
    return None if found is None else int(found[1])
