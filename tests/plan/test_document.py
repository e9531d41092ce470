"""A plan's text becomes nodes with places, or one clear error with a place, quickly."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.errors import PlanError
from runbook.plan import document
from runbook.plan.document import DocumentError, Entries, Items, Scalar, read_document

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)

UNREADABLE = {
    "an empty file": (b"", 1, 1, "empty"),
    "a file with only comments": (b"# nothing\n\n", 1, 1, "empty"),
    "a tab in the indentation": (b"sites:\n\t- url: x\n", 2, 1, "tab"),
    "an unclosed bracket": (b"a: [1,\nb: 2\n", 3, 1, "not YAML"),
    "an unclosed quote": (b'a: "x\nb: 2\n', 3, 1, "not YAML"),
    "two keys on one line": (b"a: b: c\n", 1, 5, "not YAML"),
    "UTF-16 with a mark": ("a: b\n".encode("utf-16"), 1, 1, "UTF-16"),
    "UTF-16 without a mark": ("a: b\n".encode("utf-16-le"), 1, 1, "UTF-16"),
    "Latin-1": ("a: b\nname: Müller\n".encode("latin-1"), 2, 8, "not UTF-8"),
    "a null byte": (b"a: b\nc: \x00\n", 2, 4, "U+0000"),
    "an escape character": (b"a: \x1b[31m\n", 1, 4, "U+001B"),
    "a program": (b"\x7fELF\x02\x01\x01\x00\x00\x00", 1, 1, "U+007F"),
    "two documents": (b"a: 1\n---\nb: 2\n", 2, 1, "second document"),
    "an alias bomb": (BOMB.encode(), None, None, "aliases that multiply"),
    "two hundred levels": (b"[" * 200 + b"]" * 200, 1, 65, "levels deep"),
    "two hundred levels of block lists": (b"- " * 200 + b"x", 1, 129, "levels deep"),
    "an alias without its anchor": (b"a: *b\n", 1, 4, "names no anchor"),
    "an alias inside itself": (b"a: &a [*a]\n", 1, 8, "inside itself"),
    "more than 16 MiB": (b"a: b\n" * 4_000_000, 1, 1, "larger than 16 MiB"),
}


@pytest.mark.parametrize(
    ("data", "line", "column", "words"), UNREADABLE.values(), ids=UNREADABLE.keys()
)
def test_what_cannot_be_read_is_one_error_with_its_place(data, line, column, words):
    # Processor time: what else the machine does meanwhile says nothing about the reader.
    began = time.process_time()
    with pytest.raises(DocumentError) as caught:
        read_document(data)
    assert time.process_time() - began < 1.0
    assert words in f"{caught.value} {caught.value.hint}"
    if line is not None:
        assert (caught.value.line, caught.value.column) == (line, column)
    assert isinstance(caught.value, PlanError)


def test_every_node_stands_where_it_was_written():
    root = read_document(b"a: 1\nbb:\n  - x\n  - {c: 'd'}\n").root
    assert isinstance(root, Entries)
    listed = root.entries["bb"][1]
    assert isinstance(listed, Items)
    inner = listed.items[1]
    assert (listed.line, listed.column) == (3, 3)
    assert (inner.line, inner.column) == (4, 5)
    key, value = inner.entries["c"]
    assert (key.column, value.column, value.style) == (6, 9, "'")


def test_a_byte_order_mark_moves_nothing():
    root = read_document(b"\xef\xbb\xbfa: 1\n").root
    assert root.entries["a"][1].column == 4


def test_characters_count_not_bytes():
    root = read_document("{ä€😀: b}\n".encode()).root
    assert root.entries["ä€😀"][1].column == 7


def test_an_alias_stands_where_it_is_used():
    root = read_document(b"a: &x {k: v}\nb: *x\n").root
    used = root.entries["b"][1]
    assert (used.line, used.column) == (2, 4)
    assert used.entries["k"][1].text == "v"


def test_merge_keys_fill_what_is_absent():
    root = read_document(b"a: &x {k: v, m: 1}\nb: {<<: *x, k: own}\n").root
    merged = root.entries["b"][1].entries
    assert {key: value.text for key, (_, value) in merged.items()} == {"k": "own", "m": "1"}


def test_of_duplicate_keys_the_first_is_kept_and_the_second_named():
    read = read_document(b"a: 1\nb: 2\na: 3\n")
    assert read.root.entries["a"][1].text == "1"
    (odd,) = read.oddities
    assert (odd.kind, odd.node.line, odd.node.column) == ("duplicate", 3, 1)


def test_the_slow_loader_reads_the_same(monkeypatch):
    import yaml

    data = b"a: &x {k: [v, 'w']}\nb: *x\nc: >\n  long\n  text\n"

    def places(node):
        if isinstance(node, Scalar):
            return (node.text, node.style, node.line, node.column)
        if isinstance(node, Items):
            return [places(item) for item in node.items]
        return {key: places(value) for key, (_, value) in node.entries.items()}

    fast = places(read_document(data).root)
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    assert places(read_document(data).root) == fast


def error_of(data: bytes) -> DocumentError | None:
    """Return how a document is refused, None where it is read."""
    try:
        read_document(data)
    except DocumentError as problem:
        return problem
    return None


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    problem = error_of(data)
    assert problem is None or (problem.line >= 1 and problem.column >= 1)


@given(st.text(alphabet="ab:-[]{},&*!|>'\"\n \t#?%@`<", max_size=120))
def test_any_text_of_yaml_characters_is_read_or_refused(text):
    problem = error_of(text.encode())
    assert problem is None or problem.line <= text.count("\n") + 2
