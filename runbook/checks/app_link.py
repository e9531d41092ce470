"""RB301 to RB305: the authorization of the app link, which no API of Atlassian reports.

Only jobs with `recreateAsRemote` need one, one per direction (links-api.md 2.1). The checks
judge a person's attestation in the plan, not the site.
"""

from collections.abc import Iterator

from runbook.checks.codes import Facts, finding
from runbook.findings import Finding
from runbook.plan.model import AppLink, Instance, Plan
from runbook.text import moment


def judge_app_links(plan: Plan, facts: Facts) -> Iterator[Finding]:
    """RB301 to RB305 of every job that recreates links."""
    for instance in plan.instances:
        if not instance.recreate_as_remote:
            continue
        link = instance.app_link
        if link is None or not link.authorized:
            yield _not_authorized(plan, instance, link)
        else:
            yield from _judge_attestation(plan, facts, instance, link)
        if link is not None and link.evidence in facts.missing_files:
            path = f"{instance.path}.appLink.evidence"
            message = f"the evidence file `{link.evidence}` is not there"
            hint = "the path is relative to the plan; put the file there, or remove the line"
            yield finding("RB304", plan, path, message, hint=hint, instance=instance)


def _not_authorized(plan: Plan, instance: Instance, link: AppLink | None) -> Finding:
    path = instance.path if link is None else f"{instance.path}.appLink.authorized"
    message = f"the app link from `{instance.product_url}` to `{instance.destination_url}` is not authorized"
    hint = "authorize it in this direction, then record who and when: `runbook checklist` walks you through"
    return finding("RB301", plan, path, message, hint=hint, instance=instance)


def _judge_attestation(
    plan: Plan, facts: Facts, instance: Instance, link: AppLink
) -> Iterator[Finding]:
    path = f"{instance.path}.appLink"
    missing = [key for key, value in (("by", link.by), ("at", link.at)) if value is None]
    if missing:
        words = " and ".join(f"`{key}`" for key in missing)
        message = f"the authorization of `{instance.id}` lacks {words}"
        hint = "say who attests it (`by`) and when it was authorized (`at`, with an offset)"
        yield finding("RB302", plan, path, message, hint=hint, instance=instance)
    if link.at is not None and link.at > facts.at and "cutover" not in plan.broken:
        message = (
            f"`{instance.id}` is authorized at {moment(link.at, plan.zone)}, "
            f"later than the planned moment {moment(facts.at, plan.zone)}"
        )
        hint = "authorize it before the cutover, or correct the date"
        yield finding("RB303", plan, f"{path}.at", message, hint=hint, instance=instance)
    site = plan.site(instance.product_url)
    submitter = None if site is None else facts.submitters.get(site.account)
    if submitter and link.as_account and submitter.casefold() != link.as_account.casefold():
        message = (
            f"`{instance.id}` is authorized as `{link.as_account}`, but `{submitter}` submits it"
        )
        hint = "the link may have to be authorized by the account that submits: authorize it as that one, or use the other one's token"
        yield finding("RB305", plan, f"{path}.as", message, hint=hint, instance=instance)


APP_LINK_CHECKS = (judge_app_links,)
