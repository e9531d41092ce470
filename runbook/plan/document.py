"""YAML text -> nodes that know their location; their types are not guessed.

In: the bytes of one file. Out: a tree of `Scalar`, `Items` and `Entries`, what was odd about the
text, and a map from paths to locations. One pass over PyYAML's events (libyaml's where it is there)
keeps the line and column of every value, sees duplicate keys, and enforces the limits early.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from runbook.errors import PlanError
from runbook.plan.model import Location

SIZE_LIMIT_BYTES = 16 * 1024 * 1024
DEPTH_LIMIT = 64
NODE_LIMIT = 1_000_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
KEY_MARK = "!key"
_NEUTRAL_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str"})


class DocumentError(PlanError):
    """The text is not a readable document; `line` and `column` start at 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.column = column


class Node:
    """A value of the document; line and column start at 1.

    `start` and `end` are offsets into the text, the end exclusive; a block's end lies behind the
    comments that follow it. `size` counts the nodes below it, each alias as often as it is used.
    """

    __slots__ = ("column", "end", "is_alias", "line", "size", "start", "tag")

    def __init__(self, event: Any) -> None:
        mark = event.start_mark
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1
        self.start: int = mark.index
        self.end: int = event.end_mark.index
        self.is_alias = False
        self.size = 1
        self.tag: str | None = event.tag


class Scalar(Node):
    """Text as written; `style` is its quote or block indicator, empty for plain text."""

    __slots__ = ("style", "text")

    def __init__(self, event: Any) -> None:
        super().__init__(event)
        self.text: str = event.value
        self.style: str = event.style or ""

    @property
    def is_null(self) -> bool:
        """Return whether the value is one of YAML's spellings of null."""
        return not self.style and self.text in _NULLS


class Collection(Node):
    """A list or a mapping; `flow` means written in brackets, `last` is the node that ends it."""

    __slots__ = ("flow", "last")

    def __init__(self, event: Any) -> None:
        super().__init__(event)
        self.flow: bool = event.flow_style
        self.last: AnyNode | None = None


class Items(Collection):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, event: Any) -> None:
        super().__init__(event)
        self.items: list[Any] = []


class Entries(Collection):
    """A mapping; of duplicate keys the first is kept. `pending` is the key without a value so far.

    `key_column` is where its keys begin, which in a block is the same for all of them.
    """

    __slots__ = ("entries", "inherited", "key_column", "pending")

    def __init__(self, event: Any) -> None:
        super().__init__(event)
        self.key_column = 1
        self.entries: dict[str, tuple[Scalar, AnyNode]] = {}
        self.inherited: list[tuple[Scalar, AnyNode]] = []
        self.pending: Scalar | None = None


AnyNode: TypeAlias = Scalar | Items | Entries
OddityKind: TypeAlias = Literal["duplicate", "key", "tag", "merge"]


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that YAML allows and a plan does not allow."""

    kind: OddityKind
    message: str
    node: Node


@dataclass(slots=True)
class Document:
    """One document: its root, what was odd, and its text without a byte order mark."""

    root: AnyNode
    text: str
    oddities: list[Oddity] = field(default_factory=list)


class SourceMap(Mapping[str, Location]):
    """The locations of a document by path (`instances[2].migratedFrom`), of keys by `<path>!key`.

    Nothing is stored per value: most plans are asked for a handful of locations.
    """

    def __init__(self, root: AnyNode) -> None:
        self._root = root

    def __getitem__(self, path: str) -> Location:
        """Return the location; raise `KeyError` where the document has nothing at that path."""
        key, node, whole = self._walk(path.removesuffix(KEY_MARK))
        found = key if path.endswith(KEY_MARK) else node
        if not whole or found is None:
            raise KeyError(path)
        return Location(found.line, found.column)

    def nearest(self, path: str) -> AnyNode:
        """Return the node at a path, the nearest one above it where it is absent."""
        return self._walk(path)[1]

    def _walk(self, path: str) -> tuple[Scalar | None, AnyNode, bool]:
        """Return the key and the node that a path leads to, and whether it leads to its end."""
        key: Scalar | None = None
        node, position = self._root, 0
        while position < len(path):
            step = _STEP.match(path, position)
            if step is None:
                return key, node, False
            position = step.end()
            name, index = step.groups()
            if name is not None and isinstance(node, Entries) and name in node.entries:
                key, node = node.entries[name]
            elif index is not None and isinstance(node, Items) and int(index) < len(node.items):
                key, node = None, node.items[int(index)]
            else:
                return key, node, False
        return key, node, True

    def __iter__(self) -> Iterator[str]:
        """Yield every path, in file order; those of keys behind those of their values."""
        trail: list[tuple[str, Scalar | None, AnyNode]] = [("", None, self._root)]
        while trail:
            path, key, node = trail.pop()
            if path:
                yield path
                if key is not None:
                    yield path + KEY_MARK
            below: list[tuple[str, Scalar | None, AnyNode]] = []
            if isinstance(node, Entries):
                prefix = f"{path}." if path else ""
                below = [(prefix + name, *entry) for name, entry in node.entries.items()]
            elif isinstance(node, Items):
                below = [(f"{path}[{i}]", None, item) for i, item in enumerate(node.items)]
            trail.extend(reversed(below))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read_bytes(path: Path) -> bytes:
    """Return a plan file's bytes.

    Raises:
        DocumentError: the file is not there, cannot be read, or is larger than a plan can be.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        message = f"there is no file `{path}`"
        raise DocumentError(message, hint="`runbook init` writes a plan to start from") from None
    except (OSError, ValueError) as problem:
        words = getattr(problem, "strerror", None) or str(problem)
        message = f"cannot read `{path}`: {words}"
        raise DocumentError(message, hint="check the path and its permissions") from None
    return data


