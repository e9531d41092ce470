"""The JSON Schema and the parser accept the same documents, since one declaration makes both."""

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from runbook.findings import Severity
from runbook.plan import load_plan_bytes
from runbook.plan.schema import plan_schema

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = Draft202012Validator(plan_schema())
# What the parser judges beyond structure: names that refer to each other, and repetition.
BEYOND = {"RB105", "RB106", "RB109"}
BEYOND_WORDS = ("listed twice", "before its `started`")

FULL: dict[str, Any] = {
    "format": 1,
    "name": "full",
    "customer": "Contoso",
    "change": "CHG-1",
    "cutover": "2026-11-20T20:00:00+01:00",
    "booleans": "string",
    "expected": "links.csv",
    "requireApproval": True,
    "logs": {"history": None, "audit": "https://x"},
    "sites": [
        {
            "url": "https://a.atlassian.net",
            "siteId": "6f1c2a52-8a3b-4d3e-9a51-0c1f6e2b7a10",
            "account": "ops",
            "tokenExpires": "2027-03-01",
            "projects": ["ENG", {"key": "PLT", "was": "OLD"}],
            "migrations": [
                {
                    "name": "w",
                    "projects": ["ENG"],
                    "started": "2026-11-13T18:00:00Z",
                    "finished": "2026-11-14T18:00:00Z",
                    "planned": "2026-11-14T18:00:00Z",
                }
            ],
        },
        {"url": "https://b.atlassian.net"},
    ],
    "instances": [
        {
            "id": "a-to-b",
            "product": "JIRA",
            "productURL": "https://a.atlassian.net",
            "destinationURL": "https://b.atlassian.net",
            "migratedFrom": "https://jira.example",
            "migratedFromOverride": "https://live.example",
            "recreateAsRemote": "true",
            "createBackup": False,
            "needs": [],
            "probe": [{"issue": "ENG-1", "target": "OPS-2"}],
            "appLink": {
                "authorized": True,
                "as": "a@b.example",
                "by": "me",
                "at": "2026-11-19T09:00:00Z",
                "evidence": "e.png",
            },
        }
    ],
    "waive": [
        {"code": "RB301", "instance": "a-to-b", "reason": "phone", "by": "me"},
        {
            "code": "RB502",
            "sites": ["https://a.atlassian.net", "https://b.atlassian.net"],
            "reason": "x",
        },
    ],
}

ODD_VALUES = [
    None,
    "",
    " ",
    "x",
    "a/b",
    "RB301",
    "ENG-1",
    "eng",
    "true",
    "TRUE",
    "yes",
    True,
    False,
    "native",
    "Confluence",
    "2026-11-20T20:00:00+01:00",
    "2026-11-20T20:00:00",
    "2027-03-01",
    "https://a.atlassian.net",
    [],
    ["ENG"],
    [None],
    [[]],
    ["https://a.atlassian.net", "https://b.atlassian.net"],
    {},
    {"key": "X"},
    {"issue": "A-1", "target": "B-1"},
    {"url": "https://c.atlassian.net"},
]
ODD_KEYS = ["name", "url", "nope", "sites", "code", "key", "authorized", "reason", "format"]


def places(value: Any, trail: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value below the top."""
    found = [trail] if trail else []
    if isinstance(value, dict):
        for key, below in value.items():
            found += places(below, (*trail, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            found += places(below, (*trail, index))
    return found


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the full plan with up to three changes: a value replaced, removed or added."""
    document = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(0, 3))):
        trail = draw(st.sampled_from(places(document)))
        holder: Any = document
        for step in trail[:-1]:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                holder[trail[-1]] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
            case "remove":
                del holder[trail[-1]]
            case _ if isinstance(holder, dict):
                key = draw(st.sampled_from(ODD_KEYS))
                holder.setdefault(key, copy.deepcopy(draw(st.sampled_from(ODD_VALUES))))
            case _:
                holder.append(copy.deepcopy(draw(st.sampled_from(ODD_VALUES))))
    return document


def refused_by_the_parser(document: dict[str, Any]) -> list[str]:
    """Return the structural errors, less those about what names refer to."""
    # JSON is YAML: quoted where the document has text, bare where it has a boolean or a number.
    loaded = load_plan_bytes(json.dumps(document).encode(), "plan.yaml")
    return [
        finding.message
        for finding in loaded.findings
        if finding.severity is Severity.ERROR
        and finding.code not in BEYOND
        and not any(words in finding.message for words in BEYOND_WORDS)
    ]


def plain_booleans(errors: Iterable[ValidationError]) -> bool:
    """Return whether a bare boolean stands where text is wanted: the parser reads it as text."""
    return any(
        isinstance(error.instance, bool) or plain_booleans(error.context or ()) for error in errors
    )


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(plan_schema())


def test_both_accept_the_full_plan():
    assert refused_by_the_parser(FULL) == []
    assert list(VALIDATOR.iter_errors(FULL)) == []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents())
def test_both_accept_or_both_refuse(document):
    if plain_booleans(VALIDATOR.iter_errors(document)):
        return
    refused = refused_by_the_parser(document)
    errors = [error.message for error in VALIDATOR.iter_errors(document)]
    assert bool(refused) == bool(errors), (refused, errors)


def test_every_example_and_every_plan_with_other_mistakes_follows_the_schema():
    paths = [*ROOT.glob("plans/*.yaml"), *ROOT.glob("tests/data/plans/RB[2-5]*.yaml")]
    assert len(paths) > 30
    for path in paths:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
        document["format"] = int(document["format"])
        assert list(VALIDATOR.iter_errors(document)) == [], path


def test_the_published_schema_is_the_current_one():
    published = json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8"))
    assert published == plan_schema(), "write it anew: runbook schema -o docs/plan.schema.json"


def test_every_key_is_explained():
    schema = plan_schema()
    for record in (schema, *schema["$defs"].values()):
        for key, declared in record["properties"].items():
            assert declared["description"], key
