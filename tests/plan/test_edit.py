"""An attestation is written into the plan's text, and nothing else of the text changes."""

import difflib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.plan.edit import EditError, edit_plan_bytes, set_app_link

HEAD = """\
# the plan of the split
format: 1
name: contoso-split   # a comment
instances:
"""
VALUES = {
    "authorized": True,
    "as": "admin@contoso.example",
    "by": "J. Doe",
    "at": "2026-11-20T09:15:00+01:00",
    "evidence": "evidence/eng-to-ops.png",
}

BEFORE = {
    "block instance without an appLink, last of the file": """\
  - id: a
    productURL: https://a.atlassian.net   # holds the links
""",
    "block instance without an appLink, comments and blank lines behind it": """\
  - id: a
    needs: [b,
            c]   # in this order

  # the next direction
  - id: b
    productURL: https://b.atlassian.net
""",
    "no line break at the end of the file": "  - id: a",
    "open block appLink": """\
  - id: a
    appLink:
      authorized: false   # see the checklist
      # by: J. Doe
    createBackup: true
""",
    "block appLink that says everything": """\
  - id: a
    appLink:
      authorized: false
      as: "someone@else.example"   # quoted
      by: 'A. Other'
      at: 2026-01-01T00:00:00Z
      evidence: |
        old.png
    probe: []
""",
    "empty appLink": "  - id: a\n    appLink:\n    needs: []\n",
    "empty appLink with a comment": "  - id: a\n    appLink:   # open\n  - id: b\n",
    "null appLink": "  - id: a\n    appLink: null   # open\n  - id: b\n",
    "flow appLink": "  - id: a\n    appLink: {authorized: false}   # short\n  - id: b\n",
    "empty flow appLink": "  - id: a\n    appLink: {}\n",
    "flow appLink over several lines": """\
  - id: a
    appLink: {
      authorized: false,   # not yet
      by: ,
    }
  - id: b
""",
    "flow instance without an appLink": "  - {id: a, needs: [b]}\n  - {id: b}\n",
    "flow instance with an open appLink": "  - {id: a, appLink: {authorized: false}, needs: []}\n",
    "flow instance with a null appLink": "  - {id: a, appLink: null}\n",
    "flow instance with an appLink without a value": "  - {id: a, appLink: , needs: []}\n",
    "last value without text": "  - id: a\n    needs:\n  - id: b\n",
    "value that is an alias": "  - id: a\n    appLink: {by: *who}\n  - &who J. Smith\n",
    "block scalar as the last value": "  - id: a\n    note: |\n      two\n      lines\n\n\n  - id: b\n",
    "deeper nesting as the last value": "  - id: a\n    probe:\n      - issue: A-1\n        target: B-1 # x\n  - id: b\n",
    "sequence that is not indented": "- id: a\n  product: jira\n- id: b\n",
}


def link(text: str, index: int = 0) -> object:
    return yaml.load(text, Loader=yaml.BaseLoader)["instances"][index].get("appLink")


def said(values: dict[str, str | bool]) -> dict[str, str]:
    return {key: str(value).lower() if value is True else value for key, value in values.items()}


CASES = {name: text for name, text in BEFORE.items() if "alias" not in name}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_the_values_arrive_and_every_other_line_stays(text, newline):
    before = (HEAD + text).replace("\n", newline)
    after = set_app_link(before, 0, VALUES)
    assert link(after) == said(VALUES)
    meant = yaml.load(before, Loader=yaml.BaseLoader)
    meant["instances"][0]["appLink"] = said(VALUES)
    assert yaml.load(after, Loader=yaml.BaseLoader) == meant
    assert ("\r\n" in after) == (newline == "\r\n")
    assert "\r" not in after.replace("\r\n", "")
    for comment in [part for part in before.splitlines() if "#" in part]:
        assert comment[comment.index("#") :] in after
    gone = [
        line[2:]
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if line[0] == "-"
    ]
    assert all("id: b" not in line and "name:" not in line for line in gone)


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_writing_the_same_again_changes_nothing(text):
    once = set_app_link(HEAD + text, 0, VALUES)
    assert set_app_link(once, 0, VALUES) == once


def test_a_value_that_is_an_alias_is_written_out_and_its_anchor_stays():
    text = "who: &who J. Smith\ninstances:\n  - id: a\n    appLink: {authorized: false, by: *who}\n"
    after = set_app_link(text, 0, VALUES)
    assert link(after) == said(VALUES)
    assert after.startswith("who: &who J. Smith\n")


def test_an_app_link_that_is_an_alias_is_written_out():
    text = "instances:\n  - id: a\n    appLink: &open {authorized: false}\n  - id: b\n    appLink: *open\n"
    after = set_app_link(text, 1, VALUES)
    assert link(after, 0) == {"authorized": "false"}
    assert link(after, 1) == said(VALUES)