def read_document(data: bytes) -> Document:
    """Return the nodes of one YAML document.

    Raises:
        DocumentError: not UTF-8 text, not YAML, more than one document, or over a limit.
    """
    text = _text_of(data)
    try:
        return _Builder(text).build()
    except yaml.MarkedYAMLError as problem:
        raise _syntax_error(problem, text) from None
    except yaml.YAMLError as problem:
        raise DocumentError(f"not YAML: {_one_line(str(problem))}") from None


def _text_of(data: bytes) -> str:
    if len(data) > SIZE_LIMIT_BYTES:
        message = (
            f"the file is larger than {SIZE_LIMIT_BYTES // 1024 // 1024} MiB, more than any plan"
        )
        raise DocumentError(message, hint="is this the plan, and not an export or a log?")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        message = "the file is not UTF-8 text (it looks like UTF-16 or a binary file)"
        hint = "save it as UTF-8; in PowerShell: `Set-Content -Encoding utf8`"
        raise DocumentError(message, hint=hint)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        before = data[: problem.start].decode("utf-8-sig", "replace")
        message = f"byte 0x{data[problem.start]:02x} is not UTF-8"
        hint = "save the file as UTF-8; it may be Latin-1 or Windows-1252"
        raise DocumentError(message, *_end_of(before), hint=hint) from None
    odd = _NOT_PRINTABLE.search(text)
    if odd is not None:
        message = f"control character U+{ord(odd.group()):04X}, which YAML does not allow"
        where = _end_of(text[: odd.start()])
        raise DocumentError(message, *where, hint="remove it; is this a text file?")
    return text


def _end_of(before: str) -> tuple[int, int]:
    lines = LINE_END.split(before)
    return len(lines), len(lines[-1]) + 1


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _syntax_error(problem: yaml.MarkedYAMLError, text: str) -> DocumentError:
    mark = problem.problem_mark or problem.context_mark
    line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
    lines = LINE_END.split(text)
    source = lines[line - 1] if line <= len(lines) else ""
    indent = source[: len(source) - len(source.lstrip())]
    if "\t" in indent or source[column - 1 : column] == "\t":
        message = "a tab stands where YAML wants spaces"
        hint = "indent with spaces; most editors can convert tabs"
        return DocumentError(message, line, source.index("\t") + 1, hint=hint)
    words = _one_line(problem.problem or "it cannot be read")
    where = "" if problem.context is None else f" ({_one_line(problem.context)})"
    hint = "check the indentation, quotes and brackets at and above this line"
    return DocumentError(f"not YAML: {words}{where}", line, column, hint=hint)


