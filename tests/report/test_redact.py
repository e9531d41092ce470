"""Redaction replaces e-mails, account ids and titles consistently, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.json_text import canonical_json
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


EMAILS = {
    "encoded twice in a URL": "https://w.example/x?v=j.doe%2540contoso.example&z=1",
    "with an apostrophe": "https://w.example/x?v=o'brien@contoso.example&z=1",
    "with an HTML number for the @": "v=jane&#64;contoso.example&z=1",
    "with a hexadecimal HTML number for the @": "v=jane&#x0040;contoso.example&z=1",
    "with a JSON escape for the @": "v=jane\\u0040contoso.example&z=1",
    "with an apostrophe as HTML": "v=o&#39;brien@contoso.example&z=1",
    "with every character that a mailbox may have": "v=a!$'*+^`{|}~.b-c@contoso.example&z=1",
}


@pytest.mark.parametrize("text", EMAILS.values(), ids=EMAILS)
def test_an_email_is_replaced_as_a_whole_however_it_is_written(text):
    begin = text.index("v=") + 2
    assert redacted(text) == f"{text[:begin]}person-1@redacted.invalid&z=1"


SPELLINGS = {
    "in another case": "ABOUT FIRE BOB & JÖRG NOW",
    "in HTML": "about Fire Bob &amp; Jörg now",
    "in a URL": "/Fire%20Bob%20%26%20J%C3%B6rg",
    "in a form": "/Fire+Bob+%26+J%C3%B6rg",
    "in JSON's ASCII": "about Fire Bob & J\\u00f6rg now",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_a_title_is_replaced_in_every_spelling(text):
    (_, after) = redacted([{"title": "Fire Bob & Jörg"}, text])
    assert "title-1" in after
    assert "bob" not in after.lower()
    assert "rg" not in after.lower()


def test_an_account_id_of_any_form_is_learned_and_replaced_everywhere():
    value = [{"accountId": "qm:abc-def/9"}, "seen qm:abc-def/9 and qm%3Aabc-def%2F9"]
    assert redacted(value) == [{"accountId": "account-1"}, "seen account-1 and account-1"]


def test_an_account_id_in_a_header_is_replaced():
    value = {"headers": [["X-AAccountId", "qm%3Aabc"], ["date", "now"]], "x": "by qm:abc"}
    assert redacted(value) == {
        "headers": [["X-AAccountId", "account-1"], ["date", "now"]],
        "x": "by account-1",
    }


BODIES = {
    "with a byte order mark": '\ufeff{"title": "Secret"}',
    "as lines of JSON": '{"title": "Secret"}\n{"title": "Secret"}',
    "cut off": '[{"title": "Secr',
    "as a web page": "<!doctype html><title>Secret</title>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_whole_json_is_left_out(body):
    assert redacted({"status": 200, "body": body}) == {"status": 200, "body": REMOVED}


def test_an_empty_body_stays():
    assert redacted({"status": 204, "body": ""}) == {"status": 204, "body": ""}


def test_thousands_of_titles_are_still_replaced_inside_other_text():
    titles = [{"title": f"Secret number {number}"} for number in range(5000)]
    after = redacted([*titles, "see Secret number 4999 and Secret number 7"])
    assert "Secret" not in json.dumps(after)


def test_half_a_character_in_a_body_does_not_stop_redaction():
    rows, _ = redact_rows([row(1, {"body": '{"title": "Cut off here \\ud83d", "x": "\\ud83d"}'})])
    assert "Cut off" not in rows[0].payload


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