def test_an_app_link_that_comes_by_a_merge_key_is_written_into_the_instance_itself():
    text = "base: &base\n  appLink: {authorized: false}\ninstances:\n  - id: a\n    <<: *base\n  - id: b\n"
    after = set_app_link(text, 0, VALUES)
    assert "    <<: *base\n    appLink:\n      authorized: true\n" in after
    assert after.startswith("base: &base\n  appLink: {authorized: false}\n")
    assert link(after) == said(VALUES)


SHARED = {
    "an appLink that others share": "instances:\n  - appLink: &open {authorized: false}\n  - appLink: *open\n",
    "an instance that others share": "instances:\n  - &one {id: a}\n  - *one\n",
    "an instance that is an alias": "one: &one {id: a}\ninstances:\n  - *one\n",
    "no instances": "format: 1\n",
    "an index behind the end": "instances: []\n",
    "an instance that is text": "instances: [a]\n",
    "text that is no YAML": "instances: [\n",
    "an empty file": "",
    "a list": "- 1\n",
    "a value that is a mapping": "instances:\n  - appLink: {by: {name: x}}\n",
}


@pytest.mark.parametrize("text", SHARED.values(), ids=SHARED)
def test_what_cannot_be_changed_alone_is_refused(text):
    with pytest.raises(EditError):
        set_app_link(text, 0, VALUES)


def test_a_key_that_is_not_named_keeps_what_it_has():
    text = HEAD + "  - id: a\n    appLink: {authorized: true, by: X, evidence: e.png}\n"
    after = set_app_link(text, 0, {"by": "Y"})
    assert link(after) == {"authorized": "true", "by": "Y", "evidence": "e.png"}
    with pytest.raises(EditError):
        set_app_link(text, 0, {"bye": "Y"})


def test_json_stays_json():
    import json

    text = (
        '{"format": 1, "instances": [{"id": "a", "appLink": {"authorized": false}}, {"id": "b"}]}'
    )
    for index in (0, 1):
        assert (
            json.loads(set_app_link(text, index, VALUES))["instances"][index]["appLink"]["by"]
            == "J. Doe"
        )


def test_a_byte_order_mark_and_windows_line_ends_stay():
    data = b"\xef\xbb\xbf" + (HEAD + "  - id: a\n").replace("\n", "\r\n").encode()
    after = edit_plan_bytes(data, 0, VALUES)
    assert after.startswith(data[:-2])
    assert after.count(b"\xef\xbb\xbf") == 1
    with pytest.raises(EditError):
        edit_plan_bytes("name: Jörg".encode("latin-1"), 0, VALUES)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(by=TEXTS, account=TEXTS, style=st.sampled_from(sorted(CASES)))
def test_any_text_arrives_as_it_was_given(by, account, style):
    values = {"authorized": True, "by": by, "as": account}
    after = set_app_link(HEAD + CASES[style], 0, values)
    arrived = link(after)
    assert (arrived["by"], arrived["as"]) == (by, account)


HOSTILE = [
    "null",
    "true",
    "NO",
    "12e3",
    "~",
    "- x",
    "a: b",
    "x #y",
    "*alias",
    "&a",
    "{",
    "it's",
    '"',
    " x ",
    "é",
    "2026-11-11",
    "1:30",
    "a:",
    "=",
    "<<",
    "!t",
    "%d",
    "@x",
    "`",
]


@pytest.mark.parametrize("by", HOSTILE)
def test_text_that_yaml_would_guess_at_stays_text(by):
    for text in (HEAD + "  - id: a\n", HEAD + "  - {id: a}\n"):
        after = set_app_link(text, 0, {"by": by})
        assert yaml.safe_load(after)["instances"][0]["appLink"]["by"] == by


@pytest.mark.parametrize("header", ["|", ">-", "|2"])
def test_the_comment_behind_the_header_of_a_block_scalar_stays(header):
    text = (
        HEAD
        + f"  - id: a\n    appLink:\n      by: {header}  # c4\n        J. Doe\n      authorized: true\n"
    )
    after = set_app_link(text, 0, {"by": "K. Roe"})
    assert "by: K. Roe  # c4\n      authorized: true" in after
    assert link(after)["by"] == "K. Roe"


def test_a_text_of_carriage_returns_alone_is_refused_with_a_hint():
    text = (HEAD + "  - id: a\n    appLink: {authorized: true}   # c\n").replace("\n", "\r")
    with pytest.raises(EditError, match="carriage return") as refused:
        set_app_link(text, 0, {"by": "K. Roe"})
    assert "line ends" in refused.value.hint
