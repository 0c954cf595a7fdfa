"""What must not be written down, and what must stay readable."""

import random
import string

import pytest
from fashionistar_common.observability.redaction import REMOVED, is_secret, redact, redact_text


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "new_password",
        "Authorization",
        "Set-Cookie",
        "X-Api-Key",
        "accessToken",
        "refresh_token",
        "OTP",
        "card_number",
        "cvv",
        "email",
        "SIGNING_KEY_SECRET",
        "private_key",
        "csrftoken",
        "phone",
        "password1",
        "new_password2",
        "csrfmiddlewaretoken",
        "authtoken",
    ],
)
def test_what_goes_by_a_secret_name_is_removed(name):
    assert is_secret(name)
    assert redact({"order": {name: "hunter2"}}) == {"order": {name: REMOVED}}


@pytest.mark.parametrize(
    "name", ["order", "path", "user_id", "idempotency_key", "tokenizer", "message", "cardinality", "stream"]
)
def test_a_name_that_only_looks_alike_stays(name):
    assert redact({name: "silk"}) == {name: "silk"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdefgh.123 and more", f"Authorization: {REMOVED}"),
        ("sent Bearer abcdefgh.123 on", f"sent Bearer {REMOVED} on"),
        ("Cookie: sessionid=abc; csrftoken=def\nnext line", f"Cookie: {REMOVED}\nnext line"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl end", f"token {REMOVED} end"),
        ('{"password": "hunter2 is long", "sku": "A-1"}', f'{{"password": {REMOVED}, "sku": "A-1"}}'),
        ("new_password=hunter2&next=/", f"new_password={REMOVED}&next=/"),
        ("{'otp': '123456'}", f"{{'otp': {REMOVED}}}"),
        ("postgresql://shop:s3cret@db:5432/shop", f"postgresql://shop:{REMOVED}@db:5432/shop"),
        ("redis://:s3cret@cache:6379/0", f"redis://:{REMOVED}@cache:6379/0"),
        ("GET https://gateway.example/pay?key=abc&to=1 200", f"GET https://gateway.example/pay?{REMOVED} 200"),
        ("mail to Ada.Obi+shop@mail.example.com failed", "mail to [e-mail] failed"),
        ("paid with 4111 1111 1111 1111.", "paid with [card]."),
        ("paid with 5500-0000-0000-0004", "paid with [card]"),
        ("jwt-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOjF9.c2lnbmF0dXJl end", f"jwt-{REMOVED} end"),
        ("call +234 803 123 4567 now", "call [phone] now"),
    ],
)
def test_what_looks_like_a_secret_is_removed_from_any_text(text, clean):
    assert redact_text(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "order FS-7K2M was placed",
        "4111111111111112 fails the check digit",
        "2026-11-21T11:40:38.123456+00:00",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "SELECT a FROM b WHERE c = %s LIMIT 21",
        "basic things",
        "https://shop.example/api/v2/orders",
    ],
)
def test_ordinary_text_stays(text):
    assert redact_text(text) == text


def test_whatever_is_no_json_becomes_it():
    class Rude:
        def __str__(self):
            raise RuntimeError

    endless = {"a": 1}
    endless["self"] = endless
    assert redact({"n": float("nan"), "rude": Rude(), "list": ({"b"}, 1.5, None, True)}) == {
        "n": "nan",
        "rude": "<Rude>",
        "list": [["b"], 1.5, None, True],
    }
    assert "..." in str(redact(endless))
    assert len(redact("x" * 50_000)) == 20_000


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "+1",
        "1",
        "1 ",
        "a@",
        "a.",
        "eyJ",
        "-eyJ",
        "://",
        "password",
        "'",
        "Bearer ",
        "x_",
        ": ",
        "http://",
        "http://a?",
    ],
)
def test_a_long_text_takes_no_quadratic_time(piece):
    """A quadratic pattern would need minutes for these."""
    redact_text(piece * 200_000)


def test_no_text_makes_it_fail():
    alphabet = string.printable + "\x00\ud800é世"
    for seed in range(300):
        chance = random.Random(seed)
        redact_text("".join(chance.choice(alphabet) for _ in range(chance.randrange(200))))
