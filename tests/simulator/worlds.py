"""A small plan of two sites that hold each other's lost links, and requests to its world."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from runbook.plan.model import Instance, Plan, Probe, Project, Site, Wave
from runbook.simulator.messages import Reply, SimRequest
from runbook.simulator.model import Issue, SimSite

ENG = "https://contoso-eng.atlassian.net"
OPS = "https://contoso-ops.atlassian.net"
GATEWAY = "https://api.atlassian.com"
DC = "https://jira.contoso.example"
NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)
EMAIL = "admin@contoso.example"
TOKEN = "canary-T0ken/with+odd=chars"


class ReadReply(Reply):
    """A reply as a client reads it."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, None where it is absent."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """Return the parsed body."""
        return json.loads(self.body)


Ask = Callable[..., ReadReply]


def two_sites(finished: datetime = NOW - timedelta(days=3), **changes: Any) -> Plan:
    """Return a plan of two sites, linked in both directions, with one renamed project and a probe."""
    wave = Wave(name="wave-1", finished=finished)
    values: dict[str, Any] = {
        "name": "contoso-split",
        "sites": (
            Site(
                url=ENG,
                projects=(Project(key="ENG", was="ENG"), Project(key="PLAT", was="PLT")),
                waves=(wave,),
            ),
            Site(url=OPS, projects=(Project(key="OPS", was="OPS"),), waves=(wave,)),
        ),
        "instances": (
            Instance(
                id="eng-to-ops",
                product_url=ENG,
                destination_url=OPS,
                migrated_from=DC,
                probe=(Probe(issue="ENG-123", target="OPS-77"),),
            ),
            Instance(id="ops-to-eng", product_url=OPS, destination_url=ENG, migrated_from=DC),
        ),
    }
    return Plan(**(values | changes))


def job_body(source: str = ENG, destination: str = OPS, **changes: Any) -> dict[str, Any]:
    """Return the body of a submission."""
    body = {
        "product": "jira",
        "productURL": source,
        "destinationURL": destination,
        "migratedFrom": DC,
        "recreateAsRemote": True,
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def basic(email: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{email}:{token}".encode()).decode("ascii")


def call_of(
    method: str,
    url: str,
    value: Any = None,
    *,
    account: tuple[str, str] | None = (EMAIL, TOKEN),
    body: bytes | None = None,
    content_type: str = "application/json",
) -> SimRequest:
    """Return a request as the simulator sees it."""
    parts = urlsplit(url)
    headers = {"content-type": content_type}
    if account is not None:
        headers["authorization"] = basic(*account)
    if body is None:
        body = b"" if value is None else json.dumps(value).encode()
    return SimRequest(
        method=method,
        host=parts.netloc,
        path=parts.path,
        query=parts.query,
        headers=headers,
        body=body,
    )


def move_issue(site: SimSite, key: str, to_project: str) -> Issue:
    """Move an issue to another project of its site; its old key goes on leading to it."""
    issue = site.issue(key)
    if issue is None:
        raise KeyError(key)
    project = site.add_project(to_project)
    taken = [
        int(other.key.rsplit("-", 1)[1])
        for other in site.issues.values()
        if other.project == project.key
    ]
    issue.key, issue.project = f"{project.key}-{1 + max(taken, default=0)}", project.key
    site.keys[issue.key.upper()] = issue.id
    return issue
