"""The JSON Schema (2020-12) of a plan, from the same declaration that the parser follows.

It describes structure: what names refer to, which moments are real and what the checks say about
windows is left to `runbook check`.
"""

from typing import Any

from runbook.plan.fields import (
    BOOLEANS,
    DAY,
    MOMENT,
    PLAN,
    RECORDS,
    Choice,
    Day,
    Either,
    Field,
    FieldType,
    Flag,
    Many,
    Moment,
    Number,
    Record,
    Text,
    Url,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_BLANK = r"\S"


def plan_schema() -> dict[str, Any]:
    """Return the schema as JSON values."""
    return {
        "$schema": DIALECT,
        "title": "runbook plan, format 1",
        "description": "Recreating issue links between Jira Cloud sites after a split.",
        **_record(PLAN),
        "$defs": {record.name: _record(record) for record in RECORDS if record is not PLAN},
    }


def _record(record: Record) -> dict[str, Any]:
    required = [field.key for field in record.fields if field.required]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.key: _property(field) for field in record.fields},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = required
    return schema


def _property(field: Field) -> dict[str, Any]:
    schema = _type(field.kind)
    if not field.required:
        # A key without a value says nothing, as if it were not there.
        schema = (
            {**schema, "type": [schema["type"], "null"]}
            if "type" in schema
            else {"anyOf": [schema, {"type": "null"}]}
        )
    return {"description": field.about, **schema}


def _type(kind: FieldType) -> dict[str, Any]:
    match kind:
        case Text(pattern=pattern):
            return {"type": "string", "pattern": pattern or _NOT_BLANK}
        case Url():
            return {"type": "string", "pattern": _NOT_BLANK}
        case Flag():
            return {"enum": [True, False, *BOOLEANS]}
        case Moment():
            return {"type": "string", "format": "date-time", "pattern": MOMENT}
        case Day():
            return {"type": "string", "format": "date", "pattern": DAY}
        case Choice(words=words, any_case=True):
            return {"type": "string", "pattern": f"^({'|'.join(map(_any_case, words))})$"}
        case Choice(words=words):
            return {"enum": list(words)}
        case Number(value=value):
            return {"enum": [value, str(value)]}
        case Many(of=of, least=least, most=most):
            schema: dict[str, Any] = {"type": "array", "items": _type(of)}
            if least:
                schema["minItems"] = least
            if most is not None:
                schema["maxItems"] = most
            return schema
        case Either(text=text, record=record):
            return {"anyOf": [_type(text), {"$ref": f"#/$defs/{record.name}"}]}
        case Record(name=name):
            return {"$ref": f"#/$defs/{name}"}


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)