class _Builder:
    """The one pass: events in, nodes out."""

    def __init__(self, text: str) -> None:
        self._document = Document(root=_NOTHING, text=text)
        self._anchors: dict[str, AnyNode | None] = {}
        self._stack: list[Items | Entries] = []
        self._open_anchors: list[str | None] = []
        self._count = 0

    def build(self) -> Document:
        loader = _LOADER(self._document.text)
        try:
            while not isinstance(event := loader.get_event(), yaml.StreamEndEvent):
                self._take(event)
        finally:
            loader.dispose()
        if self._document.root is _NOTHING:
            message = "the plan is empty"
            raise DocumentError(message, hint="`runbook init` writes a plan to start from")
        return self._document

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._add(Scalar(event), event.anchor)
        elif kind is yaml.MappingStartEvent:
            self._open(Entries(event), event.anchor)
        elif kind is yaml.SequenceStartEvent:
            self._open(Items(event), event.anchor)
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind in (yaml.MappingEndEvent, yaml.SequenceEndEvent):
            self._close(event)
        elif kind is yaml.DocumentStartEvent and self._document.root is not _NOTHING:
            message = "a second document starts here; a file holds one plan"
            hint = "put the second plan into a file of its own"
            raise DocumentError(
                message, event.start_mark.line + 1, event.start_mark.column + 1, hint=hint
            )

    def _open(self, node: Items | Entries, anchor: str | None) -> None:
        if len(self._stack) >= DEPTH_LIMIT:
            message = f"nested more than {DEPTH_LIMIT} levels deep"
            raise DocumentError(message, node.line, node.column, hint="a plan needs six levels")
        if anchor is not None:
            self._anchors[anchor] = None
        self._stack.append(node)
        self._open_anchors.append(anchor)

    def _close(self, event: Any) -> None:
        node, anchor = self._stack.pop(), self._open_anchors.pop()
        node.end = event.end_mark.index
        if isinstance(node, Entries):
            for key, value in node.inherited:
                node.entries.setdefault(key.text, (key, value))
        self._add(node, anchor)

    def _alias(self, event: Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        target = self._anchors.get(event.anchor, _NOTHING)
        if target is None:
            raise DocumentError(f"`*{event.anchor}` stands inside itself", line, column)
        if target is _NOTHING:
            message = f"`*{event.anchor}` names no anchor above it"
            hint = f"write `&{event.anchor}` before the value it stands for"
            raise DocumentError(message, line, column, hint=hint)
        node = copy.copy(target)
        node.tag = None
        node.line, node.column = line, column
        node.start, node.end = event.start_mark.index, event.end_mark.index
        node.is_alias = True
        self._add(node, None)

    def _add(self, node: AnyNode, anchor: str | None) -> None:
        self._count += 1
        if self._count > NODE_LIMIT or node.size > NODE_LIMIT:
            message = f"more than {NODE_LIMIT:,} values, each alias counted as often as it is used"
            hint = "aliases that multiply each other are refused"
            raise DocumentError(message, node.line, node.column, hint=hint)
        if node.tag not in _NEUTRAL_TAGS:
            tag = re.sub(r"\Atag:yaml\.org,2002:", "!!", str(node.tag))
            self._odd("tag", f"the tag `{tag}` means nothing in a plan", node)
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._document.root = node
            return
        parent = self._stack[-1]
        parent.size += node.size
        parent.last = node
        if isinstance(parent, Items):
            parent.items.append(node)
        else:
            self._add_to_mapping(parent, node)

    def _add_to_mapping(self, parent: Entries, node: AnyNode) -> None:
        key = parent.pending
        if key is None:
            parent.key_column = node.column
            parent.pending = node if isinstance(node, Scalar) else _NO_KEY
            if parent.pending is _NO_KEY:
                self._odd("key", "a key must be plain text", node)
            return
        parent.pending = None
        if key is _NO_KEY:
            return
        if not key.style and key.text == "<<":
            self._merge(parent, node)
            return
        first, _ = parent.entries.setdefault(key.text, (key, node))
        if first is not key:
            self._odd("duplicate", f"`{key.text}` was already given on line {first.line}", key)

    def _merge(self, parent: Entries, node: AnyNode) -> None:
        sources = node.items if isinstance(node, Items) else [node]
        for source in sources:
            if not isinstance(source, Entries):
                self._odd("merge", "`<<` takes a mapping, or a list of them", node)
                return
            parent.inherited.extend(source.entries.values())

    def _odd(self, kind: OddityKind, message: str, node: Node) -> None:
        self._document.oddities.append(Oddity(kind, message, node))


# Markers, which are only compared by identity.
_NOTHING, _NO_KEY = object.__new__(Scalar), object.__new__(Scalar)
