"""Where the value at a path stands, looked up in the document when somebody asks."""

import re
from collections.abc import Iterator, Mapping

from runbook.plan.document import AnyNode, Entries, Items, Scalar
from runbook.plan.model import Place

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
KEY_MARK = "!key"


class Places(Mapping[str, Place]):
    """The places of a document by path (`instances[2].migratedFrom`), of a key by `<path>!key`.

    Nothing is stored per value: most plans are asked for a handful of places.
    """

    def __init__(self, root: AnyNode) -> None:
        self._root = root

    def __getitem__(self, path: str) -> Place:
        """Return the place.

        Raises:
            KeyError: the document has nothing at that path.
        """
        key, node, whole = self._walk(path.removesuffix(KEY_MARK))
        found = key if path.endswith(KEY_MARK) else node
        if not whole or found is None:
            raise KeyError(path)
        return Place(found.line, found.column)

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
            if isinstance(node, Entries):
                below: list[tuple[str, Scalar | None, AnyNode]] = [
                    (f"{path}.{name}" if path else name, key_node, value)
                    for name, (key_node, value) in node.entries.items()
                ]
            elif isinstance(node, Items):
                below = [(f"{path}[{i}]", None, value) for i, value in enumerate(node.items)]
            else:
                below = []
            trail.extend(reversed(below))

    def __len__(self) -> int:
        return sum(1 for _ in self)
