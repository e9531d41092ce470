"""Write a full mesh plan to start from."""

import re
from collections.abc import Sequence

from runbook.checks.request import base_url_problem, is_cloud
from runbook.errors import UsageError
from runbook.plan.fields import NAME
from runbook.plan.read import site_url, without_slash
from runbook.plan.starter import starter_plan


def new_plan(name: str, sites: Sequence[str], migrated_from: str) -> str:
    """Return the text of a plan with one job for each direction of each pair of sites.

    Raises:
        UsageError: the name is none for a plan, or an address is none of its kind.
    """
    if re.fullmatch(NAME, name) is None:
        raise UsageError(
            f"`{name}` is no name for a plan",
            hint="lower case letters, digits and `-`, at most 63, such as `contoso-split`",
        )
    return starter_plan(_checked_sites(sites), _checked_origin(migrated_from), name)


def _checked_sites(sites: Sequence[str]) -> list[str]:
    result: list[str] = []
    for given in sites:
        url = site_url(given if "://" in given else f"https://{given}")
        problem = base_url_problem(url, cloud=True)
        if problem is not None or "@" in url:
            raise UsageError(
                f"`--site {_without_user(given)}` {problem or 'holds a user name'}",
                hint="name the site only, such as `--site https://contoso-eng.atlassian.net`",
            )
        if not is_cloud(url):
            raise UsageError(
                f"`--site {given}` is no Atlassian Cloud site",
                hint="name the site's own address, https://<name>.atlassian.net",
            )
        if url in result:
            raise UsageError(f"the site `{url}` was given twice")
        result.append(url)
    if len(result) < 2:
        raise UsageError(
            "a split has at least two sites", hint="give `--site` once for each of them"
        )
    return result


def _checked_origin(given: str) -> str:
    url = without_slash(given)
    problem = base_url_problem(url, cloud=False)
    if problem is None and "@" in url:
        problem = "holds a user name"
    if problem is None and is_cloud(url):
        problem = "is a cloud site; links are recreated from Data Center to Cloud only"
    if problem is not None:
        raise UsageError(
            f"`--migrated-from {_without_user(given)}` {problem}",
            hint="name the Data Center's base URL, such as https://jira.contoso.example",
        )
    return url


def _without_user(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://***@{tail}" if at else url
