"""The credential that every test uses, and every form in which it could get out."""

import base64
import json
from pathlib import Path
from urllib.parse import quote, quote_plus

CANARY = "canary-T0ken/with+odd=chars"


def needles(secret: str = CANARY) -> tuple[bytes, ...]:
    """Return the bytes to look for: plain, escaped, and base64 at whatever offset it stands in."""
    found = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
    found |= {json.dumps(secret)[1:-1], secret.encode().hex()}
    for offset in range(3):
        # What stands before the secret shifts its base64; the characters at both edges depend on it.
        coded = base64.b64encode(b"x" * offset + secret.encode()).decode("ascii")
        inner = coded[-(-offset * 4 // 3) + (1 if offset else 0) : len(coded) - 4]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(one.encode() for one in found)


NEEDLES = needles()


def leaks(data: bytes) -> bool:
    """Return whether some form of the canary stands in the data."""
    return any(needle in data for needle in NEEDLES)


def leaking_files(folder: Path) -> list[str]:
    """Return the files below a folder that hold some form of the canary."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and leaks(path.read_bytes())
    )
