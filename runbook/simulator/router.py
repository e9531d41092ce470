"""Which handler answers a request, and on whose behalf: the pure function of the simulator.

`answer(world, call)` changes the world and returns a reply; it never waits and never fails. Sites
are told apart by the host. `template` names the operation as the official documents do, with
version 3, for limits, faults and the log.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from runbook.simulator import issues, linkfixing, remotelinks, search, siteinfo
from runbook.simulator.linkjobs import settle
from runbook.simulator.messages import (
    Call,
    Headers,
    Reply,
    gateway_error,
    html_reply,
    jira_error,
)
from runbook.simulator.model import SimAccount, SimSite
from runbook.simulator.visit import Visit, VisitRefusedError
from runbook.simulator.world import World

GATEWAY = "api.atlassian.com"
JIRA = "/rest/api/3/"

Handler = Callable[[Visit], Reply]

JIRA_OPERATIONS: dict[tuple[str, str], Handler] = {
    ("GET", "issue/{issueIdOrKey}/remotelink"): remotelinks.read,
    ("POST", "issue/{issueIdOrKey}/remotelink"): remotelinks.create_or_update,
    ("DELETE", "issue/{issueIdOrKey}/remotelink"): remotelinks.delete_by_global_id,
    ("GET", "issue/{issueIdOrKey}/remotelink/{linkId}"): remotelinks.read_by_id,
    ("PUT", "issue/{issueIdOrKey}/remotelink/{linkId}"): remotelinks.update_by_id,
    ("DELETE", "issue/{issueIdOrKey}/remotelink/{linkId}"): remotelinks.delete_by_id,
    ("GET", "issue/limit/report"): siteinfo.limit_report,
    ("POST", "issue/bulkfetch"): issues.bulk_fetch,
    ("GET", "issue/{issueIdOrKey}"): issues.read,
    ("POST", "changelog/bulkfetch"): issues.bulk_changelog,
    ("GET", "search/jql"): search.by_query,
    ("POST", "search/jql"): search.by_body,
    ("GET", "search"): search.removed,
    ("POST", "search"): search.removed,
    ("GET", "myself"): siteinfo.myself,
    ("GET", "mypermissions"): siteinfo.my_permissions,
    ("POST", "permissions/check"): siteinfo.check_permissions,
    ("GET", "serverInfo"): siteinfo.server_info,
    ("GET", "configuration"): siteinfo.configuration,
    ("GET", "issueLinkType"): siteinfo.link_types,
    ("GET", "project/search"): siteinfo.project_search,
}

LINK_OPERATIONS: dict[tuple[str, str], Handler] = {
    ("POST", "/links/v1/{siteId}/jobs/cma"): linkfixing.submit,
    ("GET", "/links/v1/{siteId}/jobs/status/{jobId}"): linkfixing.status,
}


@dataclass(frozen=True, slots=True)
class _Row:
    method: str
    segments: tuple[str, ...]
    template: str
    handler: Handler

    def params(self, method: str, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values of the placeholders, None where the row means another request."""
        if method != self.method or len(segments) != len(self.segments):
            return None
        pairs = tuple(zip(self.segments, segments, strict=True))
        if not all(wanted[0] == "{" or wanted == given for wanted, given in pairs):
            return None
        return {wanted[1:-1]: given for wanted, given in pairs if wanted[0] == "{"}


def _rows(operations: Mapping[tuple[str, str], Handler], prefix: str) -> list[_Row]:
    rows = [
        _Row(method, tuple(path.strip("/").split("/")), prefix + path, handler)
        for (method, path), handler in operations.items()
    ]
    # Fixed words win over placeholders: `issue/bulkfetch` over `issue/{issueIdOrKey}`.
    return sorted(rows, key=lambda row: row.template.count("{"))


_JIRA_ROWS = _rows(JIRA_OPERATIONS, JIRA)
_LINK_ROWS = _rows(LINK_OPERATIONS, "")
_JIRA_PATH = re.compile(r"/rest/api/(2|3)/(.+)")
_GATEWAY_JIRA = re.compile(r"/ex/jira/([^/]+)(/.*)")


@dataclass(frozen=True, slots=True)
class _Found:
    template: str
    handler: Handler | None
    params: dict[str, str]
    site: SimSite | None = None
    door: Literal["site", "gateway"] = "site"
    version: str = "3"
    api: Literal["jira", "links", "other"] = "other"


def template_of(world: World, call: Call) -> str:
    """Return the operation's template, such as `/rest/api/3/issue/{issueIdOrKey}/remotelink`."""
    return _find(world, call).template


def answer(world: World, call: Call) -> tuple[Reply, str, str | None]:
    """Answer one request; return the reply, the operation's template and the account's e-mail."""
    settle(world)
    found = _find(world, call)
    account, problem = _who(world, call)
    reply = _answer(world, call, found, account, problem)
    return reply, found.template, None if account is None else account.email


