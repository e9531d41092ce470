"""Nodes -> values of the types that `fields` declares, and every structural finding on the way.

In: a document. Out: plain mappings of typed values; what cannot be read is left out, named in
`broken`, and has a finding (RB101 to RB104, RB107, RB108). The content of a plan never raises an error.
"""

import contextlib
import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

from runbook.findings import Finding, Severity
from runbook.plan.document import AnyNode, Document, Entries, Items, Node, Scalar
from runbook.plan.fields import (
    BOOLEANS,
    DAY,
    MOMENT,
    ChoiceType,
    DayType,
    Field,
    FieldType,
    FlagType,
    ListType,
    MomentType,
    NumberType,
    Record,
    ScalarType,
    TextOrRecord,
    TextType,
    UrlType,
)
from runbook.plan.source import Source, is_secret_key, secrets_in
from runbook.text import closest, shortened

Values = dict[str, Any]


class _Bad:
    """The value is given and cannot be used; a finding gives the reason."""


BAD: Final = _Bad()

_MOMENT = re.compile(MOMENT)
_MOMENT_WITHOUT_OFFSET = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
_DAY = re.compile(DAY)
# Only so many unknown keys get a suggestion; a foreign file would otherwise take minutes.
_SUGGESTIONS = 100


class Reader:
    """One reading of one document."""

    def __init__(self, document: Document, source: Source, file: str) -> None:
        self._file = file
        self._source = source
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
        """Add a finding at the location of `node`."""
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
        self._leave_out("RB103", message, node, path, hint=hint)
        self._look_for_secrets(node, path)
        return BAD

    def _leave_out(self, code: str, message: str, node: Node, path: str, *, hint: str) -> _Bad:
        self.broken.add(path)
        self.say(code, message, node, path, hint=hint)
        return BAD

    def record(
        self, record: Record, node: AnyNode, path: str, *, keep: bool = False
    ) -> Values | _Bad:
        """Return the known keys of a mapping with their values, and its path under `path`.

        Nulls count as not given. `keep` returns what there is even where a required key is missing.
        """
        if not isinstance(node, Entries):
            message = f"{record.what} is a mapping of fields, this is {_kind(node)}"
            return self.wrong(message, node, path, hint=f"fields: {record.keys}")
        values: Values = {"path": path}
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
                    where = f"{path}.{field.key}" if path else field.key
                    message = f"{record.what} needs `{field.key}`"
                    self._leave_out("RB102", message, node, where, hint=_as_hint(field.about))
        return values if usable or keep else BAD

    def _unknown(
        self, record: Record, key_node: Scalar, value_node: AnyNode, path: str
    ) -> set[str]:
        """Add the finding of an unknown key, and return the field it seems to mean."""
        if is_secret_key(key_node.text):
            self._secret_below(key_node, value_node, path)
            return set()
        self._look_for_secrets(value_node, path)
        near = self._near(key_node.text, record)
        message = f"unknown key `{shortened(key_node.text, 60)}` in {record.what}"
        if near:
            message += f", did you mean `{near}`?"
        hint = f"fields of {record.what}: {record.keys}"
        self.say("RB101", message, key_node, path, hint=hint)
        return {near} if near else set()

    def _near(self, key: str, record: Record) -> str | None:
        self._suggested += 1
        if self._suggested > _SUGGESTIONS or len(key) > 60:
            return None
        known = {field.key.lower(): field.key for field in record.fields}
        near = closest(re.sub(r"[^a-z0-9]", "", key.lower()), known, cutoff=0.7)
        return None if near is None else known[near]

    def _field(self, field: Field, key: Scalar, node: AnyNode, path: str) -> Any:
        if isinstance(node, Scalar):
            if node.is_null:
                if not field.required:
                    return None
                message = f"`{field.key}` has no value"
                return self.wrong(message, node, path, hint=_as_hint(field.about))
            hidden = secrets_in(node.text)
            if hidden:
                return self._secret_here(field.key, key, node, hidden, path)
        return self.value(field.kind, node, path, field.key)

    def value(self, kind: FieldType, node: AnyNode, path: str, name: str) -> Any:
        """Return a value of a declared type, `BAD` where the document has another one."""
        if isinstance(kind, Record):
            return self.record(kind, node, path)
        if isinstance(kind, ListType):
            return self._many(kind, node, path, name)
        if isinstance(kind, TextOrRecord):
            if isinstance(node, Entries):
                return self.record(kind.record, node, path)
            kind = kind.text
        if not isinstance(node, Scalar):
            return self.wrong(f"`{name}` takes {kind.what}, not {_kind(node)}", node, path)
        return self._scalar(kind, node, path, name)

    def _many(self, kind: ListType, node: AnyNode, path: str, name: str) -> Any:
        """Return the entries that can be used."""
        if not isinstance(node, Items):
            hint = ""
            if isinstance(node, Scalar) and not secrets_in(node.text):
                hint = f"write `{name}: [{shortened(node.text, 60)}]`"
            return self.wrong(f"`{name}` takes a list, not {_kind(node)}", node, path, hint=hint)
        count = len(node.items)
        if count < kind.least or (kind.most is not None and count > kind.most):
            wanted = f"at least {kind.least}" if kind.most is None else f"at most {kind.most}"
            if kind.least == kind.most:
                wanted = f"exactly {kind.least}"
            return self.wrong(f"`{name}` takes {wanted} of them, not {count}", node, path)
        result: list[Any] = []
        for position, item in enumerate(node.items):
            where = f"{path}[{position}]"
            if isinstance(item, Scalar) and (hidden := secrets_in(item.text)):
                value = self._secret_here(name, item, item, hidden, where)
            elif isinstance(item, Scalar) and item.is_null:
                value = self.wrong(f"an entry of `{name}` has no value", item, where)
            else:
                value = self.value(kind.of, item, where, name)
            if value is not BAD:
                result.append(value)
        return tuple(result)

    def _scalar(self, kind: ScalarType, node: Scalar, path: str, name: str) -> Any:
        text = node.text
        if isinstance(kind, DayType):
            return self._day(node, path, name)
        if isinstance(kind, MomentType):
            return self._moment(node, path, name)
        if isinstance(kind, NumberType):
            if text == str(kind.value):
                return kind.value
            message = f"format `{shortened(text, 60)}` is not supported; this version reads format {kind.value}"
            hint = (
                f"write `format: {kind.value}`, or use a version of runbook that knows this format"
            )
            return self._leave_out("RB108", message, node, path, hint=hint)
        if isinstance(kind, (TextType, UrlType)) and not text.strip():
            return self.wrong(f"`{name}` is empty", node, path)
        if isinstance(kind, UrlType):
            return site_url(text) if kind.cloud else without_slash(text)
        verb, hint = "takes", ""
        if isinstance(kind, FlagType):
            if text in BOOLEANS:
                return BOOLEANS[text]
        elif isinstance(kind, ChoiceType):
            verb, word = "is", text.lower() if kind.any_case else text
            if word in kind.words:
                return word
        elif kind.pattern is None or re.fullmatch(kind.pattern, text):
            return text
        else:
            hint = kind.hint
        message = f"`{name}` {verb} {kind.what}, not `{shortened(text, 60)}`"
        return self.wrong(message, node, path, hint=hint)

    def _day(self, node: Scalar, path: str, name: str) -> date | _Bad:
        if _DAY.fullmatch(node.text):
            with contextlib.suppress(ValueError):
                return date.fromisoformat(node.text)
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
        message = f"`{shortened(name, 60)}` holds a credential"
        hint = "take it out of the plan and revoke it; credentials come from the environment or the keyring"
        return self._leave_out("RB107", message, key, path, hint=hint)

    def _secret_below(self, key: Scalar, node: AnyNode, path: str) -> None:
        self._source.hide(node)
        trail: list[AnyNode] = [node]
        while trail:
            below = trail.pop()
            if isinstance(below, Scalar):
                self._source.hide(below)
                if not below.is_null:
                    self._source.hide_text(below.text)
            elif isinstance(below, Items):
                trail.extend(below.items)
            else:
                trail.extend(value for _, value in below.entries.values())
        message = f"`{shortened(key.text, 60)}` names a credential, and a plan holds none"
        hint = "remove it and, if it was real, revoke it; set RUNBOOK_EMAIL and RUNBOOK_API_TOKEN, or use `runbook auth set`"
        self.say("RB107", message, key, path, hint=hint)

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


def _as_hint(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
