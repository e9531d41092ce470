"""What a run asks before its first POST: every site's id, and whether each account is let in.

The answers are kept as the ledger's events, which are written once the run begins.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from runbook.atlassian.login import SITE_ID_PATH, site_id_in
from runbook.atlassian.retry import backoff_s
from runbook.clock import Clock
from runbook.errors import CredentialError, PlanError, RemoteError
from runbook.execute.submit_rules import likely_causes, words_of
from runbook.http import Answer, Outcome, Request, Send, exchange_of
from runbook.jobs import API
from runbook.ledger.events import AccountProbed, SiteIdentified
from runbook.plan.model import Plan

NO_JOB = "00000000-0000-0000-0000-000000000000"
ATTEMPTS = 4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightAnswers:
    """Everything that was asked before the first POST; nothing where nothing is to be sent.

    The e-mail of an account is known to the caller alone, and empty here.
    """

    identified: tuple[SiteIdentified, ...] = ()
    account_checks: tuple[AccountProbed, ...] = ()
    site_ids: Mapping[str, str]


async def identify_sites(plan: Plan, send: Send, clock: Clock) -> tuple[SiteIdentified, ...]:
    """Ask every site of the plan for its id at `/_edge/tenant_info` (links-api.md 3), and compare.

    Raises:
        RemoteError: a site does not answer, or not as documented.
        PlanError: a site has another id than the plan says (RB601).
    """
    found = await asyncio.gather(*(_identify(site.url, send, clock) for site in plan.sites))
    for site, identified in zip(plan.sites, found, strict=True):
        if site.site_id is not None and site.site_id != identified.site_id:
            location = plan.location(f"{site.path}.siteId")
            raise PlanError(
                f"{plan.file}:{location.line}:{location.column} RB601 the plan gives `{site.site_id}` as the site id of `{site.url}`, the site says `{identified.site_id}`",
                hint="correct `siteId`, or leave it out: then the site is asked",
            )
    return tuple(found)


async def _identify(site: str, send: Send, clock: Clock) -> SiteIdentified:
    request = Request(
        method="GET", url=f"{site}{SITE_ID_PATH}", headers=(("Accept", "application/json"),)
    )
    answer = await _answered(request, send, clock, who=f"site `{site}`")
    site_id = site_id_in(answer)
    if site_id is None:
        raise RemoteError(
            f"site `{site}` does not say its id: answer {answer.status} of `{SITE_ID_PATH}` holds no `cloudId` ({words_of(answer) or 'empty'})",
            hint="is it a Jira Cloud site, and spelled as in the browser? a proxy may answer in its place",
        )
    return SiteIdentified(site=site, site_id=site_id, exchange=exchange_of(request, answer))


async def check_accounts(
    accounts: Sequence[tuple[str, str]], site_ids: Mapping[str, str], send: Send, clock: Clock
) -> tuple[AccountProbed, ...]:
    """Ask for the status of a job that cannot exist with each (account, site it submits to).

    Any answer but 401 and a web page counts as "reached, not refused".

    Raises:
        CredentialError: the API refuses an account.
        RemoteError: the API is not reached, or something else answers in its place.
    """
    checks = (_check(account, site_ids[site], send, clock) for account, site in accounts)
    return tuple(await asyncio.gather(*checks))


async def _check(account: str, site_id: str, send: Send, clock: Clock) -> AccountProbed:
    request = Request(
        method="GET",
        url=f"{API}/{quote(site_id, safe='')}/jobs/status/{NO_JOB}",
        headers=(("Accept", "application/json"),),
        account=account,
    )
    answer = await _answered(request, send, clock, who="the link-fixing API")
    if answer.status == 401:
        raise CredentialError(
            f"account `{account}` was refused by the link-fixing API (401): {words_of(answer) or 'no further words'}",
            hint=f"in this order: {'; '.join(likely_causes(answer))}",
        )
    if answer.is_html():
        raise RemoteError(
            f"the link-fixing API was not reached: answer {answer.status} is {words_of(answer)}",
            hint="a proxy or login page answers in its place: check HTTPS_PROXY, NO_PROXY and the VPN",
        )
    return AccountProbed(
        account=account, email="", status=answer.status, exchange=exchange_of(request, answer)
    )


async def _answered(request: Request, send: Send, clock: Clock, *, who: str) -> Answer:
    outcome: Outcome = await send(request)
    for attempt in range(1, ATTEMPTS):
        if isinstance(outcome, Answer) and outcome.status < 500 and outcome.status != 429:
            break
        # In the middle of the spread: one process alone need not step out of others' way.
        wait_s = backoff_s(attempt, None, chance=0.5)
        _log.info("%s is asked again in %.1f s (%d of %d)", who, wait_s, attempt, ATTEMPTS)
        await clock.sleep(wait_s)
        outcome = await send(request)
    if isinstance(outcome, Answer):
        return outcome
    raise RemoteError(
        f"{who} was not reached after {ATTEMPTS} attempts: {outcome.reason}",
        hint=getattr(outcome, "hint", "") or "check the network, the VPN, and HTTPS_PROXY",
    )
