"""Redaction replaces e-mails, account ids and titles consistently, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.canonical import canonical_json
from runbook.ledger.codec import Row
from runbook.report.redact import REMOVED, Redactor, redact_rows

ACCOUNT = "557058:f58131cb-b67d-43c7-b30d-6b58d40bd077"


def redacted(value: object) -> object:
    redactor = Redactor()
    redactor.collect(value)
    return redactor.value(value)


CASES = {
    "an e-mail inside a sentence": (
        "told by jane.roe@contoso.example.",
        "told by person-1@redacted.invalid.",
    ),
    "an e-mail in a URL": (
        "/x?user=jane%40contoso.example&y",
        "/x?user=person-1@redacted.invalid&y",
    ),
    "an account id with a UUID": (f"by {ACCOUNT}", "by account-1"),
    "an account id of 24 digits in a URL": (
        "?accountId=5b10ac8d82e05b22cc7d4ef5",
        "?accountId=account-1",
    ),
    "any value under accountId": ({"accountId": "odd"}, {"accountId": "account-1"}),
    "a title": ({"object": {"title": "Fire Bob"}}, {"object": {"title": "title-1"}}),
    "a summary": ({"summary": "Fire Bob"}, {"summary": "title-1"}),
    "a display name": ({"displayName": "Bob B."}, {"displayName": "name-1"}),
    "JSON inside text": ('{"summary": "Fire Bob"}', '{"summary": "title-1"}'),
    "bytes that are no text": ({"body_base64": "AAAA"}, {"body_base64": REMOVED}),
    "an e-mail as a key": ({"a@b.example": 1}, {"person-1@redacted.invalid": 1}),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES)
def test_what_is_replaced(before, after):
    assert redacted(before) == after


STAYS = {
    "an issue key as a title": {"title": "OPS-77"},
    "a job's UUID": "f58131cb-b67d-43c7-b30d-6b58d40bd077",
    "a hash": "a" * 64,
    "a moment": "2026-11-20T09:15:00+01:00",
    "an address": "https://contoso-eng.atlassian.net/browse/ENG-1",
    "numbers and nothing": [1, 2.5, None, True],
    "text that only looks like JSON": "[not json",
}


@pytest.mark.parametrize("value", STAYS.values(), ids=STAYS)
def test_what_stays(value):
    assert redacted(value) == value


def test_equal_values_get_equal_stand_ins_in_any_spelling_and_place():
    value = [
        "JANE@x.example",
        {"detail": "jane@x.example wrote Fire Bob now"},
        "jane%40x.example",
        {"title": "Fire Bob"},
        "joe@x.example",
    ]
    assert redacted(value) == [
        "person-1@redacted.invalid",
        {"detail": "person-1@redacted.invalid wrote title-1 now"},
        "person-1@redacted.invalid",
        {"title": "title-1"},
        "person-2@redacted.invalid",
    ]


def test_json_that_is_nested_too_deeply_to_read_is_left_out():
    deep = "[" * 500 + '{"title": "Fire Bob"}' + "]" * 500
    assert redacted({"body": deep}) == {"body": REMOVED}
    closed = "[" * 100_000 + "]" * 100_000
    assert redacted({"body": closed}) == {"body": REMOVED}


def row(seq: int, value: object) -> Row:
    payload = canonical_json(value).decode()
    return Row(
        seq=seq,
        at="2026-11-20T00:00:00Z",
        kind="x",
        run="r",
        job=None,
        payload=payload,
        hash="h" * 64,
    )


def test_rows_keep_their_hash_and_the_changed_ones_are_named():
    rows, changed = redact_rows([row(1, {"a": 1}), row(2, {"by": "a@b.example"})])
    assert changed == {2}
    assert rows[0] == row(1, {"a": 1})
    assert json.loads(rows[1].payload) == {"by": "person-1@redacted.invalid"}
    assert rows[1].hash == "h" * 64


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["title", "body", "accountId", "x"]), inner)
    ),
    max_leaves=20,
)


@given(value=JSON)
def test_no_planted_email_survives_and_the_result_is_the_same_each_time(value):
    canary = "canary@secret.example"
    planted = {"deep": [value, {"body": json.dumps({"mail": canary})}], "x": canary}
    once = redacted(planted)
    assert canary not in json.dumps(once)
    assert redacted(planted) == once
