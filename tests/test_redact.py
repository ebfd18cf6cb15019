"""No secret passes in any easy disguise, and ordinary text passes unchanged."""

import base64
import html
import json
import random
import string
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.redact import Redactor

KEY_LINES = ["".join(random.Random(n).choices(string.ascii_letters + string.digits + "+/", k=64)) for n in range(24)]
PEM = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *KEY_LINES, "qL5zU3k=", "-----END RSA PRIVATE KEY-----", ""])
SECRET = "hunter2/with+odd&chars=\"and' spaces"

REDACTOR = Redactor([SECRET, PEM])

secrets = st.text(string.ascii_letters + string.digits + '-_/+=&%."\\é', min_size=8, max_size=60)
anything = st.text(max_size=30)


def test_the_value_itself_goes_and_the_rest_stays() -> None:
    assert Redactor([SECRET]).text(f"key: {SECRET}, again {SECRET}.") == "key: [redacted], again [redacted]."


def test_a_short_secret_is_not_looked_for() -> None:
    assert Redactor(["", "a", "1234567"]).text("a 1234567") == "a 1234567"


@given(secret=secrets, before=anything, after=anything)
def test_a_planted_secret_is_gone_in_every_form(secret: str, before: str, after: str) -> None:
    """RT-O02: plain, reversed, hex, URL-encoded, escaped for JSON and HTML; whatever stands around it."""
    redactor = Redactor([secret])
    forms = [secret, secret[::-1], secret.encode().hex(), secret.encode().hex().upper(), quote(secret, safe="")]
    forms += ["".join(f"%{byte:02X}" for byte in secret.encode()), "".join(f"%{byte:02x}" for byte in secret.encode())]
    forms += [json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3], quote(secret), html.escape(secret)]
    for form in forms:
        assert form not in redactor.text(before + form + after)


@given(secret=secrets, before=st.binary(max_size=7), after=st.binary(max_size=7), url=st.booleans())
def test_base64_hides_nothing_wherever_the_secret_lies_in_it(
    secret: str, before: bytes, after: bytes, url: bool
) -> None:
    """RT-O02: all three alignments, in both alphabets."""
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    left = Redactor([secret]).text(encode(before + secret.encode() + after).decode())
    assert "[redacted]" in left
    assert len(left.replace("[redacted]", "")) <= len(encode(before)) + len(encode(after)) + 8


def test_a_private_key_is_gone_whole_and_line_by_line_and_escaped() -> None:
    redactor = Redactor([PEM])
    for shown in (
        PEM,
        json.dumps(PEM),
        json.dumps({"env": json.dumps(PEM)}),
        PEM.replace("\n", "\r\n"),
        "\n".join(KEY_LINES[3:5]),
        f"see\n{KEY_LINES[3]}\nthere",
    ):
        assert not any(line in redactor.text(shown) for line in KEY_LINES)


TOKENS = [
    "ghs_" + "a1B2" * 9,
    "ghs_12345_" + "eyJhbGciOi.eyJpc3Mi-x_." * 12 + "sig-tail",
    "gho_" + "Z9" * 18,
    "github_pat_11ABCDEFG0" + "x" * 40,
    "sk-ant-api03-" + "aB3-" * 20,
    "e2b_" + "0f" * 20,
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2lnbmF0dXJlLXNpZw",
    "AKIA" + "J7Q2" * 4,
    PEM.strip(),
    "-----BEGIN PRIVATE KEY-----\n" + KEY_LINES[0] + "\n" + KEY_LINES[1][:30],
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:12])
def test_what_looks_like_a_token_goes_although_nobody_told_us(token: str) -> None:
    assert Redactor([]).text(f"x = '{token}'") == "x = '[redacted]'"
    assert Redactor([]).text(json.dumps([token])) == '["[redacted]"]'


CANARY = "sk-ant-api03-" + "".join(random.Random(1).choices(string.ascii_letters + string.digits + "-_", k=80))


