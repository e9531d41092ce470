"""What makes two records of a remote link equal, and what is sent of one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.remotelinks.model import (
    HASH_DIGITS,
    Change,
    RecordedLink,
    content_hash,
    differences,
    writable,
)
from runbook.remotelinks.snapshot_file import link_row

RECORD = {
    "id": 10000,
    "self": "https://x.example/rest/api/issue/ENG-1/remotelink/10000",
    "globalId": "appId=5&issueId=7",
    "relationship": "blocks",
    "object": {"url": "https://x.example/browse/X-1", "title": "X-1", "icon": {}},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
records = st.dictionaries(st.text(max_size=6), json_values, max_size=6)


def test_a_record_is_read_with_its_unknown_fields() -> None:
    link = link_row("https://x.example", "ENG-1", RECORD | {"odd": [1]})
    assert (link.link_id, link.global_id, link.title) == (10000, "appId=5&issueId=7", "X-1")
    record = json.loads(link.record)
    assert record["odd"] == [1]
    assert "self" not in writable(record)
    assert "id" not in writable(record)


@pytest.mark.parametrize(
    "record", [None, [], "x", {}, {"id": "x", "object": {}}, {"id": 1}, {"id": 1, "object": "x"}]
)
def test_what_is_no_link_is_refused(record: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        link_row("https://x.example", "ENG-1", record)


def test_a_new_id_and_fields_that_say_nothing_change_no_hash() -> None:
    other = {
        **RECORD,
        "id": 77,
        "self": "elsewhere",
        "application": None,
        "object": {"url": RECORD["object"]["url"], "title": "X-1", "summary": None},
    }
    assert content_hash(RECORD) == content_hash(other)
    assert content_hash(RECORD) != content_hash(RECORD | {"relationship": "is blocked by"})


@given(records, records)
def test_records_differ_exactly_where_their_hashes_do(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (content_hash(one) == content_hash(other)) == (not differences(one, other))
    assert differences(one, one) == ()


def test_a_difference_names_what_is_lost_changed_and_new() -> None:
    after = {
        "relationship": "blocks",
        "object": {"url": "https://x.example/browse/X-2", "title": "X-1", "summary": "S"},
    }
    assert differences(RECORD, after) == (
        Change("globalId", "appId=5&issueId=7", None),
        Change("object.summary", None, "S"),
        Change("object.url", "https://x.example/browse/X-1", "https://x.example/browse/X-2"),
    )


def test_an_arrived_link_is_read_from_its_line_as_it_was_written() -> None:
    link = RecordedLink("ENG-1", 10000, "a" * 64, True, "b" * 64)
    short = link._replace(hash="a" * HASH_DIGITS, before="b" * HASH_DIGITS)
    other = RecordedLink("ENG-2", 7, "c" * HASH_DIGITS, False, "absent")
    lines = f"no such line\n{link.line()}\n{other.line()}"
    assert list(RecordedLink.in_lines(lines)) == [short, other]
