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
    ChoiceType,
    DayType,
    Field,
    FieldType,
    FlagType,
    ListType,
    MomentType,
    NumberType,
    Record,
    TextOrRecord,
    TextType,
    UrlType,
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
    return {
        "type": "object",
        "properties": {field.key: _property(field) for field in record.fields},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(field: Field) -> dict[str, Any]:
    schema = _type(field.kind)
    # A key without a value counts as absent.
    if not field.required and "type" in schema:
        schema["type"] = [schema["type"], "null"]
    elif not field.required:
        schema = {"anyOf": [schema, {"type": "null"}]}
    return {"description": field.about, **schema}


def _type(kind: FieldType) -> dict[str, Any]:
    match kind:
        case TextType() | UrlType():
            return {"type": "string", "pattern": getattr(kind, "pattern", None) or _NOT_BLANK}
        case FlagType():
            return {"enum": [True, False, *BOOLEANS]}
        case MomentType():
            return {"type": "string", "format": "date-time", "pattern": MOMENT}
        case DayType():
            return {"type": "string", "format": "date", "pattern": DAY}
        case ChoiceType(words=words, any_case=True):
            return {"type": "string", "pattern": f"^({'|'.join(map(_any_case, words))})$"}
        case ChoiceType(words=words):
            return {"enum": list(words)}
        case NumberType(value=value):
            return {"enum": [value, str(value)]}
        case ListType(of=of, least=least, most=most):
            bounds = {"minItems": least or None, "maxItems": most}
            given = {key: bound for key, bound in bounds.items() if bound is not None}
            return {"type": "array", "items": _type(of), **given}
        case TextOrRecord(text=text, record=record):
            return {"anyOf": [_type(text), _type(record)]}
        case Record(name=name):
            return {"$ref": f"#/$defs/{name}"}


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)