@given(st.data(), anything)
def test_a_broken_secret_is_whole_again_to_whoever_joins_it(data: st.DataObject, around: str) -> None:
    """RT-O02: wrapped by a terminal or by base64, escaped in JSON, or split by what a page drops."""
    redactor = Redactor([CANARY])
    for form in (CANARY, base64.b64encode(CANARY.encode()).decode()):
        at = data.draw(st.integers(1, len(form) - 1))
        gap = data.draw(st.sampled_from(["\n", "\r\n  ", "\\n", " ", "\u200b", "\U000e0041\u2060", "\t"]))
        left = redactor.text(f"{around} {form[:at]}{gap}{form[at:]} {around}")
        assert form[:at] + form[at:] not in "".join(c for c in left if c in form)
        assert "[redacted]" in left


@given(st.integers(24, len(CANARY) - 1), anything.filter(lambda s: "…" not in s))
def test_the_half_of_a_secret_that_a_cap_left_goes(size: int, around: str) -> None:
    """RT-O02: text may be cut before it comes here, in the sandbox; what is left then begins or ends at an end of the text or at "…"."""
    redactor = Redactor([CANARY])
    head, tail = CANARY[:size], CANARY[-size:]
    for cut in (
        f"{around} {head}",
        f"{tail} {around}",
        f"{around}{head}\n… 9,000 bytes left out …\n{tail}{around}",
        f"…{head[6:]}\n…",
    ):
        left = redactor.text(cut)
        assert "[redacted]" in left
        assert not any(CANARY[at : at + 12] in left for at in range(len(CANARY) - 12))


def test_what_is_in_a_clones_header_goes() -> None:
    header = base64.b64encode(b"x-access-token:ghs_" + b"a1B2" * 9).decode()
    assert Redactor([]).text(f"Authorization: basic {header}\n") == "Authorization: basic [redacted]\n"


def test_the_password_in_a_clone_address_goes() -> None:
    """RT-O07"""
    left = Redactor([]).text("fatal: https://x-access-token:v1.abc@github.com/acme/api not found")
    assert left == "fatal: https://x-access-token:[redacted]@github.com/acme/api not found"


def test_nested_values_are_redacted_and_keep_their_shape() -> None:
    value = {"a": [SECRET, 1, None, {"b": f"x{SECRET}"}], SECRET: True, "c": 1.5}
    assert Redactor([SECRET]).value(value) == {
        "a": ["[redacted]", 1, None, {"b": "x[redacted]"}],
        "[redacted]": True,
        "c": 1.5,
    }


@given(st.text(string.ascii_letters + string.digits + " _-.=/+\n(){}[]:'\"", max_size=400))
def test_ordinary_text_is_unchanged(text: str) -> None:
    if not any(mark in text for mark in ("gh", "eyJ", "sk-ant", "e2b_", "BEGIN")):
        assert REDACTOR.text(text) == text


def test_ordinary_code_is_unchanged() -> None:
    code = "".join(path.read_text() for path in Path(json.__file__).parent.parent.glob("[hsu]*.py"))
    code += 'if "-----BEGIN RSA PRIVATE KEY-----" in pem: laughs_at_a_rather_long_function_name_like_this_one()'
    assert Redactor([SECRET, PEM]).text(code) == code


@pytest.mark.parametrize(
    "piece", ["a", " ", "eyJ", "ghs_", "-----BEGIN PRIVATE KEY-----\n", "://x-access-token:", f"{CANARY[:20]}…"]
)
def test_redacting_reads_its_text_once(piece: str) -> None:
    """Ten times the text takes some ten times the time."""
    redactor = Redactor([CANARY, PEM])

    def took(size: int) -> float:
        began = time.process_time()
        redactor.text(piece * (size // len(piece)))
        return time.process_time() - began

    assert took(200_000) < 40 * max(took(20_000), 0.005)


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = REDACTOR.text(text + SECRET + text)
    assert REDACTOR.text(once) == once
