"""Plan -> the ordered jobs, which are both shown and sent.

`preview`, `run --dry-run`, `rehearse` and `run` share this tuple; the executor takes jobs, never a
plan. An approval is bound to `jobs_digest`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from runbook.json_text import sha256_of
from runbook.plan.model import BooleanStyle, Instance, Plan

API = "https://api.atlassian.com/links/v1"
SITE_ID_PLACEHOLDER = "{siteId}"
SUBMIT_INTERVAL_S = 12.0
"""Seconds between two submissions: five in a minute, what a sibling API documents (links-api.md 2.3)."""

HEADERS: tuple[tuple[str, str], ...] = (
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmaJob:
    """One `POST …/jobs/cma`, exactly as it will be sent.

    `url` holds the literal `{siteId}` where the plan gives none; `site` is productURL, whose account
    submits; `order` starts at 1.
    """

    id: str
    order: int
    needs: tuple[str, ...]
    site: str
    destination: str
    account: str
    method: str
    url: str
    body: Mapping[str, Any]
    recreate_as_remote: bool

    def body_bytes(self) -> bytes:
        """Return the body's bytes on the wire."""
        return json.dumps(self.body, ensure_ascii=False, separators=(", ", ": ")).encode()

    def sent_json(self) -> dict[str, Any]:
        """Return what `jobs_digest` covers."""
        return {
            "id": self.id,
            "method": self.method,
            "url": self.url,
            "body": dict(self.body),
            "needs": list(self.needs),
        }

    def as_json(self) -> dict[str, Any]:
        """Return the job as the ledger keeps it."""
        as_they_are = {name: getattr(self, name) for name in _NOT_SENT}
        return {**self.sent_json(), **as_they_are, "recreateAsRemote": self.recreate_as_remote}


_NOT_SENT = ("order", "site", "destination", "account")


def job_from_json(value: Mapping[str, Any]) -> CmaJob:
    """Return the job that `as_json` wrote."""
    return CmaJob(
        **{name: value[name] for name in ("id", "method", "url", *_NOT_SENT)},
        needs=tuple(value["needs"]),
        body=dict(value["body"]),
        recreate_as_remote=value["recreateAsRemote"],
    )


def _body(instance: Instance, style: BooleanStyle) -> dict[str, Any]:
    true: object = "true" if style is BooleanStyle.STRING else True
    body: dict[str, Any] = {
        "product": instance.product.value,
        "productURL": instance.product_url,
        "destinationURL": instance.destination_url,
        "migratedFrom": instance.migrated_from,
    }
    if instance.migrated_from_override is not None:
        body["migratedFromOverride"] = instance.migrated_from_override
    if instance.recreate_as_remote:
        body["recreateAsRemote"] = true
    if instance.create_backup:
        body["createBackup"] = true
    return body


def ordered(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    """Return the instances so that each follows its needs; plan order otherwise.

    Needs that name nothing, or each other in a cycle, are left to RB109.
    """
    by_id = {instance.id: instance for instance in instances}
    done: dict[str, Instance] = {}
    for start, first in by_id.items():
        # A route instead of recursion: ten thousand jobs may need each other in one chain.
        route = {} if start in done else {start: iter(first.needs)}
        while route:
            job_id = next(reversed(route))
            for need in route[job_id]:
                if need in by_id and need not in done and need not in route:
                    route[need] = iter(by_id[need].needs)
                    break
            else:
                done[job_id] = by_id[job_id]
                del route[job_id]
    return tuple(done.values())


def jobs_of(plan: Plan) -> tuple[CmaJob, ...]:
    """Return every job of the plan in the order in which they are sent."""
    jobs = []
    for order, instance in enumerate(ordered(plan.instances), start=1):
        site = plan.site(instance.product_url)
        given = None if site is None else site.site_id
        site_id = SITE_ID_PLACEHOLDER if given is None else quote(given, safe="")
        jobs.append(
            CmaJob(
                id=instance.id,
                order=order,
                needs=instance.needs,
                site=instance.product_url,
                destination=instance.destination_url,
                account="default" if site is None else site.account,
                method="POST",
                url=f"{API}/{site_id}/jobs/cma",
                body=_body(instance, plan.booleans),
                recreate_as_remote=instance.recreate_as_remote,
            )
        )
    return tuple(jobs)


def jobs_digest(jobs: Iterable[CmaJob]) -> str:
    """Return the SHA-256, in hex, of the requests in order."""
    return sha256_of([job.sent_json() for job in jobs])
