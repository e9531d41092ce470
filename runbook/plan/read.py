"""Nodes -> values of the types that `fields` declares, and every structural finding on the way.

In: a document. Out: plain mappings of typed values; what cannot be read is left out, named in
`broken`, and has a finding (RB101 to RB104, RB107, RB108). Nothing is raised for what a plan says.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from runbook.findings import Finding, Severity
from runbook.plan.document import AnyNode, Document, Entries, Items, Node, Scalar
from runbook.plan.fields import (
    BOOLEANS,
    DAY,
    MOMENT,
    Choice,
    Day,
    Either,
    Field,
    FieldType,
    Flag,
    Many,
    Moment,
    Number,
    Record,
    Text,
    Url,
)
from runbook.plan.model import AppLink, Instance, Probe, Product, Project, Site, Waiver, Wave
from runbook.plan.source import Source, is_secret_key, secrets_in
from runbook.text import shortened

Values = dict[str, Any]


class _Bad:
    """The value was given and cannot be used; a finding says why."""


BAD: Final = _Bad()

_MOMENT = re.compile(MOMENT)
_MOMENT_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_DAY = re.compile(DAY)
# So many unknown keys get a suggestion; a foreign file would otherwise take minutes.
_SUGGESTIONS = 100
_ARTICLES = {"instance": "an instance", "appLink": "`appLink`", "logs": "`logs`", "plan": "a plan"}


class Reader:
    """One reading of one document."""

    def __init__(self, document: Document, source: Source, file: str) -> None:
        self._file = file
        self._source = source
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._suggested = 0
        self.findings: list[Finding] = []
        self.broken: set[str] = set()
        self.zones: dict[str, timezone] = {}
        for oddity in document.oddities:
            code = "RB104" if oddity.kind == "duplicate" else "RB103"
            hint = "keep one of the two" if code == "RB104" else "remove it"
            self.say(code, oddity.message, oddity.node, "", hint=hint)

    def say(
        self,
        code: str,
        message: str,
        node: Node,
        path: str,
        *,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Add a finding that stands at `node`."""
        self.findings.append(
            Finding(
                code=code,
                severity=severity,
                message=message,
                hint=hint,
                path=path,
                file=self._file,
                line=node.line,
                column=node.column,
            )
        )

    def wrong(self, message: str, node: AnyNode, path: str, *, hint: str = "") -> _Bad:
        """Add RB103 for a value, and leave the value out."""
        self.say("RB103", message, node, path, hint=hint)
        self.broken.add(path)
        self._look_for_secrets(node, path)
        return BAD

    def record(
        self, record: Record, node: AnyNode, path: str, *, keep: bool = False
    ) -> Values | _Bad:
        """Return the known keys of a mapping with their values; nulls count as not given.

        `keep` returns what there is even where a required key is missing.
        """
        if not isinstance(node, Entries):
            what = _ARTICLES.get(record.name, f"a {record.name}")
            return self.wrong(
                f"{what} is a mapping of fields, this is {_kind(node)}",
                node,
                path,
                hint=f"fields: {', '.join(field.key for field in record.fields)}",
            )
        values: Values = {}
        usable = True
        meant: set[str] = set()
        for key, (key_node, value_node) in node.entries.items():
            where = f"{path}.{key}" if path else key
            field = record.by_key.get(key)
            if field is None:
                meant |= self._unknown(record, key_node, value_node, where)
                continue
            value = self._field(field, key_node, value_node, where)
            if value is BAD:
                usable = usable and not field.required
                meant.add(key)
            elif value is not None:
                values[key] = value
        for field in record.fields:
            if field.required and field.key not in values:
                usable = False
                if field.key not in meant:
                    self._missing(record, field, node, path)
        return values if usable or keep else BAD

    def _missing(self, record: Record, field: Field, node: Entries, path: str) -> None:
        where = f"{path}.{field.key}" if path else field.key
        what = _ARTICLES.get(record.name, f"a {record.name}")
        self.broken.add(where)
        self.say(
            "RB102", f"{what} needs `{field.key}`", node, where, hint=_lower_first(field.about)
        )

    def _unknown(
        self, record: Record, key_node: Scalar, value_node: AnyNode, path: str
    ) -> set[str]:
        if is_secret_key(key_node.text):
            self._secret_below(key_node, value_node, path)
            return set()
        self._look_for_secrets(value_node, path)
        what = _ARTICLES.get(record.name, f"a {record.name}")
        near = self._near(key_node.text, record)
        self.say(
            "RB101",
            f"unknown key `{shortened(key_node.text, 60)}` in {what}"
            + (f", did you mean `{near}`?" if near else ""),
            key_node,
            path,
            hint=f"fields of {what}: {', '.join(field.key for field in record.fields)}",
        )
        return {near} if near else set()

    def _near(self, key: str, record: Record) -> str | None:
        self._suggested += 1
        if self._suggested > _SUGGESTIONS or len(key) > 60:
            return None
        from difflib import get_close_matches

        known = {field.key.lower(): field.key for field in record.fields}
        bare = re.sub(r"[^a-z0-9]", "", key.lower())
        near = get_close_matches(bare, known, n=1, cutoff=0.7)
        return known[near[0]] if near else None

    def _field(self, field: Field, key: Scalar, node: AnyNode, path: str) -> Any:
        if isinstance(node, Scalar):
            if node.is_null:
                if not field.required:
                    return None
                return self.wrong(
                    f"`{field.key}` has no value", node, path, hint=_lower_first(field.about)
                )
            hidden = secrets_in(node.text)
            if hidden:
                return self._secret_here(field.key, key, node, hidden, path)
        return self.value(field.kind, node, path, field.key)

    def value(self, kind: FieldType, node: AnyNode, path: str, name: str) -> Any:
        """Return a value of a declared type, `BAD` where the document has another one."""
        if isinstance(kind, Record):
            return self.record(kind, node, path)
        if isinstance(kind, Many):
            return self._many(kind, node, path, name)
        if isinstance(kind, Either):
            if isinstance(node, Entries):
                return self.record(kind.record, node, path)
            kind = kind.text
        if not isinstance(node, Scalar):
            return self.wrong(f"`{name}` takes {_wanted(kind)}, not {_kind(node)}", node, path)
        return self._scalar(kind, node, path, name)

    def _many(self, kind: Many, node: AnyNode, path: str, name: str) -> Any:
        """Return the entries that can be used, each with its place in the list."""
        if not isinstance(node, Items):
            hint = ""
            if isinstance(node, Scalar) and not secrets_in(node.text):
                hint = f"write `{name}: [{shortened(node.text, 60)}]`"
            return self.wrong(f"`{name}` takes a list, not {_kind(node)}", node, path, hint=hint)
        count = len(node.items)
        if count < kind.least or (kind.most is not None and count > kind.most):
            wanted = (
                f"exactly {kind.least}"
                if kind.least == kind.most
                else f"at most {kind.most}"
                if kind.most is not None
                else f"at least {kind.least}"
            )
            return self.wrong(f"`{name}` takes {wanted} of them, not {count}", node, path)
        result = []
        for position, item in enumerate(node.items):
            where = f"{path}[{position}]"
            value: Any
            if isinstance(item, Scalar) and (hidden := secrets_in(item.text)):
                value = self._secret_here(name, item, item, hidden, where)
            elif isinstance(item, Scalar) and item.is_null:
                value = self.wrong(f"an entry of `{name}` has no value", item, where)
            else:
                value = self.value(kind.of, item, where, name)
            if value is not BAD:
                result.append((position, value))
        return result

    def _scalar(self, kind: FieldType, node: Scalar, path: str, name: str) -> Any:
        text = node.text
        if isinstance(kind, Text):
            return self._text(kind, node, path, name)
        if isinstance(kind, Url):
            if not text.strip():
                return self.wrong(f"`{name}` is empty", node, path)
            return site_url(text) if kind.cloud else without_slash(text)
        if isinstance(kind, Flag):
            if text in BOOLEANS:
                return BOOLEANS[text]
            return self.wrong(
                f"`{name}` takes true or false, not `{shortened(text, 60)}`", node, path
            )
        if isinstance(kind, Choice):
            word = text.lower() if kind.any_case else text
            if word in kind.words:
                return word
            wanted = " or ".join(f"`{word}`" for word in kind.words)
            return self.wrong(f"`{name}` is {wanted}, not `{shortened(text, 60)}`", node, path)
        if isinstance(kind, Number):
            if text == str(kind.value):
                return kind.value
            return self._other_format(kind, node, path)
        if isinstance(kind, Day):
            return self._day(node, path, name)
        return self._moment(node, path, name)

    def _other_format(self, kind: Number, node: Scalar, path: str) -> _Bad:
        self.broken.add(path)
        self.say(
            "RB108",
            f"format `{shortened(node.text, 60)}` is not supported; this version reads format {kind.value}",
            node,
            path,
            hint=f"write `format: {kind.value}`, or use a version of runbook that knows this format",
        )
        return BAD

    def _text(self, kind: Text, node: Scalar, path: str, name: str) -> str | _Bad:
        text = node.text
        if not text.strip():
            return self.wrong(f"`{name}` is empty", node, path)
        if kind.pattern is not None:
            pattern = self._patterns.get(kind.pattern)
            if pattern is None:
                pattern = self._patterns[kind.pattern] = re.compile(kind.pattern[:-1] + r"\Z")
            if pattern.match(text) is None:
                message = f"`{name}` takes {kind.what}, not `{shortened(text, 60)}`"
                return self.wrong(message, node, path, hint=kind.hint)
        return text

    def _day(self, node: Scalar, path: str, name: str) -> date | _Bad:
        if _DAY.fullmatch(node.text):
            try:
                return date.fromisoformat(node.text)
            except ValueError:
                pass
        message = f"`{name}` takes a date, not `{shortened(node.text, 60)}`"
        return self.wrong(message, node, path, hint="write it as 2027-03-01")

    def _moment(self, node: Scalar, path: str, name: str) -> datetime | _Bad:
        text = node.text
        if _MOMENT.fullmatch(text):
            try:
                moment = datetime.fromisoformat(text.upper().replace(" ", "T"))
            except ValueError as problem:
                return self.wrong(f"`{name}` is no moment: {problem}", node, path)
            self.zones[path] = timezone(moment.utcoffset() or timedelta(0))
            return moment.astimezone(UTC)
        if _MOMENT_WITHOUT_OFFSET.fullmatch(text):
            missing = "an offset" if ":" in text else "a time and an offset"
            example = f"{text}+01:00" if ":" in text else f"{text}T20:00:00+01:00"
            hint = f"write `{example}` with the offset of the place it is meant for, or `Z` for UTC"
            return self.wrong(f"`{name}` lacks {missing}: `{text}`", node, path, hint=hint)
        message = f"`{name}` takes a date-time with an offset, not `{shortened(text, 60)}`"
        return self.wrong(message, node, path, hint="write it as 2026-11-22T20:00:00+01:00")

    def _secret_here(
        self, name: str, key: Scalar, node: Scalar, hidden: tuple[str, ...], path: str
    ) -> _Bad:
        for secret in hidden:
            self._source.hide_text(secret)
        self._source.hide(node)
        self.broken.add(path)
        self.say(
            "RB107",
            f"`{shortened(name, 60)}` holds a credential",
            key,
            path,
            hint="take it out of the plan and revoke it; credentials come from the environment or the keyring",
        )
        return BAD

    def _secret_below(self, key: Scalar, node: AnyNode, path: str) -> None:
        self._source.hide(node)
        for _, below in _scalars(node):
            self._source.hide(below)
            if not below.is_null:
                self._source.hide_text(below.text)
        self.say(
            "RB107",
            f"`{shortened(key.text, 60)}` names a credential, and a plan holds none",
            key,
            path,
            hint="remove it and, if it was real, revoke it; set RUNBOOK_EMAIL and RUNBOOK_API_TOKEN, or use `runbook auth set`",
        )

    def _look_for_secrets(self, node: AnyNode, path: str) -> None:
        """Find credentials in a part of the document that is not read."""
        trail: list[tuple[str, AnyNode]] = [(path, node)]
        while trail:
            where, below = trail.pop()
            if isinstance(below, Scalar):
                hidden = secrets_in(below.text)
                if hidden:
                    self._secret_here(where.rpartition(".")[2], below, below, hidden, where)
            elif isinstance(below, Items):
                trail.extend((f"{where}[{i}]", item) for i, item in enumerate(below.items))
            else:
                for key, (key_node, value) in below.entries.items():
                    if is_secret_key(key):
                        self._secret_below(key_node, value, f"{where}.{key}")
                    else:
                        trail.append((f"{where}.{key}", value))


