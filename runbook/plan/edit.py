"""Write an attestation into a plan's text and leave everything else of it untouched.

In: the text of a plan that was read without structural errors, the index of an instance, the values
of its `appLink`. Out: the new text. Comments, layout, quotes and line ends are kept, since only the
characters of the values themselves are replaced or added. The result is read again, and unless it
differs from what was there in this one `appLink` and in nothing else, it is refused.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runbook.errors import PlanError

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


@dataclass(slots=True)
class _Piece:
    """One scalar, alias or collection with its place in the text, in characters.

    A collection's `items` are its entries in turn, for a mapping key and value. Unlike a composed
    node, an alias stands here where it is written.
    """

    kind: str
    start: int
    end: int
    column: int
    value: str = ""
    style: str | None = None
    flow: bool = False
    items: "list[_Piece]" = field(default_factory=list)

    def entries(self) -> "Iterator[tuple[_Piece, _Piece]]":
        """Yield the keys and values of a mapping."""
        return zip(self.items[::2], self.items[1::2], strict=True)

    def entry(self, name: str) -> "tuple[_Piece, _Piece] | None":
        """Return the entry of a mapping with this key, None where it has none."""
        return next((pair for pair in self.entries() if pair[0].value == name), None)


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
    changes = _changes(text, _instance_piece(text, index), ordered)
    changed = text
    for change in sorted(changes, key=lambda one: one.start, reverse=True):
        changed = changed[: change.start] + change.text + changed[change.end :]
    if not only_app_link_changed(text, changed, index, ordered):
        raise EditError(
            f"`instances[{index}].appLink` cannot be written without touching other parts of the plan",
            hint="the value may be shared through an anchor: write it by hand, the file was left as it is",
        )
    return changed


# Proving


def only_app_link_changed(before: str, after: str, index: int, values: Values) -> bool:
    """Return whether two texts say the same but for `values` in `instances[index].appLink`."""
    try:
        old, new = _composed(before), _composed(after)
        old_links, new_links = _links(old), _links(new)
    except EditError:
        return False
    if len(old_links) != len(new_links) or not 0 <= index < len(old_links):
        return False
    shapes = _Shapes(with_links=False)
    if shapes.number(old) != shapes.number(new):
        return False
    whole = _Shapes(with_links=True)
    for position, (link_before, link_after) in enumerate(zip(old_links, new_links, strict=True)):
        if position != index and whole.optional(link_before) != whole.optional(link_after):
            return False
    wanted = _scalars(old_links[index]) | {name: _as_text(value) for name, value in values.items()}
    return _scalars(new_links[index]) == wanted


class _Shapes:
    """Number contents so that equal ones have equal numbers; an alias costs nothing twice."""

    def __init__(self, *, with_links: bool) -> None:
        self._with_links = with_links
        self._contents: dict[object, int] = {}
        # The nodes are kept, so that no id is used twice.
        self._seen: dict[int, tuple[yaml.Node, int]] = {}

    def optional(self, node: yaml.Node | None) -> int:
        return -1 if node is None else self.number(node)

    def number(self, node: yaml.Node) -> int:
        known = self._seen.get(id(node))
        if known is None:
            content = self._content(node)
            known = (node, self._contents.setdefault(content, len(self._contents)))
            self._seen[id(node)] = known
        return known[1]

    def _content(self, node: yaml.Node) -> object:
        if isinstance(node, yaml.MappingNode):
            pairs = [
                (self.number(key), self.number(value))
                for key, value in node.value
                if self._with_links or key.value != "appLink"
            ]
            return (node.tag, tuple(pairs))
        if isinstance(node, yaml.SequenceNode):
            return (node.tag, tuple(self.number(item) for item in node.value))
        return (node.tag, node.value)


def _composed(text: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError) as problem:
        raise EditError(f"the plan cannot be read: {problem}") from problem
    if not isinstance(root, yaml.MappingNode):
        raise EditError("the plan is not a mapping")
    return root


def _links(root: yaml.MappingNode) -> list[yaml.Node | None]:
    instances = next((value for key, value in root.value if key.value == "instances"), None)
    if not isinstance(instances, yaml.SequenceNode):
        raise EditError("the plan has no list of `instances`")
    return [
        next((value for key, value in one.value if key.value == "appLink"), None)
        if isinstance(one, yaml.MappingNode)
        else None
        for one in instances.value
    ]


def _scalars(node: yaml.Node | None) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {
        key.value: value.value if isinstance(value, yaml.ScalarNode) else "\0 no scalar"
        for key, value in node.value
    }


# Finding the place


def _instance_piece(text: str, index: int) -> _Piece:
    root = _pieces(text)
    entry = root.entry("instances") if root is not None and root.kind == "mapping" else None
    if entry is None or entry[1].kind != "sequence" or not 0 <= index < len(entry[1].items):
        raise EditError(f"the plan has no `instances[{index}]`")
    instance = entry[1].items[index]
    if instance.kind != "mapping":
        raise EditError(
            f"`instances[{index}]` is not written out as a mapping",
            hint="an entry that is an alias is changed by hand",
        )
    return instance


def _pieces(text: str) -> _Piece | None:
    """Return the text as a tree of pieces, None for an empty one."""
    top = _Piece("document", 0, 0, 0)
    trail = [top]
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                closed = trail.pop()
                if closed.flow:
                    closed.end = _place(event.end_mark)[0]
                elif closed.items:
                    # A block's end mark stands behind the comments that follow it.
                    closed.end = closed.items[-1].end
                continue
            piece = _piece(text, event)
            if piece is not None:
                trail[-1].items.append(piece)
                if isinstance(event, yaml.CollectionStartEvent):
                    trail.append(piece)
    except yaml.YAMLError as problem:
        raise EditError(f"the plan cannot be read: {problem}") from problem
    return top.items[0] if top.items else None


def _piece(text: str, event: yaml.Event) -> _Piece | None:
    if not isinstance(event, yaml.NodeEvent):
        return None
    (start, column), (end, _) = _place(event.start_mark), _place(event.end_mark)
    if isinstance(event, yaml.ScalarEvent):
        if event.style in ("|", ">"):
            end = start + len(text[start:end].rstrip())
        return _Piece("scalar", start, end, column, value=event.value, style=event.style)
    if isinstance(event, yaml.AliasEvent):
        return _Piece("alias", start, end, column)
    kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
    return _Piece(kind, start, end, column, flow=bool(getattr(event, "flow_style", False)))


def _place(mark: Any) -> tuple[int, int]:
    """Return the index and the column of a mark, both in characters."""
    return mark.index, mark.column


# Writing


def _changes(text: str, instance: _Piece, values: Values) -> list[_Change]:
    entry = instance.entry("appLink")
    if entry is None:
        return [_added(text, instance, {"appLink": values})]
    link = entry[1]
    if link.kind == "mapping" and (link.flow or link.items):
        return _in_mapping(text, link, values)
    # Nothing, null or an alias: written anew as a whole.
    old = link.end
    if instance.flow:
        written = _flow_mapping(values, as_json=_is_json(instance))
        return [_Change(link.start, old, _spaced(text, link.start) + written)]
    lines = _block_lines(values, _column_below(instance), _newline(text))
    start = len(text[: link.start].rstrip(" \t"))
    line_end = _line_end(text, old)
    return [_Change(line_end, line_end, lines), _Change(start, old, "")]


def _column_below(instance: _Piece) -> int:
    return instance.items[0].column + 2


def _in_mapping(text: str, link: _Piece, values: Values) -> list[_Change]:
    as_json = link.flow and _is_json(link)
    changes: list[_Change] = []
    missing: dict[str, str | bool] = {}
    for name, value in values.items():
        entry = link.entry(name)
        if entry is None:
            missing[name] = value
            continue
        old = entry[1]
        if old.kind not in ("scalar", "alias"):
            raise EditError(f"`appLink.{name}` is not a single value; it is written by hand")
        if old.kind == "scalar" and old.value == _as_text(value) and old.start < old.end:
            continue
        written = _spaced(text, old.start) + _scalar(value, name, as_json=as_json)
        changes.append(_Change(old.start, old.end, written + _header_comment(text, old)))
    # What is added behind a value that is replaced too has to be applied first.
    return [_added(text, link, missing), *changes] if missing else changes


def _header_comment(text: str, scalar: _Piece) -> str:
    """Return the comment behind the `|` or `>` of a block scalar, with the spaces before it."""
    if scalar.style not in ("|", ">"):
        return ""
    header = text[scalar.start : _line_end(text, scalar.start)]
    comment = header.find("#")
    if comment < 0:
        return ""
    return header[len(header[:comment].rstrip()) :].rstrip()


def _added(text: str, mapping: _Piece, values: "Mapping[str, str | bool | Values]") -> _Change:
    if not mapping.flow:
        column = mapping.items[0].column
        end = _line_end(text, mapping.items[-1].end)
        return _Change(end, end, _block_lines(values, column, _newline(text)))
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
    if not mapping.items:
        inside = mapping.end - 1
        return _Change(inside, inside, written)
    end = mapping.items[-1].end
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


def _is_json(mapping: _Piece) -> bool:
    return bool(mapping.items) and all(key.style == '"' for key, _ in mapping.entries())


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
