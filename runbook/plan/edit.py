"""Write an attestation into a plan's text and leave everything else of it untouched.

In: the text of a plan that was read without structural errors, the index of an instance, the values
of its `appLink`. Out: the new text. Comments, layout, quotes and line ends are kept, since only the
characters of the values themselves are replaced or added. The result is read again, and unless it
differs from what was there in this one `appLink` and in nothing else, it is refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from runbook.errors import PlanError
from runbook.plan.document import AnyNode, DocumentError, Entries, Items, Scalar, read_document

APP_LINK_KEYS = ("authorized", "as", "by", "at", "evidence")

_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(r"\w(?:[\w@./+-]|:(?=[\w@./+-])| (?=[\w@./+-]))*\Z")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_STR_TAG = "tag:yaml.org,2002:str"
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Values = Mapping[str, str | bool]


class EditError(PlanError):
    """The plan's text cannot be changed safely; it is left as it is."""


@dataclass(frozen=True, slots=True)
class _Change:
    """Replace the characters from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


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
        raise EditError(
            "the plan's lines end with a carriage return alone, so it is not written to",
            hint="save it with the line ends of Unix or Windows, then run the same command again",
        )
    ordered = {key: values[key] for key in APP_LINK_KEYS if key in values}
    root = _read(text)
    changed = text
    changes = _changes(text, _instance(root, index), ordered)
    for change in sorted(changes, key=lambda change: change.start, reverse=True):
        changed = changed[: change.start] + change.text + changed[change.end :]
    if not _only_app_link_changed(root, changed, index, ordered):
        raise EditError(
            f"`instances[{index}].appLink` cannot be written without touching other parts of the plan",
            hint="the value may be shared through an anchor: write it by hand, the file was left as it is",
        )
    return changed


def _only_app_link_changed(before: AnyNode, after: str, index: int, values: Values) -> bool:
    """Return whether a text says what was there before, but for `values` in this one `appLink`."""
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
    """Return what a node says, whatever its layout: mappings, lists, texts and None."""
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


# Finding the place


def _instance(root: AnyNode, index: int) -> Entries:
    entry = _entry(root, "instances") if isinstance(root, Entries) else None
    listed = None if entry is None else entry[1]
    if not isinstance(listed, Items) or listed.is_alias or not 0 <= index < len(listed.items):
        raise EditError(f"the plan has no `instances[{index}]`")
    instance = listed.items[index]
    if not isinstance(instance, Entries) or instance.is_alias:
        raise EditError(
            f"`instances[{index}]` is not written out as a mapping",
            hint="an entry that is an alias is changed by hand",
        )
    return instance


def _entry(mapping: Entries, name: str) -> tuple[Scalar, AnyNode] | None:
    """Return the entry that is written in a mapping itself: what `<<` brings stands elsewhere."""
    entry = mapping.entries.get(name)
    return entry if entry is not None and mapping.start <= entry[0].start < mapping.end else None


def _is_block_scalar(node: AnyNode) -> bool:
    return isinstance(node, Scalar) and not node.is_alias and node.style in ("|", ">")


def _extent(text: str, node: AnyNode) -> tuple[int, int]:
    """Return where a value's characters begin and end, without comments and blank lines behind it."""
    last = node
    while not isinstance(last, Scalar) and not (last.is_alias or last.flow or last.last is None):
        last = last.last
    if last.start == last.end:
        # Parsers differ in where a value without text stands; here it is directly behind the colon.
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
    # Nothing, null or an alias: written anew as a whole.
    start, end = _extent(text, link)
    if instance.flow:
        written = _flow_mapping(values, as_json=_is_json(instance))
        return [_Change(start, end, _spaced(text, start) + written)]
    lines = _block_lines(values, instance.key_column + 1, _newline(text))
    line_end = _line_end(text, end)
    before = len(text[:start].rstrip(" \t"))
    return [_Change(line_end, line_end, lines), _Change(before, end, "")]


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
        is_said = isinstance(old, Scalar) and old.text == _as_text(value) and start < end
        if is_said and not old.is_alias:
            continue
        written = _spaced(text, start) + _scalar(value, name, as_json=as_json)
        changes.append(_Change(start, end, written + _header_comment(text, old)))
    # What is added behind a value that is replaced too has to be applied first.
    return [_added(text, link, missing), *changes] if missing else changes


def _header_comment(text: str, value: AnyNode) -> str:
    """Return the comment behind the `|` or `>` of a block scalar, with the spaces before it."""
    if not _is_block_scalar(value):
        return ""
    header = text[value.start : _line_end(text, value.start)]
    comment = header.find("#")
    if comment < 0:
        return ""
    return header[len(header[:comment].rstrip()) :].rstrip()


def _added(text: str, mapping: Entries, values: "Mapping[str, str | bool | Values]") -> _Change:
    if not mapping.flow:
        end = _line_end(text, _extent(text, mapping)[1])
        return _Change(end, end, _block_lines(values, mapping.key_column - 1, _newline(text)))
    as_json = _is_json(mapping)
    written = ", ".join(
        f"{_key(name, as_json=as_json)}: "
        + (
            _flow_mapping(value, as_json=as_json)
            if isinstance(value, Mapping)
            else _scalar(value, name, as_json=as_json)
        )
        for name, value in values.items()
    )
    if mapping.last is None:
        inside = mapping.end - 1
        return _Change(inside, inside, written)
    _, end = _extent(text, mapping.last)
    return _Change(end, end, f", {written}")


def _block_lines(values: "Mapping[str, str | bool | Values]", column: int, newline: str) -> str:
    lines: list[str] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += [f"{newline}{' ' * column}{name}:", _block_lines(value, column + 2, newline)]
        else:
            lines.append(f"{newline}{' ' * column}{name}: {_scalar(value, name, as_json=False)}")
    return "".join(lines)


def _flow_mapping(values: Values, *, as_json: bool) -> str:
    written = (
        f"{_key(name, as_json=as_json)}: {_scalar(value, name, as_json=as_json)}"
        for name, value in values.items()
    )
    return "{" + ", ".join(written) + "}"


def _key(name: str, *, as_json: bool) -> str:
    return f'"{name}"' if as_json else name


def _as_text(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _scalar(value: str | bool, name: str, *, as_json: bool) -> str:
    if isinstance(value, bool):
        return _as_text(value)
    if not as_json and _PLAIN.match(value) and (name == "at" or _read_as_text(value)):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _read_as_text(value: str) -> bool:
    node = yaml.compose(value, Loader=_LOADER)
    return node is not None and node.tag == _STR_TAG


def _is_json(mapping: Entries) -> bool:
    return bool(mapping.entries) and all(key.style == '"' for key, _ in mapping.entries.values())


def _spaced(text: str, at: int) -> str:
    """Return the space that a value needs where it follows a colon directly."""
    return " " if at and text[at - 1] == ":" else ""


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    if end < 0:
        end = len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end
