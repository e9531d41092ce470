"""A plan's bytes -> `Plan`, with every structural finding at once.

In: the bytes of one file. Out: the plan as far as it can be read, and the findings RB100 to RB109.
No clock and no network; `load_plan` and `read_plan` read one file each and nothing else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from runbook.clock import isoformat_utc
from runbook.errors import PlanError
from runbook.findings import Finding, Severity
from runbook.json_text import sha256_of
from runbook.plan.document import (
    Document,
    DocumentError,
    Entries,
    Items,
    Scalar,
    SourceMap,
    read_bytes,
    read_document,
)
from runbook.plan.fields import (
    APP_LINK,
    ID,
    INSTANCE,
    PLAN,
    PROBE,
    PROJECT,
    SITE,
    WAIVER,
    WAVE,
    FieldType,
    ListType,
    Record,
    TextOrRecord,
)
from runbook.plan.model import (
    AppLink,
    BooleanStyle,
    Instance,
    Plan,
    Probe,
    Product,
    Project,
    Site,
    Waiver,
    Wave,
)
from runbook.plan.read import Reader, Values
from runbook.plan.source import Source
from runbook.text import closest

_UUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANCE_PATH = re.compile(r"instances\[\d+\]")
# Without these the job is not defined, so an instance is left out where one of them is wrong.
_DECISIVE = ("product", "recreateAsRemote", "createBackup", "migratedFromOverride", "id")
# Each cycle of needs is its own mistake; a plan with more of them was generated, and these show how.
_CYCLES_SHOWN = 20
_SUGGESTIONS = 20


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of reading a plan: `plan` is None where there is nothing to check.

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
            raise PlanError(errors[0].sentence(), hint=errors[0].hint)
        lines = "".join(f"\n  {error.sentence()}" for error in errors)
        hint = f"`runbook check {self.file}` shows each with its line and what to do"
        raise PlanError(f"`{self.file}` has {len(errors)} structural errors:{lines}", hint=hint)


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
        self._root = document.root
        self._data = data
        self._file = file
        self._source = Source(document.text)
        self._reader = Reader(document, self._source, file)
        self._locations = SourceMap(document.root)

    def loaded(self) -> Loaded:
        values = self._reader.record(PLAN, self._root, "", keep=True)
        if not isinstance(values, dict):
            return Loaded(None, self._in_file_order({}), self._source, self._file)
        sites = self._sites(values.get("sites", ()))
        instances, ids = self._instances(values.get("instances", ()))
        waivers = tuple(
            Waiver(**_arguments(WAIVER, waiver), path=waiver["path"])
            for waiver in values.get("waive", ())
            if not any(broken.startswith(waiver["path"]) for broken in self._reader.broken)
        )
        findings = self._in_file_order(ids)
        plan = self._plan(values, sites=sites, instances=instances, waivers=waivers)
        return Loaded(plan, findings, self._source, self._file)

    def _say(
        self, code: str, message: str, path: str, hint: str, severity: Severity = Severity.ERROR
    ) -> None:
        node = self._locations.nearest(path)
        self._reader.say(code, message, node, path, hint=hint, severity=severity)

    def _wrong(self, message: str, path: str, hint: str = "") -> None:
        self._reader.wrong(message, self._locations.nearest(path), path, hint=hint)

    def _sites(self, values: Iterable[Values]) -> tuple[Site, ...]:
        sites: dict[str, Site] = {}
        for value in values:
            site = _site(value)
            if site.url in sites:
                message = f"the site `{site.url}` is listed twice"
                hint = "one entry holds all of a site's projects and migrations"
                self._wrong(message, f"{site.path}.url", hint)
                continue
            sites[site.url] = site
            self._judge_site(site)
        return tuple(sites.values())

    def _judge_site(self, site: Site) -> None:
        if site.site_id is not None and _UUID.fullmatch(site.site_id) is None:
            message = f"the site id `{site.site_id}` is no UUID; it is sent as it stands"
            hint = "the usual id is shown at https://<site>/_edge/tenant_info"
            self._say("RB103", message, f"{site.path}.siteId", hint, Severity.NOTE)
        for wave in site.waves:
            for key, end in (("finished", wave.finished), ("planned", wave.planned)):
                if end is not None and wave.started is not None and end < wave.started:
                    message = f"`{key}` of `{wave.name}` is before its `started`"
                    self._wrong(message, f"{wave.path}.{key}")

    def _instances(
        self, values: Iterable[Values]
    ) -> tuple[tuple[Instance, ...], Mapping[str, str]]:
        """Return the instances that can be used, and the id of each by its path."""
        broken = self._reader.broken
        usable = [
            value
            for value in values
            if not any(f"{value['path']}.{key}" in broken for key in _DECISIVE)
        ]
        ids = self._ids(usable)
        instances = [_instance(value, ids[value["path"]]) for value in usable]
        seen: dict[tuple[Any, ...], Instance] = {}
        for instance in instances:
            origin = (instance.migrated_from, instance.migrated_from_override)
            same = (instance.product, instance.sites, origin, instance.recreate_as_remote)
            first = seen.setdefault(same, instance)
            if first is not instance:
                hint = "remove one; a job differs by product, URLs, override or recreateAsRemote"
                self._say("RB106", f"the same job as `{first.id}`", instance.path, hint)
        self._judge_needs(instances)
        return tuple(instances), ids

    def _ids(self, usable: list[Values]) -> dict[str, str]:
        """Return the id of every instance by its path; those that are repeated are RB105."""
        taken: dict[str, str] = {}
        result: dict[str, str] = {}
        for value in usable:
            given, path = value.get("id"), value["path"]
            if given is None:
                continue
            result[path] = given
            if taken.setdefault(given, path) != path:
                first = self._locations.nearest(f"{taken[given]}.id").line
                message = f"the id `{given}` is already used on line {first}"
                hint = "give every job an id of its own, or leave the id out"
                self._say("RB105", message, f"{path}.id", hint)
        repeated: dict[str, int] = {}
        for value in usable:
            if value["path"] in result:
                continue
            base = default_id(value["productURL"], value["destinationURL"], value.get("product"))
            name, number = base, repeated.get(base, 1)
            while name in taken:
                number += 1
                name = f"{base}-{number}"
            repeated[base] = number
            taken[name] = result[value["path"]] = name
        return result

    def _judge_needs(self, instances: list[Instance]) -> None:
        """Find the needs that cannot be met: RB109."""
        listed = self._locations.nearest("instances")
        count = len(listed.items) if isinstance(listed, Items) else 0
        paths = [f"instances[{i}]" for i in range(count)]
        read = {instance.path for instance in instances}
        left_out = {self._written_id(path) for path in paths if path not in read}
        by_id = {instance.id: instance for instance in instances}
        # Where an instance that was left out has no id of its own, an unknown id proves nothing.
        if None not in left_out:
            self._judge_unknown_needs(by_id, {*by_id, *left_out}, instances)
        for path, message in _cycles(by_id):
            self._say("RB109", message, path, "remove one of these needs")

    def _judge_unknown_needs(
        self, by_id: dict[str, Instance], known: set[str | None], instances: list[Instance]
    ) -> None:
        shown = 0
        for instance in instances:
            for i, need in enumerate(instance.needs):
                if need in known:
                    continue
                shown += 1
                near = closest(need, list(by_id)[:1000]) if shown <= _SUGGESTIONS else None
                hint = (
                    f"did you mean `{near}`?"
                    if near
                    else "name the id of another job, or remove it"
                )
                message = f"`{instance.id}` needs `{need}`, which is not in the plan"
                self._say("RB109", message, f"{instance.path}.needs[{i}]", hint)

    def _written_id(self, path: str) -> str | None:
        """Return the id that an instance gives itself, None where it has none that may be used."""
        item = self._locations.nearest(path)
        if not isinstance(item, Entries) or "id" not in item.entries:
            return None
        node = item.entries["id"][1]
        return node.text if isinstance(node, Scalar) and re.fullmatch(ID, node.text) else None

    def _plan(self, values: Values, **parts: Any) -> Plan:
        arguments: Values = {"name": ""} | _arguments(PLAN, values) | parts
        arguments.pop("format", None)
        logs = arguments.pop("logs", {})
        zones = self._reader.zones
        plan = Plan(
            **arguments | {"booleans": BooleanStyle(values.get("booleans", "native"))},
            logs_history=logs.get("history"),
            logs_audit=logs.get("audit"),
            file=self._file,
            source=self._data,
            zone=zones.get("cutover") or next(iter(zones.values()), UTC),
            locations=self._locations,
            broken=frozenset(self._reader.broken),
        )
        return replace(plan, digest=plan_digest(plan))

    def _in_file_order(self, ids: Mapping[str, str]) -> tuple[Finding, ...]:
        found = self._reader.findings
        if any(finding.code == "RB108" for finding in found):
            # Another format has other fields: whatever else is odd here may be right there.
            found = [finding for finding in found if finding.code in ("RB104", "RB107", "RB108")]
        result = []
        for finding in found:
            path = _INSTANCE_PATH.match(finding.path)
            known = None if path is None else ids.get(path[0]) or self._written_id(path[0])
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


def _cycles(by_id: Mapping[str, Instance]) -> Iterator[tuple[str, str]]:
    """Yield path and message of the needs that close a cycle, without recursion."""
    shown = 0
    done: set[str] = set()
    for start in by_id:
        # The jobs from `start` to the one that is looked at, each with the needs that are left.
        route = {} if start in done else {start: enumerate(by_id[start].needs)}
        while route:
            job_id = next(reversed(route))
            for position, need in route[job_id]:
                if need in route:
                    shown += 1
                    if shown <= _CYCLES_SHOWN:
                        members = list(route)
                        loop = _loop(members[members.index(need) :])
                        yield f"{by_id[job_id].path}.needs[{position}]", loop
                elif need in by_id and need not in done:
                    route[need] = enumerate(by_id[need].needs)
                    break
            else:
                done.add(job_id)
                del route[job_id]


def _loop(ids: list[str]) -> str:
    shown = ids if len(ids) <= 8 else [*ids[:7], f"… {len(ids) - 7} more …"]
    return "jobs that wait for each other: " + " -> ".join((*shown, ids[0]))


# Values of one mapping -> the model, which holds the defaults


def _arguments(record: Record, values: Values) -> Values:
    """Return the values under the names of the model's attributes."""
    known = record.by_key
    return {known[key].attribute: value for key, value in values.items() if key in known}


