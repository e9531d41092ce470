"""Which handler answers a request, and on whose behalf: the pure function of the simulator.

`answer(world, request)` changes the world and returns a reply; it never waits and never fails.
Sites are told apart by the host. `template` names the operation as the official documents do, with
version 3, for limits, faults and the log.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from runbook.simulator import issues, linkfixing, remotelinks, siteinfo
from runbook.simulator.messages import (
    Handled,
    Headers,
    Reply,
    SimRequest,
    gateway_error,
    html_reply,
    jira_error,
    json_reply,
)
from runbook.simulator.model import SimAccount, SimSite
from runbook.simulator.visit import Visit, VisitRefusedError
from runbook.simulator.world import LogKind, World

GATEWAY = "api.atlassian.com"
JIRA = "/rest/api/3/"

Handler = Callable[[Visit], Handled]

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
    ("GET", "search/jql"): issues.search_by_query,
    ("POST", "search/jql"): issues.search_by_body,
    ("GET", "search"): issues.removed_search,
    ("POST", "search"): issues.removed_search,
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


Route = tuple[str, re.Pattern[str], str, Handler]


def _routes(operations: dict[tuple[str, str], Handler], prefix: str) -> list[Route]:
    # Fixed words win over placeholders: `issue/bulkfetch` over `issue/{issueIdOrKey}`.
    ordered = sorted(operations.items(), key=lambda item: item[0][1].count("{"))
    return [
        (method, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]*)", path)), prefix + path, handler)
        for (method, path), handler in ordered
    ]


_JIRA_ROUTES = _routes(JIRA_OPERATIONS, JIRA)
_LINK_ROUTES = _routes(LINK_OPERATIONS, "")
_JIRA_PATH = re.compile(r"/rest/api/(2|3)/(.+)")
_GATEWAY_JIRA = re.compile(r"/ex/jira/([^/]+)(/.*)")


@dataclass(frozen=True, slots=True)
class _Operation:
    """What a request asks for; `handler` None means that nothing answers it."""

    template: str
    handler: Handler | None
    params: dict[str, str]
    site: SimSite | None
    door: Literal["site", "gateway"] = "gateway"
    version: str = "3"
    api: Literal["jira", "links", "other"] = "other"


def template_of(world: World, request: SimRequest) -> str:
    """Return the operation's template, such as `/rest/api/3/issue/{issueIdOrKey}/remotelink`."""
    return _find(world, request).template


def answer(world: World, request: SimRequest) -> tuple[Reply, str, str | None]:
    """Answer one request; return the reply, the operation's template and the account's e-mail."""
    linkfixing.settle(world)
    operation = _find(world, request)
    account, refused = _who(world, request)
    reply = _answer(world, request, operation, account, refused=refused)
    return reply, operation.template, None if account is None else account.email


def _answer(
    world: World,
    request: SimRequest,
    operation: _Operation,
    account: SimAccount | None,
    *,
    refused: bool,
) -> Reply:
    log_kind = _log_kind(world, request)
    if log_kind is not None:
        return linkfixing.download_log(world, account, *log_kind)
    site = operation.site
    if request.path == "/_edge/tenant_info" and site is not None:
        return json_reply({"cloudId": site.site_id})
    if operation.api == "links":
        return _answer_links(world, request, operation, account)
    if operation.api == "jira" and site is not None:
        return _answer_jira(world, request, operation, site, account, refused=refused)
    if operation.api == "jira" or request.host == GATEWAY:
        return gateway_error(404, "No message available")
    if site is None:
        return html_reply(404, "Your Atlassian Cloud site is currently unavailable.")
    return html_reply(404, "Oops, you've found a dead link.")


def _answer_links(
    world: World, request: SimRequest, operation: _Operation, account: SimAccount | None
) -> Reply:
    if account is None:
        return gateway_error(401, "Unauthorized")
    if account.scoped:
        return gateway_error(401, "Unauthorized; scope does not match")
    if operation.site is None:
        return gateway_error(404, "Site not found")
    if not account.admin:
        return gateway_error(403, "The caller is not an administrator of this site")
    if operation.handler is None:
        return gateway_error(404, "No message available")
    visit = Visit(world, request, operation.site, account, operation.params, operation.version)
    return _handled(operation.handler, visit)


