"""A plan's bytes -> `Plan`, with every structural finding at once.

In: the bytes of one file. Out: the plan as far as it can be read, and the findings RB100 to RB109.
No clock and no network; `load_plan` and `read_plan` read one file each and nothing else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

from runbook.errors import PlanError
from runbook.findings import Finding, Severity
from runbook.plan.digest import plan_digest
from runbook.plan.document import (
    Document,
    DocumentError,
    Entries,
    Items,
    Scalar,
    read_bytes,
    read_document,
)
from runbook.plan.fields import ID, PLAN
from runbook.plan.model import BooleanStyle, Instance, Plan, Site, Waiver
from runbook.plan.needs import judge_needs
from runbook.plan.places import Places
from runbook.plan.read import Reader, Values, instance_of, site_of, waiver_of
from runbook.plan.source import Source

_UTC = timezone(timedelta(0))
_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INDEX = re.compile(r"instances\[(\d+)\]")
# What a job is cannot be said without these, so it is left out where one of them is wrong.
_DECISIVE = ("product", "recreateAsRemote", "createBackup", "migratedFromOverride", "id")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a plan: `plan` is None where there is nothing to check.

    With structural errors `plan` holds what could be read. `source` shows its lines, masked.
    """

    plan: Plan | None
    findings: tuple[Finding, ...]
    source: Source
    file: str

    def whole_plan(self) -> Plan:
        """Return the plan.

        Raises:
            PlanError: it has structural errors, all of which are part of the message.
        """
        errors = [finding for finding in self.findings if finding.severity is Severity.ERROR]
        if self.plan is not None and not errors:
            return self.plan
        if len(errors) == 1:
            raise PlanError(_sentence(errors[0]), hint=errors[0].hint)
        lines = "".join(f"\n  {_sentence(error)}" for error in errors)
        raise PlanError(
            f"`{self.file}` has {len(errors)} structural errors:{lines}",
            hint=f"`runbook check {self.file}` shows each with its line and what to do",
        )


def _sentence(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}:{finding.column}"
    return f"{place}: {finding.code}: {finding.message}"


def read_plan(path: Path) -> Plan:
    """Return the plan of a file without structural errors.

    Raises:
        PlanError: it cannot be read, or has structural errors, which are listed.
    """
    return load_plan(path).whole_plan()


def load_plan(path: Path) -> Loaded:
    """Return what a file holds; a file that cannot be read is a finding, too."""
    try:
        data = read_bytes(path)
    except DocumentError as problem:
        return _unreadable(problem, "", str(path))
    return load_plan_bytes(data, str(path))


def load_plan_bytes(data: bytes, file: str) -> Loaded:
    """Return what the bytes of a plan hold; `file` is what findings call it."""
    try:
        document = read_document(data)
    except DocumentError as problem:
        return _unreadable(problem, data.decode("utf-8-sig", "replace"), file)
    return _Parse(document, data, file).loaded()


def _unreadable(problem: DocumentError, text: str, file: str) -> Loaded:
    finding = Finding(
        code="RB100",
        severity=Severity.ERROR,
        message=str(problem),
        hint=problem.hint,
        file=file,
        line=problem.line,
        column=problem.column,
    )
    return Loaded(None, (finding,), Source(text), file)


