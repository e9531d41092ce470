"""The form of a value that digests cover: JSON with sorted keys and no spaces."""

import hashlib
import json
from typing import Any


def canonical_text(value: Any) -> str:
    """Return JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces, in UTF-8."""
    return canonical_text(value).encode()


def sha256_of(value: Any) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def json_text(value: Any, *, compact: bool = True, sort_keys: bool = True) -> str:
    """Return JSON that UTF-8 can hold: as it reads, or in ASCII where a text holds half a character.

    A server's JSON may hold half a surrogate pair, which UTF-8 cannot; its escape can.
    `compact` leaves out the spaces.
    """
    separators = (",", ":") if compact else None
    text = json.dumps(value, sort_keys=sort_keys, separators=separators, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=sort_keys, separators=separators)
    return text
