"""Write an attestation into a plan's text and leave everything else of it untouched.

In: the text of a plan that was read without structural errors, the index of an instance, the values
of its `appLink`. Out: the new text. Comments, layout, quotes and line ends are kept, since only the
characters of the values themselves are replaced or added. The result is read again and
refused unless it differs from the original in this one `appLink` and nowhere else.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from runbook.errors import PlanError
from runbook.plan.document import AnyNode, DocumentError, Entries, Items, Scalar, read_document

APP_LINK_KEYS = ("authorized", "as", "by", "at", "evidence")

_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(r"\w(?:[\w@./+-]|:(?=[\w@./+-])| (?=[\w@./+-]))*\Z")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_STR_TAG = "tag:yaml.org,2002:str"
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Values: TypeAlias = Mapping[str, str | bool]
Nested: TypeAlias = Mapping[str, str | bool | Values]
_Change: TypeAlias = tuple[int, int, str]
"""Start and end of the characters that are replaced, and the text that replaces them."""


class EditError(PlanError):
    """The plan's text cannot be changed safely; it is left as it is."""


def edit_plan_bytes(data: bytes, index: int, values: Values) -> bytes:
    """Return the plan's bytes with `values` in `instances[index].appLink`; a BOM stays.

    Raises:
        EditError: the text is not UTF-8, or `set_app_link` refuses.
    """
    bom = _BOM if data.startswith(_BOM) else b""
    try:
        text = data[len(bom) :].decode("utf-8")
    except UnicodeDecodeError as problem:
        raise EditError("the plan is not UTF-8, so it is not written to") from problem
    return bom + set_app_link(text, index, values).encode("utf-8")


def set_app_link(text: str, index: int, values: Values) -> str:
    """Return the plan's text with `values` in `instances[index].appLink`.

    `values` maps keys of `APP_LINK_KEYS` to text or, for `authorized`, to a boolean; keys that are
    not named keep what they have.

    Raises:
        EditError: there is no such instance, or the change would touch anything else.
    """
    for key in values:
        if key not in APP_LINK_KEYS:
            raise EditError(f"`{key}` is no key of an `appLink`")
    if "\n" not in text and "\r" in text:
        message = "the plan's lines end with a carriage return alone, so it is not written to"
        hint = "save it with the line ends of Unix or Windows, then run the same command again"
        raise EditError(message, hint=hint)
    ordered = {key: values[key] for key in APP_LINK_KEYS if key in values}
    root = _read(text)
    changed = text
    changes = _changes(text, _instance(root, index), ordered)
    for start, end, written in sorted(changes, key=lambda change: change[0], reverse=True):
        changed = changed[:start] + written + changed[end:]
    if not _only_app_link_changed(root, changed, index, ordered):
        message = f"`instances[{index}].appLink` cannot be written without touching other parts of the plan"
        hint = "the value may be shared through an anchor: write it by hand, the file was left as it is"
        raise EditError(message, hint=hint)
    return changed


def _only_app_link_changed(before: AnyNode, after: str, index: int, values: Values) -> bool:
    """Return whether a text differs from what it was only by `values` in this one `appLink`."""
    expected = _content(before)
    instance = expected["instances"][index]
    written = {name: _as_text(value) for name, value in values.items()}
    link = instance.get("appLink")
    instance["appLink"] = (link if isinstance(link, dict) else {}) | written
    try:
        return bool(_content(_read(after)) == expected)
    except EditError:
        return False


def _content(node: AnyNode) -> Any:
    """Return the content of a node without its layout: mappings, lists, texts and None."""
    if isinstance(node, Entries):
        return {name: _content(value) for name, (_, value) in node.entries.items()}
    if isinstance(node, Items):
        return [_content(item) for item in node.items]
    return None if node.is_null else node.text


def _read(text: str) -> AnyNode:
    try:
        return read_document(text.encode("utf-8", "surrogatepass")).root
    except DocumentError as problem:
        raise EditError(f"the plan cannot be read: {problem}") from problem


# Finding where to write


def _instance(root: AnyNode, index: int) -> Entries:
    entry = _entry(root, "instances") if isinstance(root, Entries) else None
    listed = None if entry is None else entry[1]
    if not isinstance(listed, Items) or listed.is_alias or not 0 <= index < len(listed.items):
        raise EditError(f"the plan has no `instances[{index}]`")
    instance = listed.items[index]
    if not isinstance(instance, Entries) or instance.is_alias:
        message = f"`instances[{index}]` is not written out as a mapping"
        raise EditError(message, hint="an entry that is an alias is changed by hand")
    return instance


def _entry(mapping: Entries, name: str) -> tuple[Scalar, AnyNode] | None:
    """Return an entry written in the mapping itself: what `<<` merges in is written elsewhere."""
    entry = mapping.entries.get(name)
    return entry if entry is not None and mapping.start <= entry[0].start < mapping.end else None