class _Parse:
    """The reading of one document, from its root to a plan."""

    def __init__(self, document: Document, data: bytes, file: str) -> None:
        self._document = document
        self._data = data
        self._file = file
        self._source = Source(document.text)
        self._reader = Reader(document, self._source, file)
        self._places = Places(document.root)

    def loaded(self) -> Loaded:
        values = self._reader.record(PLAN, self._document.root, "", keep=True)
        if not isinstance(values, dict):
            return Loaded(None, self._in_file_order({}), self._source, self._file)
        sites = self._sites(values.get("sites", ()))
        instances, ids = self._instances(values.get("instances", ()))
        waivers = tuple(
            waiver_of(value, f"waive[{i}]")
            for i, value in values.get("waive", ())
            if not self._is_broken(f"waive[{i}]")
        )
        findings = self._in_file_order(ids)
        plan = self._plan(values, sites, instances, waivers)
        return Loaded(plan, findings, self._source, self._file)

    def _is_broken(self, path: str) -> bool:
        return any(broken.startswith(path) for broken in self._reader.broken)

    def _sites(self, values: Iterable[tuple[int, Any]]) -> tuple[Site, ...]:
        sites: dict[str, Site] = {}
        for i, value in values:
            site = site_of(value, f"sites[{i}]")
            if site.url in sites:
                self._reader.wrong(
                    f"the site `{site.url}` is listed twice",
                    self._places.nearest(f"sites[{i}].url"),
                    f"sites[{i}].url",
                    hint="one entry holds all of a site's projects and migrations",
                )
                continue
            sites[site.url] = site
            self._judge_site(site, i)
        return tuple(sites.values())

    def _judge_site(self, site: Site, index: int) -> None:
        if site.site_id is not None and _UUID.fullmatch(site.site_id) is None:
            self._reader.say(
                "RB103",
                f"the site id `{site.site_id}` is no UUID; it is sent as it stands",
                self._places.nearest(f"sites[{index}].siteId"),
                f"sites[{index}].siteId",
                hint="the usual id is shown at https://<site>/_edge/tenant_info",
                severity=Severity.NOTE,
            )
        for wave in site.waves:
            for key, end in (("finished", wave.finished), ("planned", wave.planned)):
                if end is not None and wave.started is not None and end < wave.started:
                    self._reader.wrong(
                        f"`{key}` of `{wave.name}` is before its `started`",
                        self._places.nearest(f"{wave.path}.{key}"),
                        f"{wave.path}.{key}",
                    )

    def _instances(
        self, values: Iterable[tuple[int, Any]]
    ) -> tuple[tuple[Instance, ...], dict[int, str]]:
        usable = {
            i: value
            for i, value in values
            if not any(f"instances[{i}].{key}" in self._reader.broken for key in _DECISIVE)
        }
        ids = self._ids(usable)
        instances = []
        seen: dict[tuple[Any, ...], Instance] = {}
        for i, value in usable.items():
            instance = instance_of(value, ids[i], f"instances[{i}]")
            instances.append(instance)
            same = (
                instance.product,
                instance.product_url,
                instance.destination_url,
                instance.migrated_from,
                instance.migrated_from_override,
                instance.recreate_as_remote,
            )
            first = seen.setdefault(same, instance)
            if first is not instance:
                self._reader.say(
                    "RB106",
                    f"the same job as `{first.id}`",
                    self._places.nearest(instance.path),
                    f"instances[{i}]",
                    hint="remove one; a job differs by product, URLs, override or recreateAsRemote",
                )
        self._judge_needs(instances)
        return tuple(instances), ids

    def _ids(self, usable: dict[int, Values]) -> dict[int, str]:
        """Return the id of every instance by its index; those that are repeated are RB105."""
        taken: dict[str, int] = {}
        result: dict[int, str] = {}
        for i, value in usable.items():
            given = value.get("id")
            if given is None:
                continue
            result[i] = given
            if taken.setdefault(given, i) != i:
                first = self._places.nearest(f"instances[{taken[given]}].id").line
                self._reader.say(
                    "RB105",
                    f"the id `{given}` is already used on line {first}",
                    self._places.nearest(f"instances[{i}].id"),
                    f"instances[{i}].id",
                    hint="give every job an id of its own, or leave the id out",
                )
        repeated: dict[str, int] = {}
        for i, value in usable.items():
            if i in result:
                continue
            base = default_id(value["productURL"], value["destinationURL"], value.get("product"))
            name, number = base, repeated.get(base, 1)
            while name in taken:
                number += 1
                name = f"{base}-{number}"
            repeated[base] = number
            taken[name] = i
            result[i] = name
        return dict(sorted(result.items()))

    def _judge_needs(self, instances: list[Instance]) -> None:
        listed = self._places.nearest("instances")
        total = len(listed.items) if isinstance(listed, Items) else 0
        read = {instance.path for instance in instances}
        left_out = [self._written_id(i) for i in range(total) if f"instances[{i}]" not in read]
        known = None if None in left_out else frozenset(job_id for job_id in left_out if job_id)
        for path, message, hint in judge_needs(instances, left_out=known):
            self._reader.say("RB109", message, self._places.nearest(path), path, hint=hint)

    def _written_id(self, index: int) -> str | None:
        """Return the id that an instance gives itself, None where it has none that may be used."""
        item = self._places.nearest(f"instances[{index}]")
        if not isinstance(item, Entries) or "id" not in item.entries:
            return None
        node = item.entries["id"][1]
        return node.text if isinstance(node, Scalar) and re.fullmatch(ID, node.text) else None

    def _plan(
        self,
        values: Values,
        sites: tuple[Site, ...],
        instances: tuple[Instance, ...],
        waivers: tuple[Waiver, ...],
    ) -> Plan:
        logs = values.get("logs") or {}
        zones = self._reader.zones
        plan = Plan(
            name=values.get("name", ""),
            customer=values.get("customer"),
            change=values.get("change"),
            cutover=values.get("cutover"),
            booleans=BooleanStyle(values.get("booleans", "native")),
            expected=values.get("expected"),
            require_approval=values.get("requireApproval", False),
            logs_history=logs.get("history"),
            logs_audit=logs.get("audit"),
            sites=sites,
            instances=instances,
            waivers=waivers,
            file=self._file,
            source=self._data,
            zone=zones.get("cutover") or next(iter(zones.values()), _UTC),
            places=self._places,
            broken=frozenset(self._reader.broken),
        )
        return replace(plan, digest=plan_digest(plan))

    def _in_file_order(self, ids: dict[int, str]) -> tuple[Finding, ...]:
        found = self._reader.findings
        if any(finding.code == "RB108" for finding in found):
            # Another format has other fields: whatever else is odd here may be right there.
            found = [finding for finding in found if finding.code in ("RB104", "RB107", "RB108")]
        result = []
        for finding in found:
            index = _INDEX.match(finding.path)
            known = None
            if index is not None:
                known = ids.get(int(index[1])) or self._written_id(int(index[1]))
            message, hint = self._source.mask(finding.message), self._source.mask(finding.hint)
            result.append(replace(finding, instance=known, message=message, hint=hint))
        return tuple(
            sorted(result, key=lambda finding: (finding.line, finding.column, finding.code))
        )


def default_id(product_url: str, destination_url: str, product: str | None) -> str:
    """Return the id of a job that has none: the labels of its two sites."""
    ending = "-confluence" if product == "confluence" else ""
    return f"{_label(product_url)}-to-{_label(destination_url)}{ending}"


def _label(url: str) -> str:
    host = url.partition("://")[2] or url
    label = re.split(r"[./:?#]", host, maxsplit=1)[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", label).strip("-") or "site"