def _answer(
    world: World, call: Call, found: _Found, account: SimAccount | None, problem: str | None
) -> Reply:
    log_kind = _log_kind(world, call)
    if log_kind is not None:
        kind, params = log_kind
        return linkfixing.download_log(world, account, kind, params)
    if call.path == "/_edge/tenant_info" and found.site is not None:
        return linkfixing.tenant_info(found.site)
    if found.api == "links":
        return _answer_links(world, call, found, account, problem)
    if found.api == "jira":
        return _answer_jira(world, call, found, account, problem)
    if call.host == GATEWAY:
        return gateway_error(404, "No message available")
    if found.site is None:
        return html_reply(404, "Your Atlassian Cloud site is currently unavailable.")
    return html_reply(404, "Oops, you've found a dead link.")


def _answer_links(
    world: World, call: Call, found: _Found, account: SimAccount | None, problem: str | None
) -> Reply:
    if account is None:
        return gateway_error(401, "Unauthorized" if problem is None else problem)
    if account.scoped:
        return gateway_error(401, "Unauthorized; scope does not match")
    site = world.site_by_id(found.params["siteId"])
    if site is None:
        return gateway_error(404, "Site not found")
    if not account.admin:
        return gateway_error(403, "The caller is not an administrator of this site")
    if found.handler is None:
        return gateway_error(404, "No message available")
    return _handled(
        found.handler,
        Visit(world=world, call=call, site=site, visitor=account, params=found.params, version="3"),
    )


def _answer_jira(
    world: World, call: Call, found: _Found, account: SimAccount | None, problem: str | None
) -> Reply:
    site = found.site
    if site is None:
        return gateway_error(404, "No message available")
    failed: Headers = ()
    if account is not None and not account.may_use(found.door):
        if found.door == "gateway":
            return gateway_error(401, "Unauthorized; scope does not match")
        account, problem = None, "scoped"
    if problem is not None:
        failed = (("X-Seraph-LoginReason", "AUTHENTICATED_FAILED"),)
        if found.door == "gateway":
            return gateway_error(401, "Unauthorized")
        if world.settings.bad_credential == "401" or problem == "scoped":
            return jira_error(401, "Client must be authenticated.", headers=failed)
    if found.handler is None:
        return jira_error(404, "null for uri: " + quote(call.path)).with_headers(failed)
    refused, headers = world.limits.burst(
        site.url, call.method, found.template, world.clock.monotonic_s(), world.clock.now()
    )
    if refused is not None:
        return refused
    if account is not None:
        headers = (*headers, ("X-AAccountId", account.account_id))
    visit = Visit(
        world=world,
        call=call,
        site=site,
        visitor=account,
        params=found.params,
        version=found.version,
    )
    return _handled(found.handler, visit).with_headers((*headers, *failed))


def _handled(handler: Handler, visit: Visit) -> Reply:
    try:
        return handler(visit)
    except VisitRefusedError as refused:
        return refused.reply


def _find(world: World, call: Call) -> _Found:
    if call.host != GATEWAY:
        site = world.site_by_host(call.host)
        return _find_jira(call.method, call.path, site, "site")
    through = _GATEWAY_JIRA.fullmatch(call.path)
    if through is not None:
        site = world.site_by_id(through.group(1))
        return _find_jira(call.method, through.group(2), site, "gateway")
    segments = tuple(call.path.strip("/").split("/"))
    for row in _LINK_ROWS:
        params = row.params(call.method, segments)
        if params is not None:
            return _Found(row.template, row.handler, params, api="links")
    if segments[:2] == ("links", "v1") and len(segments) > 2:
        return _Found(call.path, None, {"siteId": segments[2]}, api="links")
    return _Found(call.path, None, {})


def _find_jira(
    method: str, path: str, site: SimSite | None, door: Literal["site", "gateway"]
) -> _Found:
    parts = _JIRA_PATH.fullmatch(path)
    if parts is None:
        return _Found(path, None, {}, site, door)
    version, rest = parts.groups()
    segments = tuple(rest.split("/"))
    for row in _JIRA_ROWS:
        params = row.params(method, segments)
        if params is not None:
            return _Found(row.template, row.handler, params, site, door, version, "jira")
    return _Found(path, None, {}, site, door, version, "jira")


def _who(world: World, call: Call) -> tuple[SimAccount | None, str | None]:
    """Return the account of a request, or what is wrong with its credential."""
    header = call.headers.get("authorization")
    if header is None:
        return None, None
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None, "Unauthorized"
    try:
        email, _, token = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, "Unauthorized"
    if not email or not token:
        return None, "Unauthorized"
    known = world.accounts.get(email)
    if known is not None and known.token is not None:
        return (known, None) if known.token == token else (None, "Unauthorized")
    if not world.settings.accept_any:
        return None, "Unauthorized"
    return world.account(email), None


def _log_kind(world: World, call: Call) -> tuple[str, dict[str, str]] | None:
    """Return which of Atlassian's logs the address means, by the templates that the world chose."""
    if not world.log_urls or call.method != "GET":
        return None
    address = f"https://{call.host}{call.path}" + (f"?{call.query}" if call.query else "")
    for kind, url in world.log_urls.items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/?&]+)", re.escape(url))
        matched = re.fullmatch(pattern, address)
        if matched is not None:
            return kind, matched.groupdict()
    return None