def _scalars(node: AnyNode) -> list[tuple[str, Scalar]]:
    found: list[tuple[str, Scalar]] = []
    trail: list[AnyNode] = [node]
    while trail:
        below = trail.pop()
        if isinstance(below, Scalar):
            found.append((below.text, below))
        elif isinstance(below, Items):
            trail.extend(below.items)
        else:
            trail.extend(value for _, value in below.entries.values())
    return found


def without_slash(url: str) -> str:
    """Return a base URL less one trailing slash, else as written."""
    return url.removesuffix("/")


def site_url(url: str) -> str:
    """Return a cloud site's URL less one trailing slash, with scheme and host in lower case."""
    scheme, colon, rest = without_slash(url).partition("://")
    if not colon:
        return without_slash(url)
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def _kind(node: AnyNode) -> str:
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Entries):
        return "a mapping"
    return "nothing" if node.is_null else "a single value"


def _wanted(kind: FieldType) -> str:
    if isinstance(kind, Url):
        return "a URL"
    if isinstance(kind, Flag):
        return "true or false"
    if isinstance(kind, Moment):
        return "a date-time"
    if isinstance(kind, Day):
        return "a date"
    if isinstance(kind, Choice):
        return " or ".join(f"`{word}`" for word in kind.words)
    if isinstance(kind, Number):
        return "a number"
    return kind.what if isinstance(kind, Text) else "a value"


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


# Typed values of one mapping -> the model, with the defaults filled in


def site_of(values: Values, path: str) -> Site:
    """Return one entry of `sites`."""
    return Site(
        url=values["url"],
        site_id=values.get("siteId"),
        account=values.get("account", "default"),
        token_expires=values.get("tokenExpires"),
        projects=tuple(_project(value) for _, value in values.get("projects", ())),
        waves=tuple(
            Wave(
                name=value.get("name", f"wave-{i + 1}"),
                projects=tuple(key for _, key in value.get("projects", ())),
                started=value.get("started"),
                finished=value.get("finished"),
                planned=value.get("planned"),
                path=f"{path}.migrations[{i}]",
            )
            for i, value in values.get("migrations", ())
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
        needs=tuple(need for _, need in values.get("needs", ())),
        probe=tuple(
            Probe(issue=value["issue"], target=value["target"])
            for _, value in values.get("probe", ())
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
    sites = values.get("sites", ())
    return Waiver(
        code=values["code"],
        reason=values["reason"],
        by=values.get("by"),
        instance=values.get("instance"),
        sites=(sites[0][1], sites[1][1]) if len(sites) == 2 else None,
        path=path,
    )
