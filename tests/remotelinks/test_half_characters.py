"""A title cut in the middle of an emoji, as JSON may hold it, stops neither reading nor writing."""

import hashlib

import pytest

from runbook.json_text import json_text
from runbook.remotelinks.model import content_hash
from runbook.simulator.model import SimAccount
from tests.remotelinks.nights import ENG, night

__all__ = ["night"]

SOMEBODY = SimAccount(email="somebody@contoso.example", token="x")
HALF = "cut at 255: \ud83d"


def test_the_hash_of_whole_text_is_that_of_its_utf_8() -> None:
    record = {"object": {"title": "Zürich 😀", "url": "https://x.example/"}}
    text = '{"object":{"title":"Zürich 😀","url":"https://x.example/"}}'
    assert json_text(record) == text
    assert content_hash(record) == hashlib.sha256(text.encode()).hexdigest()


def test_the_hash_of_half_a_character_is_that_of_its_escape() -> None:
    assert json_text({"a": "\ud83d"}) == '{"a":"\\ud83d"}'
    assert content_hash({"a": "\ud83d"}) != content_hash({"a": "\ud83e"})


@pytest.mark.parametrize("field", ["title", "relationship", "globalId"])
def test_a_link_with_half_a_character_is_read_verified_and_listed(night, field) -> None:
    one = night(links_per_pair=5, leave_out=0.2)
    made = one.made()
    record = {"globalId": "g1", "object": {"url": "https://x.example/", "title": "whole"}}
    if field == "title":
        record["object"]["title"] = HALF
    else:
        record[field] = HALF
    one.world.write_link(one.issue(made.source_key), record, SOMEBODY)
    taken = one.command(
        "snapshot", str(one.plan), "-o", str(one.folder / "a.snapshot"), "--links", str(one.csv)
    )
    assert taken.code == 0, taken.err
    assert one.verify().code in (0, 7, 8)
    for output_format in ("table", "json"):
        listed = one.on_ledger("links", "list", ENG, made.source_key, "--format", output_format)
        assert listed.code == 0, listed.err


def test_a_link_with_half_a_character_is_written(night) -> None:
    one = night(links_per_pair=5, leave_out=0.2)
    file = one.folder / "link.json"
    file.write_text(
        '{"globalId": "g\\ud83d", "object": {"url": "https://x.example/", "title": "\\ud83d"}}'
    )
    written = one.on_ledger("links", "set", ENG, "ENG-1", "--file", str(file), "--yes")
    assert written.code == 0, written.err
    titles = [
        link.record["object"]["title"]
        for link in one.issue("ENG-1").links.values()
        if "object" in link.record
    ]
    assert "\ud83d" in titles