def _is_block_scalar(node: AnyNode) -> bool:
    return isinstance(node, Scalar) and not node.is_alias and node.style in ("|", ">")


def _extent(text: str, node: AnyNode) -> tuple[int, int]:
    """Return where a value's text begins and ends, without comments and blank lines behind it."""
    last = node
    while not isinstance(last, Scalar) and not (last.is_alias or last.flow or last.last is None):
        last = last.last
    if last.start == last.end:
        # Parsers differ in the location of an empty value; here it is directly behind the colon.
        end = len(text[: last.end].rstrip())
        return min(node.start, end), end
    if _is_block_scalar(last):
        return node.start, last.start + len(text[last.start : last.end].rstrip())
    return node.start, last.end


# Writing


def _changes(text: str, instance: Entries, values: Values) -> list[_Change]:
    entry = _entry(instance, "appLink")
    if entry is None:
        return [_added(text, instance, {"appLink": values})]
    link = entry[1]
    if isinstance(link, Entries) and not link.is_alias:
        return _in_mapping(text, link, values)
    # Nothing, null or an alias: replaced as a whole.
    start, end = _extent(text, link)
    if instance.flow:
        written = f"{{{_flow_entries(values, as_json=_is_json(instance))}}}"
        return [(start, end, _spaced(text, start) + written)]
    lines = _block_lines(values, instance.key_column + 1, _newline(text))
    line_end = _line_end(text, end)
    before = len(text[:start].rstrip(" \t"))
    return [(line_end, line_end, lines), (before, end, "")]


def _in_mapping(text: str, link: Entries, values: Values) -> list[_Change]:
    as_json = link.flow and _is_json(link)
    changes: list[_Change] = []
    missing: dict[str, str | bool] = {}
    for name, value in values.items():
        entry = _entry(link, name)
        if entry is None:
            missing[name] = value
            continue
        old = entry[1]
        if not isinstance(old, Scalar) and not old.is_alias:
            raise EditError(f"`appLink.{name}` is not a single value; it is written by hand")
        start, end = _extent(text, old)
        unchanged = isinstance(old, Scalar) and old.text == _as_text(value)
        if unchanged and not old.is_alias and start < end:
            continue
        written = _spaced(text, start) + _scalar(value, name, as_json=as_json)
        changes.append((start, end, written + _header_comment(text, old)))
    # An addition behind a value that is replaced too has to be applied first.
    return [_added(text, link, missing), *changes] if missing else changes


def _header_comment(text: str, value: AnyNode) -> str:
    """Return the comment behind the `|` or `>` of a block scalar, with the spaces before it."""
    if not _is_block_scalar(value):
        return ""
    header, sign, comment = text[value.start : _line_end(text, value.start)].partition("#")
    return (header[len(header.rstrip()) :] + sign + comment).rstrip()


def _added(text: str, mapping: Entries, values: Nested) -> _Change:
    if not mapping.flow:
        end = _line_end(text, _extent(text, mapping)[1])
        return (end, end, _block_lines(values, mapping.key_column - 1, _newline(text)))
    written = _flow_entries(values, as_json=_is_json(mapping))
    if mapping.last is None:
        return (mapping.end - 1, mapping.end - 1, written)
    _, end = _extent(text, mapping.last)
    return (end, end, f", {written}")


def _block_lines(values: Nested, column: int, newline: str) -> str:
    lines = ""
    for name, value in values.items():
        lines += f"{newline}{' ' * column}{name}:"
        if isinstance(value, Mapping):
            lines += _block_lines(value, column + 2, newline)
        else:
            lines += f" {_scalar(value, name, as_json=False)}"
    return lines


def _flow_entries(values: Nested, *, as_json: bool) -> str:
    quote = '"' if as_json else ""
    entries = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            written = f"{{{_flow_entries(value, as_json=as_json)}}}"
        else:
            written = _scalar(value, name, as_json=as_json)
        entries.append(f"{quote}{name}{quote}: {written}")
    return ", ".join(entries)


def _as_text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _scalar(value: str | bool, name: str, *, as_json: bool) -> str:
    if isinstance(value, bool):
        return _as_text(value)
    if not as_json and _PLAIN.match(value):
        node = yaml.compose(value, Loader=_LOADER)
        if name == "at" or (node is not None and node.tag == _STR_TAG):
            return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _is_json(mapping: Entries) -> bool:
    return bool(mapping.entries) and all(key.style == '"' for key, _ in mapping.entries.values())


def _spaced(text: str, at: int) -> str:
    """Return the space that a value needs where it follows a colon directly."""
    return " " if at and text[at - 1] == ":" else ""


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    end = found if found >= 0 else len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end