def _site(values: Values) -> Site:
    waves = []
    for value in values.get("migrations", ()):
        position = int(value["path"].rpartition("[")[2][:-1])
        named: Values = {"name": f"wave-{position + 1}"} | _arguments(WAVE, value)
        waves.append(Wave(**named, path=value["path"]))
    projects = tuple(map(_project, values.get("projects", ())))
    arguments = _arguments(SITE, values) | {"waves": tuple(waves), "projects": projects}
    return Site(**arguments, path=values["path"])


def _project(value: str | Values) -> Project:
    if isinstance(value, str):
        return Project(key=value, was=value)
    return Project(**{"was": value["key"]} | _arguments(PROJECT, value))


def _instance(values: Values, instance_id: str) -> Instance:
    arguments = _arguments(INSTANCE, values) | {
        "id": instance_id,
        "product": Product(values.get("product", "jira")),
        "probe": tuple(Probe(**_arguments(PROBE, value)) for value in values.get("probe", ())),
        "path": values["path"],
    }
    if "appLink" in values:
        attested: Values = {"authorized": False} | _arguments(APP_LINK, values["appLink"])
        arguments["app_link"] = AppLink(**attested)
    return Instance(**arguments)


# The digest


def plan_digest(plan: Plan) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a parsed plan, defaults resolved.

    Comments, key order, quoting and the spelling of an offset do not matter; the order of lists
    does. Every field that `fields` declares is covered, so one more field changes every digest.
    """
    values = {
        field.key: _canonical(getattr(plan, field.attribute), field.kind)
        for field in PLAN.fields
        if field.key not in ("format", "logs")
    }
    logs = {"history": plan.logs_history, "audit": plan.logs_audit}
    return sha256_of({**values, "format": 1, "logs": logs})


def _canonical(value: Any, kind: FieldType) -> Any:
    """Return a value of the model as JSON values: mappings with the plan's keys, moments in UTC."""
    if isinstance(value, datetime):
        return isoformat_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if value is None:
        return None
    if isinstance(kind, ListType):
        return [_canonical(item, kind.of) for item in value]
    if isinstance(kind, TextOrRecord):
        kind = kind.record
    if isinstance(kind, Record):
        return {
            field.key: _canonical(getattr(value, field.attribute), field.kind)
            for field in kind.fields
        }
    return value
