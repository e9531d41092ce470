"""A credential never shows itself, and no usual encoding of it passes the mask."""

import base64
import copy
import json
import pickle
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.secrets import Account, Mask, Secret

CANARY = "canary-T0ken/with+odd=chars"
EMAIL = "j.doe@contoso.example"
ACCOUNT = Account("contoso", EMAIL, Secret(CANARY))
PAIR = f"{EMAIL}:{CANARY}"

ENCODINGS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 without padding": base64.b64encode(CANARY.encode()).decode().rstrip("="),
    "base64 for URLs": base64.urlsafe_b64encode(CANARY.encode()).decode(),
    "the basic-auth pair": base64.b64encode(PAIR.encode()).decode(),
    "the basic-auth header": ACCOUNT.basic().reveal(),
    "the pair in plain": PAIR,
    "percent-encoded": quote(CANARY, safe=""),
    "percent-encoded, slash kept": quote(CANARY),
    "percent-encoded in lower case": quote(CANARY, safe="")
    .replace("%2F", "%2f")
    .replace("%2B", "%2b")
    .replace("%3D", "%3d"),
    "as a form field": quote_plus(CANARY),
    "in JSON": json.dumps(CANARY)[1:-1],
    "in JSON with escaped slashes": CANARY.replace("/", "\\/"),
    "in hex": CANARY.encode().hex(),
    "in upper-case hex": CANARY.encode().hex().upper(),
    "base64 of the pair, percent-encoded": quote(base64.b64encode(PAIR.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("text", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_no_encoding_passes_the_mask(text: str) -> None:
    """Text and bytes, alone and amid other words."""
    mask = Mask((ACCOUNT,))
    for around in ("{}", "before {} after", '{{"echo":"{}"}}'):
        masked = mask.text(around.format(text))
        assert text not in masked
        assert CANARY not in masked
        assert "***" in masked
        assert text.encode() not in mask.data(around.format(text).encode())


@given(st.text(st.characters(codec="utf-8"), min_size=4, max_size=40))
def test_any_token_is_masked_in_json_and_in_plain(token: str) -> None:
    """Also tokens with quotes, backslashes or letters beyond ASCII."""
    mask = Mask((Account("default", "j@x.example", Secret(token)),))
    assert token not in mask.text(f"<{token}>").replace("***", "") or token in "<***>"
    assert (
        json.dumps(token)[1:-1] not in mask.text(f"<{json.dumps(token)[1:-1]}>") or token in "<***>"
    )


def test_other_text_is_left_alone() -> None:
    """The mask changes nothing that is no secret; an e-mail alone is none."""
    text = f'{EMAIL} wrote {{"uuid": "0c1f6e2b"}}'
    assert Mask((ACCOUNT,)).text(text) == text
    assert Mask().text(CANARY) == CANARY


def test_a_secret_never_shows_itself() -> None:
    """Not in `repr`, `str`, formatting, nor inside the account that holds it."""
    for shown in (
        repr(ACCOUNT),
        str(ACCOUNT),
        f"{ACCOUNT.token}",
        f"{ACCOUNT.token!r}",
        f"{ACCOUNT.basic()}",
    ):
        assert CANARY not in shown
        assert "***" in shown or "Account" in shown


def test_a_secret_is_not_serialized() -> None:
    """Neither pickled nor turned into JSON by accident."""
    with pytest.raises(TypeError):
        pickle.dumps(ACCOUNT.token)
    with pytest.raises(TypeError):
        json.dumps(ACCOUNT.token)
    with pytest.raises(TypeError):
        copy.deepcopy(ACCOUNT.token)


def test_secrets_compare_by_value() -> None:
    """So that values which hold one can be compared in tests."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1


def test_basic_auth_is_what_the_api_documents() -> None:
    """`Basic` and the base64 of e-mail, colon, token (links-api.md 1.1)."""
    scheme, _, value = ACCOUNT.basic().reveal().partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(value).decode() == PAIR
