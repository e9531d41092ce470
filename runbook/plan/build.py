"""Typed values of one mapping -> the model's own classes, with the defaults filled in."""

from typing import Any

from runbook.plan.model import AppLink, Instance, Probe, Product, Project, Site, Waiver, Wave
from runbook.plan.read import BAD, Values


def _kept(values: Values, key: str) -> list[tuple[int, Any]]:
    """Return the entries of a list that could be read, each with its place in the list."""
    return [(i, value) for i, value in values.get(key, ()) if value is not BAD]


def site_of(values: Values, path: str) -> Site:
    """Return one entry of `sites`."""
    return Site(
        url=values["url"],
        site_id=values.get("siteId"),
        account=values.get("account", "default"),
        token_expires=values.get("tokenExpires"),
        projects=tuple(_project(value) for _, value in _kept(values, "projects")),
        waves=tuple(
            Wave(
                name=value.get("name", f"wave-{i + 1}"),
                projects=tuple(key for _, key in _kept(value, "projects")),
                started=value.get("started"),
                finished=value.get("finished"),
                planned=value.get("planned"),
                path=f"{path}.migrations[{i}]",
            )
            for i, value in _kept(values, "migrations")
        ),
        path=path,
    )


def _project(value: str | Values) -> Project:
    if isinstance(value, str):
        return Project(key=value, was=value)
    key: str = value["key"]
    return Project(key=key, was=value.get("was") or key)


def instance_of(values: Values, instance_id: str, path: str) -> Instance:
    """Return one entry of `instances`; `instance_id` is its own or the default one."""
    return Instance(
        id=instance_id,
        product=Product(values.get("product", "jira")),
        product_url=values["productURL"],
        destination_url=values["destinationURL"],
        migrated_from=values["migratedFrom"],
        migrated_from_override=values.get("migratedFromOverride"),
        recreate_as_remote=values.get("recreateAsRemote", True),
        create_backup=values.get("createBackup", False),
        needs=tuple(need for _, need in _kept(values, "needs")),
        probe=tuple(
            Probe(issue=value["issue"], target=value["target"])
            for _, value in _kept(values, "probe")
        ),
        app_link=app_link_of(values.get("appLink")),
        path=path,
    )


def app_link_of(values: Values | None) -> AppLink | None:
    """Return the attestation of one direction, None where the plan has none."""
    if values is None:
        return None
    return AppLink(
        authorized=values.get("authorized", False),
        as_account=values.get("as"),
        by=values.get("by"),
        at=values.get("at"),
        evidence=values.get("evidence"),
    )


def waiver_of(values: Values, path: str) -> Waiver:
    """Return one entry of `waive`."""
    sites = _kept(values, "sites")
    return Waiver(
        code=values["code"],
        reason=values["reason"],
        by=values.get("by"),
        instance=values.get("instance"),
        sites=(sites[0][1], sites[1][1]) if len(sites) == 2 else None,
        path=path,
    )
