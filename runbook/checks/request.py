"""RB401 to RB410: requests that Atlassian's API would refuse or misunderstand.

Facts: links-api.md 1.2 (fields), 2.1 (recreation is Jira only, Data Center to Cloud only).
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from runbook.checks.codes import Check, Facts, finding, lacks
from runbook.findings import Finding
from runbook.jobs import ordered
from runbook.plan.model import Instance, Plan, Product
from runbook.text import closest, moment

BACKUP_RESTS = timedelta(days=7)
_CLOUD_HOSTS = (".atlassian.net", ".jira.com", ".jira-dev.com", ".atlassian-us-gov-mod.net")
# Only so many wrong URLs get a suggestion; a plan with more of them names other sites altogether.
_SUGGESTIONS = 50
_ODD_CHARACTERS = re.compile(r"[\x00-\x20\x7f\\<>\"{}|^`]")
_STAGING = re.compile(
    r"(?:^|[.\-_/])(?:staging|stage|stg|backup|bkp|bak|clone|cloned|copy|preprod|uat|test|sandbox|standby)"
    r"\d*(?=[.\-_/:]|$)"
)
_HOW = {
    True: "name the site only, such as https://contoso-eng.atlassian.net",
    False: "name the base URL as Jira's general configuration shows it, such as https://jira.contoso.example",
}


def base_url_problem(url: str, *, cloud: bool) -> str | None:
    """Return why a URL is no base URL, None where it is one.

    A Data Center's may have `http`, a port and a context path; a cloud site's may not.
    """
    if _ODD_CHARACTERS.search(url):
        return "holds a space or another character that no URL has"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as problem:
        return f"is no URL: {problem}"
    if parts.scheme.lower() not in ("http", "https") or not host:
        return "is not absolute: it needs `https://` and a host"
    if parts.query or "?" in url:
        return "has a query"
    if parts.fragment or "#" in url:
        return "has a fragment"
    steps = parts.path.lower().split("/")
    for step in ("browse", "secure"):
        if step in steps:
            return f"holds `/{step}`: it is the address of a page"
    if parts.path.endswith("/"):
        return "ends with more than one slash"
    if cloud:
        if parts.scheme.lower() == "http":
            return "is `http`; a cloud site has `https`"
        if port is not None:
            return "has a port; a cloud site has none"
        if parts.path:
            return f"has the path `{parts.path}`; a cloud site has none"
    return None


def is_cloud(url: str) -> bool:
    """Return whether the host is one that Atlassian gives to cloud sites."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.lower().endswith(_CLOUD_HOSTS)


