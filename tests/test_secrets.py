"""A credential never shows itself, and no usual encoding of it passes the mask."""

import base64
import copy
import json
import pickle
import re
from html import unescape
from urllib.parse import quote, quote_plus, unquote

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
    "in JSON as Gson escapes it": CANARY.replace("=", "\\u003d").replace("+", "\\u002b"),
    "in JSON escaped in upper case": CANARY.replace("=", "\\u003D").replace("/", "\\u002F"),
    "in JSON inside JSON": CANARY.replace("=", "\\\\u003d").replace("/", "\\\\/"),
    "in JSON with every character escaped": "".join(f"\\u{ord(letter):04x}" for letter in CANARY),
    "percent-encoded to the last letter": "".join(f"%{ord(letter):02X}" for letter in CANARY),
    "percent-encoded twice": quote(quote(CANARY, safe=""), safe=""),
    "in HTML by number": "".join(f"&#{ord(letter)};" for letter in CANARY),
    "in HTML by hexadecimal number": CANARY.replace("/", "&#x2F;").replace("=", "&#x3D;"),
    "in HTML by name": CANARY.replace("/", "&sol;").replace("+", "&plus;").replace("=", "&equals;"),
    "in base64 broken into lines": base64.encodebytes(b"x" * 40 + PAIR.encode()).decode(),
    "in base64 for JSON, broken into lines": base64.encodebytes(b"x" * 40 + PAIR.encode())
    .decode()
    .replace("\n", "\\r\\n"),
}
for shift in range(3):
    longer = b"Authorization: "[shift:] + PAIR.encode() + b" was refused"
    ENCODINGS[f"in a longer base64, shifted by {shift}"] = base64.b64encode(longer).decode()
    ENCODINGS[f"in a longer base64 for URLs, shifted by {shift}"] = base64.urlsafe_b64encode(
        longer
    ).decode()


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


def decoded(masked: str) -> set[str]:
    """Return what anybody could make of a text: itself, unescaped, and every base64 in it."""
    texts = {masked, unquote(unquote(masked)), unescape(masked)}
    texts.add(re.sub(r"\\+u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), masked))
    joined = re.sub(r"\s|\\[rn]", "", masked).translate(str.maketrans("-_", "+/"))
    for run in re.findall(r"[A-Za-z0-9+/]{4,}", joined):
        for start in range(4):
            part = run[start : start + (len(run) - start) // 4 * 4]
            texts.add(base64.b64decode(part).decode("latin-1"))
    return texts


@pytest.mark.parametrize("text", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_nothing_of_a_token_can_be_decoded_from_what_is_left(text: str) -> None:
    """Not even half of it, in text and in bytes, also amid bytes that are no text."""
    mask = Mask((ACCOUNT,))
    left = mask.text(f'{{"echo":"{text}"}}')
    for found in (*decoded(left), mask.data(b"\xff" + text.encode()).decode("latin-1")):
        assert CANARY[:8] not in found
        assert CANARY[-8:] not in found


@given(st.binary(max_size=50), st.binary(max_size=50), st.sampled_from(["std", "url", "hex"]))
def test_a_token_is_found_in_the_encoding_of_any_longer_text(
    before: bytes, after: bytes, how: str
) -> None:
    """Whatever stands before it shifts its base64."""
    coder = {"std": base64.b64encode, "url": base64.urlsafe_b64encode, "hex": bytes.hex}[how]
    coded = coder(before + CANARY.encode() + after)
    text = coded if isinstance(coded, str) else coded.decode()
    masked = Mask((ACCOUNT,)).text(text)
    assert "***" in masked
    assert not any(CANARY[2:-2] in text for text in decoded(masked))


@given(st.lists(st.integers(0, 4), min_size=len(CANARY), max_size=len(CANARY)))
def test_a_token_is_found_whichever_of_its_characters_are_escaped(ways: list[int]) -> None:
    """Each in a way of its own, once the escape is one that somebody uses."""
    forms = ("{0}", "\\u{1:04x}", "%{1:02X}", "&#{1};", "\\\\u{1:04X}")
    text = "".join(forms[way].format(one, ord(one)) for way, one in zip(ways, CANARY, strict=True))
    assert Mask((ACCOUNT,)).text(f"<{text}>") == "<***>"


def test_what_stands_around_a_token_is_kept_to_the_letter() -> None:
    """Also escapes that touch it, so that JSON stays JSON."""
    mask = Mask((ACCOUNT,))
    for around in (
        '{{"a":"\\n{}\\n","b":1}}',
        '["\\u0022{}\\u0022"]',
        '["\\\\{}\\\\"]',
        "%20{}%20",
    ):
        assert mask.text(around.format(CANARY)) == around.format("***")


def test_two_bytes_per_character_hide_no_token() -> None:
    mask = Mask((ACCOUNT,))
    for coding in ("utf-16-le", "utf-16-be", "utf-16"):
        assert CANARY.encode(coding)[2:-2] not in mask.data(f"a {CANARY}".encode(coding))


def test_a_token_is_found_across_the_pieces_of_a_large_body() -> None:
    """Large bodies are searched piece by piece."""
    mask = Mask((ACCOUNT,))
    for at in range((1 << 20) - 60, (1 << 20) + 5, 7):
        for form in (CANARY, ENCODINGS["in JSON with every character escaped"]):
            body = b"x" * at + form.encode() + b"y" * 99
            assert mask.data(body) == b"x" * at + b"***" + b"y" * 99


def test_what_holds_no_token_is_the_same_object() -> None:
    """So that a body of 64 MB is not copied for nothing."""
    body = b'{"globalId":"appId%3D1%26issueId%3D2","title":"T0k and canar"}' * 1000
    assert Mask((ACCOUNT,)).data(body) is body


@pytest.mark.parametrize("word", ["x", "e", "uuid", "dummy", "1234567"])
def test_a_word_too_short_for_a_token_masks_nothing(word: str) -> None:
    """It would make every other text unreadable; real hosts are never sent one."""
    mask = Mask((Account("default", EMAIL, Secret(word)),))
    assert mask.text(f'{{"{word}":"{word}"}}') == f'{{"{word}":"{word}"}}'


def test_of_a_value_the_texts_are_masked_and_its_names_are_not() -> None:
    """Nor words of our own vocabulary, which a token to practise with may happen to be."""
    mask = Mask((Account("default", EMAIL, Secret("accepted")),))
    value = {"accepted": ["accepted", "was accepted", 1, None, {"a": "not accepted"}]}
    assert mask.value(value) == {"accepted": ["accepted", "was ***", 1, None, {"a": "not ***"}]}


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=40))
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
