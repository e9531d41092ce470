"""The search for leaked credentials finds them in every form it promises."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from tests.canary import CANARY, leaks

FORMS = {
    "plain": CANARY,
    "in a line": f"x{CANARY}y",
    "URL-escaped": quote(CANARY, safe=""),
    "form-escaped": quote_plus(CANARY),
    "in JSON": json.dumps({"token": CANARY}),
    "in hex": CANARY.encode().hex(),
    "in base64": base64.b64encode(CANARY.encode()).decode(),
    "in URL-safe base64": base64.urlsafe_b64encode(CANARY.encode()).decode(),
}
for length in range(1, 8):
    pair = f"{'u' * length}:{CANARY}"
    FORMS[f"in basic auth after {length} letters"] = base64.b64encode(pair.encode()).decode()


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_the_canary_is_found(text: str) -> None:
    assert leaks(text.encode())


def test_harmless_text_is_no_leak() -> None:
    assert not leaks(b"canary *** token " + base64.b64encode(b"admin@contoso.example:other"))