def judge_urls(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001 - every check takes both
    """RB401, and RB402 where the URL is a base URL but of no site of the plan."""
    known: dict[tuple[str, bool], str | None] = {}
    near_of: dict[str, str | None] = {}

    def problem(url: str, *, cloud: bool) -> str | None:
        if (url, cloud) not in known:
            known[url, cloud] = base_url_problem(url, cloud=cloud)
        return known[url, cloud]

    for site in plan.sites:
        odd = problem(site.url, cloud=True)
        if odd is not None:
            yield _no_base_url(plan, f"{site.path}.url", site.url, odd, cloud=True, instance=None)
    sites_known = not lacks(plan, "sites")
    for instance in plan.instances:
        for key, url, cloud in _urls(instance):
            path = f"{instance.path}.{key}"
            odd = problem(url, cloud=cloud)
            if odd is not None:
                yield _no_base_url(plan, path, url, odd, cloud=cloud, instance=instance)
            elif cloud and sites_known:
                yield from _of_no_site(plan, instance, path, url, near_of)


def _urls(instance: Instance) -> Iterator[tuple[str, str, bool]]:
    yield "productURL", instance.product_url, True
    yield "destinationURL", instance.destination_url, True
    yield "migratedFrom", instance.migrated_from, False
    if instance.migrated_from_override is not None:
        yield "migratedFromOverride", instance.migrated_from_override, False


def _no_base_url(
    plan: Plan, path: str, url: str, problem: str, *, cloud: bool, instance: Instance | None
) -> Finding:
    return finding("RB401", plan, path, f"`{url}` {problem}", hint=_HOW[cloud], instance=instance)


def _of_no_site(
    plan: Plan, instance: Instance, path: str, url: str, near_of: dict[str, str | None]
) -> Iterator[Finding]:
    key = path.rpartition(".")[2]
    if plan.site(url) is None:
        if url not in near_of:
            suggest = len(near_of) < _SUGGESTIONS and len(url) < 300
            urls = [site.url for site in plan.sites[:200]] if suggest else []
            near_of[url] = closest(url, urls, cutoff=0.85)
        near = near_of[url]
        message = f"`{key}` is `{url}`, which is no site of this plan"
        hint = f"did you mean `{near}`?" if near else "add it to `sites`, or correct it"
        yield finding("RB402", plan, path, message, hint=hint, instance=instance)
    elif not is_cloud(url):
        message = f"`{key}` is `{url}`, which is no Atlassian Cloud site"
        hint = "name the site's own address, https://<name>.atlassian.net: the API answers there, not at a custom domain"
        yield finding("RB402", plan, path, message, hint=hint, instance=instance)


def judge_recreation(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001
    """RB403 to RB406: what recreation and backup cannot do."""
    for instance in plan.instances:
        if instance.recreate_as_remote:
            yield from _judge_recreation(plan, instance)
        if instance.create_backup and instance.product is Product.CONFLUENCE:
            path = f"{instance.path}.createBackup"
            message = f"`{instance.id}` asks for a backup, which there is for Jira only"
            hint = "remove `createBackup`, and back up Confluence by other means"
            yield finding("RB406", plan, path, message, hint=hint, instance=instance)


def _judge_recreation(plan: Plan, instance: Instance) -> Iterator[Finding]:
    if instance.product is Product.CONFLUENCE:
        message = (
            f"`{instance.id}` recreates links of Confluence, which Atlassian does for Jira only"
        )
        hint = "write `recreateAsRemote: false` to update Confluence's links"
        path = f"{instance.path}.product"
        yield finding("RB403", plan, path, message, hint=hint, instance=instance)
    if instance.product_url == instance.destination_url:
        message = f"`{instance.id}` recreates links as remote onto the same site"
        hint = "name another site, or write `recreateAsRemote: false` for links that stay local"
        path = f"{instance.path}.destinationURL"
        yield finding("RB404", plan, path, message, hint=hint, instance=instance)
    origin = instance.migrated_from
    if is_cloud(origin) or plan.site(origin) is not None:
        message = (
            f"`{instance.id}` recreates links of data that came from the cloud site `{origin}`"
        )
        hint = "recreation works from Data Center to Cloud only: name the Data Center's base URL, or write `recreateAsRemote: false`"
        path = f"{instance.path}.migratedFrom"
        yield finding("RB405", plan, path, message, hint=hint, instance=instance)


def judge_origins(plan: Plan, facts: Facts) -> Iterator[Finding]:  # noqa: ARG001
    """RB407 and RB408: an override without effect, or one that seems to be missing."""
    for instance in plan.instances:
        override = instance.migrated_from_override
        if override is not None:
            if override.casefold() == instance.migrated_from.casefold():
                path = f"{instance.path}.migratedFromOverride"
                message = f"the override of `{instance.id}` equals its `migratedFrom`"
                hint = "remove it where the data came from production; else name the production base URL"
                yield finding("RB407", plan, path, message, hint=hint, instance=instance)
        elif _looks_like_staging(instance.migrated_from):
            path = f"{instance.path}.migratedFrom"
            message = f"`{instance.migrated_from}` looks like a staging or backup instance, and there is no override"
            hint = "name the production base URL in `migratedFromOverride`: links in the data point there"
            yield finding("RB408", plan, path, message, hint=hint, instance=instance)


def _looks_like_staging(url: str) -> bool:
    rest = url.partition("://")[2].lower() or url.lower()
    host, slash, path = rest.partition("/")
    name = host.partition(":")[0]
    # The last label is a top-level domain: `.test` and `.example` tell nothing about an instance.
    labels = name.rpartition(".")[0] or name
    return _STAGING.search(labels) is not None or _STAGING.search(slash + path) is not None


def judge_backups(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB409 and RB410, in the order in which the jobs are sent."""
    if lacks(plan, "instances"):
        return
    first_job: dict[str, Instance] = {}
    first_backup: dict[str, Instance] = {}
    earlier = {
        url: at
        for url, at in sorted(facts.earlier_backups)
        if timedelta(0) <= facts.at - at < BACKUP_RESTS
    }
    for instance in ordered(plan.instances):
        if instance.product is Product.CONFLUENCE:
            continue
        site = instance.product_url
        first_job.setdefault(site, instance)
        if not instance.create_backup:
            continue
        path = f"{instance.path}.createBackup"
        if site in first_backup:
            message = f"`{instance.id}` asks for another backup of `{site}`, after `{first_backup[site].id}`"
            hint = "one backup before the first job of a site is enough; each takes hours"
            yield finding("RB409", plan, path, message, hint=hint, instance=instance)
            continue
        first_backup[site] = instance
        if site in earlier:
            message = (
                f"an earlier run asked for a backup of `{site}` at {moment(earlier[site], plan.zone)}, "
                "less than 7 days before"
            )
            hint = "remove `createBackup`, unless the data has changed since"
            yield finding("RB409", plan, path, message, hint=hint, instance=instance)
        if first_job[site] is not instance:
            message = f"the backup of `{site}` comes with `{instance.id}`, after `{first_job[site].id}` has changed links"
            hint = f"move `createBackup: true` to `{first_job[site].id}`, the first job of the site"
            yield finding("RB410", plan, path, message, hint=hint, instance=instance)


REQUEST_CHECKS: tuple[Check, ...] = (judge_urls, judge_recreation, judge_origins, judge_backups)
