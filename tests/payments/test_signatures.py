"""Who may speak for the gateway."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fashionistar_payments.exceptions import MalformedWebhookError, SignatureError
from fashionistar_payments.providers.dummy import DummyProvider, sign
from fashionistar_payments.types import NoticeKind

SECRET = "a-secret-of-the-gateway"
NOW = 1_760_000_000
BODY = b'{"id": "evt-1", "type": "balance.changed", "created": 1760000000, "data": {}}'
GOOD = sign(BODY, SECRET, NOW)
RIGHT, WRONG = GOOD.partition("v1=")[2], "0" * 64
VECTORS = Path(__file__).resolve().parents[3] / "shared/data/stripe/signature_vectors_dev.json"


def provider(secret: str = SECRET) -> DummyProvider:
    return DummyProvider("dummy", {"SECRET": secret})


def parse(header: str | None, body: bytes = BODY, *, secret: str = SECRET, now: int = NOW) -> Any:
    headers = {} if header is None else {"dummy-signature": header}
    return provider(secret).parse_webhook(body, headers, datetime.fromtimestamp(now, UTC))


def test_the_signature_is_the_hmac_of_time_dot_body() -> None:
    """As `printf '1.{}' | openssl dgst -sha256 -hmac secret` says."""
    assert sign(b"{}", "secret", 1) == "t=1,v1=1122767b193110cfec322b6f199b599edbf608ed087f2d27afb0b97d99523908"


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        f"t={NOW},v1={WRONG},v1={RIGHT}",  # two secrets while the gateway changes its own
        f"t={NOW},v1={RIGHT},v1={WRONG}",
        f"t={NOW}, v1={RIGHT}",
        f"v0={WRONG},v1={RIGHT},t={NOW}",
        sign(BODY, SECRET, NOW - 300),
        sign(BODY, SECRET, NOW + 300),
    ],
)
def test_a_good_signature_is_accepted(header: str) -> None:
    (notice,) = parse(header)
    assert (notice.event_id, notice.kind, notice.amount) == ("evt-1", NoticeKind.OTHER, None)
    assert notice.occurred_at == datetime.fromtimestamp(NOW, UTC)


@pytest.mark.parametrize(
    ("why", "header"),
    [
        ("missing", None),
        ("empty", ""),
        ("no fields", "hello"),
        ("no time", f"v1={RIGHT}"),
        ("no signature", f"t={NOW}"),
        ("empty signature", f"t={NOW},v1="),
        ("two times", f"t={NOW},t={NOW},v1={RIGHT}"),
        ("time is no number", f"t=soon,v1={RIGHT}"),
        ("time has other digits", f"t=١٢,v1={RIGHT}"),
        ("time is endless", f"t={'9' * 5000},v1={RIGHT}"),
        ("negative time", f"t=-1,v1={RIGHT}"),
        ("wrong", f"t={NOW},v1={WRONG}"),
        ("shortened", f"t={NOW},v1={RIGHT[:-1]}"),
        ("not ASCII", f"t={NOW},v1=ключ"),
        ("older scheme only", f"t={NOW},v0={RIGHT}"),
        ("time changed after signing", f"t={NOW + 1},v1={RIGHT}"),
        ("other secret", sign(BODY, "somebody-else", NOW)),
        ("stale by a second", sign(BODY, SECRET, NOW - 301)),
        ("from the future", sign(BODY, SECRET, NOW + 301)),
        ("other body", sign(BODY + b" ", SECRET, NOW)),
    ],
)
def test_a_bad_signature_is_refused(why: str, header: str | None) -> None:
    with pytest.raises(SignatureError) as refusal:
        parse(header)
    assert refusal.value.code == "invalid_signature"


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(SignatureError):
        parse(sign(BODY, "", NOW), secret="")


EVENT: dict[str, Any] = {
    "id": "evt-1",
    "type": "payment.succeeded",
    "created": NOW,
    "data": {"reference": "r-1", "amount": 1, "currency": "NGN"},
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b"null",
        b'"text"',
        b"\xff",
        json.dumps(EVENT | {"id": ""}).encode(),
        json.dumps(EVENT | {"id": "x" * 256}).encode(),
        json.dumps(EVENT | {"id": "nul\0"}).encode(),
        json.dumps(EVENT | {"id": 7}).encode(),
        json.dumps(EVENT | {"created": -1}).encode(),
        json.dumps(EVENT | {"created": 10**30}).encode(),
        json.dumps(EVENT | {"created": "now"}).encode(),
        json.dumps(EVENT | {"data": {}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"amount": 1.5}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"amount": "1"}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"amount": -1}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"amount": 2**63}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"currency": "naira"}}).encode(),
        json.dumps(EVENT | {"data": EVENT["data"] | {"failure_code": "\0"}}).encode(),
    ],
)
def test_a_signed_body_that_cannot_be_understood_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(MalformedWebhookError):
        parse(sign(body, SECRET, NOW), body)


def test_one_body_may_carry_several_events() -> None:
    body = json.dumps([EVENT, EVENT | {"id": "evt-2", "type": "payment.failed"}]).encode()
    notices = parse(sign(body, SECRET, NOW), body)
    assert [notice.kind for notice in notices] == [NoticeKind.PAYMENT_SUCCEEDED, NoticeKind.PAYMENT_FAILED]


@pytest.mark.skipif(not VECTORS.exists(), reason="the recorded signature vectors are not on this machine")
def test_the_scheme_agrees_with_recorded_vectors_of_a_real_gateway() -> None:
    """The dummy signs as Stripe does, so Stripe's judgement of these headers must be ours."""
    vectors = json.loads(VECTORS.read_text())
    assert len(vectors) >= 19
    for vector in vectors:
        try:
            provider(vector["secret"]).verify_webhook(
                vector["payload"].encode(),
                {"dummy-signature": vector["stripe_signature"]},
                datetime.fromtimestamp(vector["now"], UTC),
            )
        except SignatureError:
            accepted = False
        else:
            accepted = True
        assert accepted == vector["valid"], vector["why"]
