"""Hearing from a gateway."""

import json
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from fashionistar_common.events import event_bus
from fashionistar_common.money import Money
from fashionistar_common.testing import published
from fashionistar_payments import services
from fashionistar_payments.exceptions import (
    MalformedWebhookError,
    SignatureError,
    UnknownProviderError,
    WebhookNotProcessedError,
)
from fashionistar_payments.models import Payment, WebhookEvent
from fashionistar_payments.providers import payment_providers
from fashionistar_payments.providers.dummy import SIGNATURE_HEADER, DummyProvider, sign, webhook_body
from fashionistar_payments.testing import make_payment, signed_webhook
from fashionistar_payments.types import WebhookReceipt

pytestmark = pytest.mark.django_db
DONE, KEPT = WebhookReceipt(received=1, processed=1), WebhookReceipt(received=1, processed=0)


def tell(payment: Payment, kind: str = "payment.succeeded", **details: Any) -> WebhookReceipt:
    body, headers = signed_webhook(payment, kind, **details)
    return services.receive_webhook(provider="dummy", body=body, headers=headers)


def outcome(payment: Payment) -> tuple[str, int, int]:
    """Status of the payment, and how often success and failure were published."""
    payment.refresh_from_db()
    events = (len(published(f"payments.payment_{what}")) for what in ("succeeded", "failed"))
    return (payment.status, *events)


def test_a_succeeded_payment_is_said_to_the_others_in_the_same_words_for_ever() -> None:
    payment = make_payment()
    assert tell(payment) == DONE
    assert outcome(payment) == ("succeeded", 1, 0)
    assert published("payments.payment_succeeded") == [
        {
            "order_number": "FS-TEST-1",
            "payment_id": payment.public_id,
            "amount_minor": 12_900_00,
            "currency": "NGN",
            "provider": "dummy",
        }
    ]


def test_a_failed_payment_says_why() -> None:
    payment = make_payment()
    assert tell(payment, "payment.failed", failure_code="card_declined") == DONE
    assert outcome(payment) == ("failed", 0, 1)
    assert payment.failure_code == "card_declined"
    assert published("payments.payment_failed") == [
        {
            "order_number": "FS-TEST-1",
            "payment_id": payment.public_id,
            "amount_minor": 12_900_00,
            "currency": "NGN",
            "provider": "dummy",
            "failure_code": "card_declined",
        }
    ]


def test_what_the_gateway_said_is_kept_word_for_word_but_not_its_credentials() -> None:
    payment = make_payment()
    body, headers = signed_webhook(payment)
    sent = {
        **headers,
        "User-Agent": "Gateway/1",
        "Content-Type": "application/json",
        "Cookie": "s",
        "Authorization": "b",
    }
    services.receive_webhook(provider="dummy", body=body, headers=sent)
    event = WebhookEvent.objects.get()
    assert (event.body.encode(), event.kind, event.attempts, event.last_error) == (body, "payment_succeeded", 1, "")
    assert event.headers == {"user-agent": "Gateway/1", "content-type": "application/json"}
    assert event.processed_at >= event.received_at


def test_repeats_have_no_effect_and_are_thanked() -> None:
    payment = make_payment()
    assert [tell(payment) for _ in range(5)] == [DONE] * 5
    assert tell(payment, event_id="another-event-about-the-same-success") == DONE
    assert outcome(payment) == ("succeeded", 1, 0)
    assert list(WebhookEvent.objects.order_by("pk").values_list("attempts", flat=True)) == [1, 1]


SAID: list[tuple[list[str], tuple[str, int, int]]] = [
    (["succeeded", "failed"], ("succeeded", 1, 0)),
    (["succeeded", "cancelled"], ("succeeded", 1, 0)),
    (["failed", "succeeded"], ("succeeded", 1, 1)),
    (["cancelled", "succeeded"], ("succeeded", 1, 0)),
    (["cancelled", "failed"], ("cancelled", 0, 0)),
    (["failed", "cancelled"], ("failed", 0, 1)),
    (["refund.created"], ("pending", 0, 0)),
]


@pytest.mark.parametrize(("said", "expected"), SAID)
def test_webhooks_in_any_order_end_in_the_truth(said: list[str], expected: tuple[str, int, int]) -> None:
    payment = make_payment()
    for what in said:
        assert tell(payment, what if "." in what else f"payment.{what}") == DONE
    assert outcome(payment) == expected
    assert payment.failure_code == ""


def test_a_late_success_takes_the_place_of_a_newer_payment_that_only_waits() -> None:
    given_up, newer = make_payment(status="cancelled"), make_payment()
    assert tell(given_up) == DONE
    assert outcome(given_up) == ("succeeded", 1, 0)
    assert outcome(newer)[0] == "cancelled"


