"""What a plan's digest covers: its parsed values, defaults resolved, moments in UTC.

Comments, key order, quoting and the spelling of an offset do not matter; the order of lists does.
"""

from datetime import datetime
from typing import Any

from runbook.clock import isoformat_utc
from runbook.json_text import sha256_of
from runbook.plan.model import AppLink, Instance, Plan, Site, Waiver


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a parsed plan."""
    return sha256_of(plan_json(plan))


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the parsed plan as JSON values, under the plan's own field names."""
    return {
        "format": 1,
        "name": plan.name,
        "customer": plan.customer,
        "change": plan.change,
        "cutover": _moment(plan.cutover),
        "booleans": plan.booleans.value,
        "expected": plan.expected,
        "requireApproval": plan.require_approval,
        "logs": {"history": plan.logs_history, "audit": plan.logs_audit},
        "sites": [_site(site) for site in plan.sites],
        "instances": [_instance(instance) for instance in plan.instances],
        "waive": [_waiver(waiver) for waiver in plan.waivers],
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "url": site.url,
        "siteId": site.site_id,
        "account": site.account,
        "tokenExpires": None if site.token_expires is None else site.token_expires.isoformat(),
        "projects": [{"key": project.key, "was": project.was} for project in site.projects],
        "migrations": [
            {
                "name": wave.name,
                "projects": list(wave.projects),
                "started": _moment(wave.started),
                "finished": _moment(wave.finished),
                "planned": _moment(wave.planned),
            }
            for wave in site.waves
        ],
    }


def _instance(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id,
        "product": instance.product.value,
        "productURL": instance.product_url,
        "destinationURL": instance.destination_url,
        "migratedFrom": instance.migrated_from,
        "migratedFromOverride": instance.migrated_from_override,
        "recreateAsRemote": instance.recreate_as_remote,
        "createBackup": instance.create_backup,
        "needs": list(instance.needs),
        "probe": [{"issue": probe.issue, "target": probe.target} for probe in instance.probe],
        "appLink": _app_link(instance.app_link),
    }


def _app_link(link: AppLink | None) -> dict[str, Any] | None:
    if link is None:
        return None
    return {
        "authorized": link.authorized,
        "as": link.as_account,
        "by": link.by,
        "at": _moment(link.at),
        "evidence": link.evidence,
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "code": waiver.code,
        "instance": waiver.instance,
        "sites": None if waiver.sites is None else list(waiver.sites),
        "reason": waiver.reason,
        "by": waiver.by,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else isoformat_utc(moment)
