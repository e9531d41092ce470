"""Leftovers: issues that still mention a base URL from before the migration.

In: a plan, Jira sites, and a snapshot where there is one. Out: one line per mention. Two ways of
looking: Jira's text search for the old host (an index: approximate, some fields only, a little late),
and the addresses of remote links in a snapshot (exact, as old as the snapshot).
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from runbook.atlassian.jira import JiraSite
from runbook.plan.model import Plan, Site
from runbook.remotelinks.mapping import PlanMap
from runbook.remotelinks.pointing import OLD, Addresses
from runbook.remotelinks.snapshot_file import open_snapshot

# Where a mention can be shown word for word; the search itself looks into more.
SHOWN_FIELDS = ("summary", "description", "environment", "comment")
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One mention; `where` names fields, or is the link's address."""

    site: str
    issue: str
    host: str
    found_by: Literal["text", "remote_link"]
    where: str
    link_id: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the mention as `leftovers --format json` prints it."""
        return asdict(self)


def old_hosts(plan: Plan) -> tuple[str, ...]:
    """Return the hosts (with port, where there is one) of every old base URL, each once."""
    hosts = (urlsplit(base).netloc.rpartition("@")[2].lower() for base in PlanMap(plan).old_bases())
    return tuple(dict.fromkeys(host for host in hosts if host))


def mention_jql(site: Site, host: str) -> str:
    """Return the bounded query for issues of a site's projects whose text mentions a host."""
    # A phrase, quoted within the quotes: without them any of the host's words would do.
    phrase = host.replace("\\", "").replace('"', "")
    text = f'text ~ "\\"{phrase}\\""'
    if not site.projects:
        return f"{text} ORDER BY key ASC"
    # Quoted: a project key may be a word of the language, such as NO.
    keys = ", ".join(f'"{project.key}"' for project in site.projects)
    return f"project in ({keys}) AND {text} ORDER BY key ASC"


async def by_text(plan: Plan, site: Site, jira: JiraSite) -> AsyncIterator[Leftover]:
    """Yield the issues of one site that Jira's text search finds.

    Raises:
        RunbookError: the site cannot be asked.
    """
    for host in old_hosts(plan):
        query = mention_jql(site, host)
        async for record in jira.search(query, fields=("key", *SHOWN_FIELDS), page=_PAGE):
            yield Leftover(
                site=site.url,
                issue=str(record.get("key") or record.get("id") or "?"),
                host=host,
                found_by="text",
                where=", ".join(_fields_with(record.get("fields"), host)),
            )


def by_remote_links(plan: Plan, snapshot: Path) -> Iterator[Leftover]:
    """Yield the remote links of a snapshot whose address begins with an old base URL.

    Raises:
        UsageError: it is no snapshot.
    """
    bases = PlanMap(plan).old_bases()
    addresses = Addresses({}, bases)
    hosts = set(old_hosts(plan))
    with open_snapshot(snapshot) as file:
        keys = {(row.site, row.asked): row.key or row.asked for row in file.issues(state="read")}
        for link in file.links():
            host = _host(link.url)
            if addresses.pointer(link.url).site != OLD and host not in hosts:
                continue
            yield Leftover(
                site=link.site,
                issue=keys.get((link.site, link.issue), link.issue),
                host=host,
                found_by="remote_link",
                where=link.url,
                link_id=link.link_id,
            )


def _fields_with(fields: Any, host: str) -> list[str]:
    if not isinstance(fields, Mapping):
        return []
    return [
        name
        for name in SHOWN_FIELDS
        if host in json.dumps(fields.get(name), ensure_ascii=False).lower()
    ]


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