def _answer_jira(
    world: World,
    request: SimRequest,
    operation: _Operation,
    site: SimSite,
    account: SimAccount | None,
    *,
    refused: bool,
) -> Reply:
    failed: Headers = ()
    scoped = False
    if account is not None and account.scoped is not (operation.door == "gateway"):
        if operation.door == "gateway":
            return gateway_error(401, "Unauthorized; scope does not match")
        account, refused, scoped = None, True, True
    if refused:
        failed = (("X-Seraph-LoginReason", "AUTHENTICATED_FAILED"),)
        if operation.door == "gateway":
            return gateway_error(401, "Unauthorized")
        if world.settings.bad_credential == "401" or scoped:
            return jira_error(401, "Client must be authenticated.", headers=failed)
    if operation.handler is None:
        return jira_error(404, "null for uri: " + quote(request.path), headers=failed)
    limited, headers = world.limits.burst(site.url, request.method, operation.template, world.clock)
    if limited is not None:
        return limited
    if account is not None:
        headers = (*headers, ("X-AAccountId", account.account_id))
    visit = Visit(world, request, site, account, operation.params, operation.version)
    return _handled(operation.handler, visit).with_headers((*headers, *failed))


def _handled(handler: Handler, visit: Visit) -> Reply:
    try:
        answered = handler(visit)
    except VisitRefusedError as refused:
        return refused.reply
    return answered if isinstance(answered, Reply) else json_reply(answered)


def _find(world: World, request: SimRequest) -> _Operation:
    if request.host != GATEWAY:
        return _find_jira(request.method, request.path, world.site_by_host(request.host), "site")
    through = _GATEWAY_JIRA.fullmatch(request.path)
    if through is not None:
        site = world.site_by_id(through.group(1))
        return _find_jira(request.method, through.group(2), site, "gateway")
    path = request.path.strip("/")
    template, handler, params = _matched(_LINK_ROUTES, request.method, f"/{path}")
    words = path.split("/")
    if handler is None and words[:2] == ["links", "v1"] and len(words) > 2:
        params = {"siteId": words[2]}
    if not params:
        return _Operation(request.path, None, {}, None)
    site = world.site_by_id(params["siteId"])
    return _Operation(template or request.path, handler, params, site, api="links")


def _find_jira(
    method: str, path: str, site: SimSite | None, door: Literal["site", "gateway"]
) -> _Operation:
    parts = _JIRA_PATH.fullmatch(path)
    if parts is None:
        return _Operation(path, None, {}, site, door)
    version, rest = parts.groups()
    template, handler, params = _matched(_JIRA_ROUTES, method, rest)
    return _Operation(template or path, handler, params, site, door, version, "jira")


def _matched(
    routes: list[Route], method: str, path: str
) -> tuple[str, Handler | None, dict[str, str]]:
    for wanted, pattern, template, handler in routes:
        found = pattern.fullmatch(path) if method == wanted else None
        if found is not None:
            return template, handler, found.groupdict()
    return "", None, {}


def _who(world: World, request: SimRequest) -> tuple[SimAccount | None, bool]:
    """Return the account of a request, and whether its credential is refused."""
    header = request.headers.get("authorization")
    if header is None:
        return None, False
    scheme, _, value = header.partition(" ")
    try:
        email, _, token = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None, True
    if scheme.lower() != "basic" or not email or not token:
        return None, True
    known = world.accounts.get(email)
    if known is not None and known.token is not None:
        return (known, False) if known.token == token else (None, True)
    return (world.account(email), False) if world.settings.accept_any else (None, True)


def _log_kind(world: World, request: SimRequest) -> tuple[LogKind, dict[str, str]] | None:
    """Return which of Atlassian's logs the address means, by the templates that the world chose."""
    if not world.log_urls or request.method != "GET":
        return None
    query = f"?{request.query}" if request.query else ""
    for kind, url in world.log_urls.items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/?&]+)", re.escape(url))
        matched = re.fullmatch(pattern, f"https://{request.host}{request.path}{query}")
        if matched is not None:
            return kind, matched.groupdict()
    return None