def test_a_second_charge_for_one_order_is_kept_for_an_operator() -> None:
    given_up, paid = make_payment(status="failed"), make_payment()
    tell(paid)
    assert tell(given_up) == KEPT
    assert outcome(given_up) == ("failed", 1, 0)
    event = WebhookEvent.objects.get(processed_at=None)
    assert (
        event.last_error
        == f"duplicate_charge: Order FS-TEST-1 was paid twice: payment {paid.public_id} had succeeded before."
    )


@pytest.mark.parametrize(
    "amount", [Money(12_900_01, "NGN"), Money(1, "NGN"), Money(0, "NGN"), Money(12_900_00, "USD"), Money(12_900, "JPY")]
)
def test_another_amount_never_pays(amount: Money) -> None:
    payment = make_payment()
    assert tell(payment, amount=amount) == KEPT
    assert outcome(payment) == ("pending", 0, 0)
    event = WebhookEvent.objects.get()
    assert event.last_error.startswith("amount_mismatch: dummy reports")
    assert (event.processed_at, event.attempts) == (None, 1)
    assert tell(payment, event_id="the-right-one") == DONE


def test_an_unknown_reference_is_kept_and_found_when_the_payment_is_there() -> None:
    payment = make_payment(public_id="pay_later", provider_reference="")
    body, headers = signed_webhook(payment)
    payment.delete()
    assert services.receive_webhook(provider="dummy", body=body, headers=headers) == KEPT
    assert WebhookEvent.objects.get().last_error.startswith(
        "unknown_reference: No payment of dummy has the reference 'dummy_"
    )
    payment = make_payment(public_id="pay_later", provider_reference="")
    assert services.receive_webhook(provider="dummy", body=body, headers=headers) == DONE
    event = WebhookEvent.objects.get()
    assert (event.attempts, event.last_error) == (2, "")
    assert outcome(payment) == ("succeeded", 1, 0)
    assert payment.provider_reference.startswith("dummy_")


@pytest.mark.parametrize(
    "facts",
    [
        {"provider": "another"},  # another gateway may use the same words
        {"provider_reference": "something-else"},  # the id alone is not enough when the reference says otherwise
    ],
)
def test_a_payment_of_another_reference_is_not_touched(facts: dict[str, Any]) -> None:
    payment = make_payment(**facts)
    body = webhook_body(
        "payment.succeeded", payment_id=payment.public_id, amount=payment.amount, event_id="e", created=1
    )
    assert receive(body) == KEPT
    assert outcome(payment) == ("pending", 0, 0)


def receive(body: bytes) -> WebhookReceipt:
    provider, now = payment_providers["dummy"], int(time.time())
    assert isinstance(provider, DummyProvider)
    return services.receive_webhook(
        provider="dummy", body=body, headers={SIGNATURE_HEADER: sign(body, provider.secret, now)}
    )


def test_several_events_in_one_request_are_each_for_themselves() -> None:
    good, bad = make_payment(), make_payment(order_number="FS-2")
    events = [json.loads(signed_webhook(good)[0]), json.loads(signed_webhook(bad, amount=Money(1, "NGN"))[0])]
    assert receive(json.dumps(events).encode()) == WebhookReceipt(received=2, processed=1)
    assert (outcome(good)[0], outcome(bad)[0]) == ("succeeded", "pending")
    assert receive(b"[]") == WebhookReceipt(received=0, processed=0)


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"{}", {}, SignatureError),
        (b"{}", {"Dummy-Signature": "t=1,v1=00"}, SignatureError),
        (None, None, MalformedWebhookError),
    ],
)
def test_what_is_not_the_gateways_leaves_no_trace(
    body: bytes | None, headers: dict[str, str] | None, refusal: type[Exception], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0), pytest.raises(refusal):
        if body is None:
            receive('{"id": "e", "type": "x", "created": 1}'.encode("utf-16"))
        else:
            services.receive_webhook(provider="dummy", body=body, headers=headers or {})
    assert not WebhookEvent.objects.exists()


def test_an_unknown_provider_is_unknown() -> None:
    with pytest.raises(UnknownProviderError):
        services.receive_webhook(provider="nobody", body=b"", headers={})


# When our own side fails ------------------------------------------------------------------------------------------


@pytest.fixture
def broken_bus(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Publishing fails until the returned function is called."""
    publish = event_bus.publish

    def fail(event: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(event_bus, "publish", fail)
    return lambda: monkeypatch.setattr(event_bus, "publish", publish)


def test_an_error_keeps_the_event_changes_nothing_and_the_next_delivery_completes_it(
    broken_bus: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    payment = make_payment()
    for attempt in (1, 2):
        with pytest.raises(WebhookNotProcessedError):
            tell(payment)
        event = WebhookEvent.objects.get()
        assert (event.attempts, event.last_error, event.processed_at) == (attempt, "OSError: disk full", None)
    assert outcome(payment) == ("pending", 0, 0)
    assert "webhook not processed" in caplog.text
    broken_bus()
    assert tell(payment) == DONE
    assert outcome(payment) == ("succeeded", 1, 0)


def test_one_failing_event_does_not_hold_up_the_others_of_its_request(broken_bus: Callable[[], None]) -> None:
    failing, harmless = make_payment(), make_payment(order_number="FS-2")
    events = [json.loads(signed_webhook(failing)[0]), json.loads(signed_webhook(harmless, "payment.cancelled")[0])]
    with pytest.raises(WebhookNotProcessedError):
        receive(json.dumps(events).encode())
    assert outcome(harmless)[0] == "cancelled"


def test_a_replay_completes_what_failed_and_reports_what_still_does(
    broken_bus: Callable[[], None], settings: Any
) -> None:
    paid, mismatched, exhausted = (make_payment(order_number=f"FS-{n}") for n in range(3))
    tell(mismatched, amount=Money(1, "NGN"))
    for payment in (paid, exhausted):
        with pytest.raises(WebhookNotProcessedError):
            tell(payment)
    WebhookEvent.objects.filter(event_id__contains=exhausted.public_id).update(attempts=25)
    report = services.replay_webhooks()
    assert (report.found, report.processed, len(report.errors)) == (2, 0, 2)
    broken_bus()
    report = services.replay_webhooks()
    assert (report.found, report.processed, list(report.errors)) == (
        2,
        1,
        [f"dummy evt-{mismatched.public_id}-payment.succeeded"],
    )
    assert outcome(paid)[0] == "succeeded"
    assert outcome(exhausted)[0] == "pending"


def test_a_replay_needs_no_fresh_signature_but_the_provider(settings: Any) -> None:
    payment = make_payment()
    tell(payment, amount=Money(1, "NGN"), at=None)
    event = WebhookEvent.objects.get()
    Payment.objects.update(amount_minor=1)
    configured = settings.FASHIONISTAR_PAYMENTS
    settings.FASHIONISTAR_PAYMENTS = configured | {"PROVIDERS": {}}
    assert list(services.replay_webhooks().errors.values()) == [
        "UnknownProviderError: There is no payment provider 'dummy'."
    ]
    settings.FASHIONISTAR_PAYMENTS = configured
    assert services.replay_webhooks().processed == 1
    assert outcome(payment)[0] == "succeeded"
    services.process_webhook(event)  # as it was read before: already done, nothing happens
    assert outcome(payment) == ("succeeded", 1, 0)


def test_a_stored_body_without_its_event_is_an_error_not_a_success() -> None:
    event = WebhookEvent.objects.create(provider="dummy", event_id="e", kind="other", body="[]")
    with pytest.raises(MalformedWebhookError):
        services.process_webhook(event)
    event.refresh_from_db()
    assert event.last_error.startswith("malformed_webhook")


# Many at once -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_hundred_replays_shuffled_and_concurrent_are_one_effect(together: Callable[..., list[Any]]) -> None:
    payment = make_payment()
    deliveries = [
        signed_webhook(payment, kind, event_id=event_id)
        for kind, event_id in [
            ("payment.succeeded", "evt-1"),
            ("payment.succeeded", "evt-2"),  # another event about the same success
            ("payment.failed", "evt-3"),
            ("payment.cancelled", "evt-4"),
        ]
        for _ in range(25)
    ]
    random.Random(7).shuffle(deliveries)

    def deliver(part: list[Any]) -> Callable[[], list[WebhookReceipt]]:
        return lambda: [
            services.receive_webhook(provider="dummy", body=body, headers=headers) for body, headers in part
        ]

    results = together(*(deliver(deliveries[start::10]) for start in range(10)))
    assert [receipt for receipts in results for receipt in receipts] == [DONE] * 100
    status, succeeded, failed = outcome(payment)
    assert (status, succeeded) == ("succeeded", 1)
    assert failed <= 1  # when the failure came before the success
    assert WebhookEvent.objects.filter(processed_at__isnull=False, attempts=1).count() == 4


@pytest.mark.django_db(transaction=True)
def test_success_of_two_payments_of_one_order_at_once_pays_it_once(together: Callable[..., list[Any]]) -> None:
    for number in range(5):
        first, second = (make_payment(order_number=f"FS-{number}", status="failed") for _ in range(2))
        results = together(lambda one=first: tell(one), lambda one=second: tell(one))
        assert sorted(results, key=lambda receipt: receipt.processed) == [KEPT, DONE]
        assert sorted([outcome(first)[0], outcome(second)[0]]) == ["failed", "succeeded"]
    assert len(published("payments.payment_succeeded")) == 5
