"""Starting to pay an order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.money import Money
from fashionistar_common.testing import deliver_events, published
from fashionistar_payments import services
from fashionistar_payments.exceptions import (
    InvalidProviderError,
    OrderAlreadyPaidError,
    PaymentInProgressError,
    PortNotConfiguredError,
    ProviderCallInTransactionError,
    ProviderNotConfiguredError,
    ProviderUnavailableError,
    UnsupportedCurrencyError,
)
from fashionistar_payments.models import Payment
from fashionistar_payments.providers.dummy import DummyProvider, reference_of
from fashionistar_payments.testing import FakeOrders, make_payment, signed_webhook
from fashionistar_payments.types import PaymentRequest, PaymentStatus, ProviderPayment

from .conftest import CUSTOMER, STRANGER

pytestmark = pytest.mark.django_db

REAL_CREATE = DummyProvider.create_payment


def pay(number: str = "FS-TEST-1", provider: str = "") -> Payment:
    return services.create_payment(order_number=number, actor=CUSTOMER, provider=provider)


def answer(monkeypatch: pytest.MonkeyPatch, create: Callable[[DummyProvider, PaymentRequest], ProviderPayment]) -> None:
    """Play a gateway that answers in another way."""
    monkeypatch.setattr(DummyProvider, "create_payment", create)


def test_a_payment_has_the_orders_price_and_the_gateways_reference(orders: FakeOrders) -> None:
    orders.add(amount=Money(1_500, "XOF"))
    payment = Payment.objects.get(pk=pay().pk)
    assert payment.public_id.startswith("pay_")
    assert len(payment.public_id) == 24
    assert payment.amount == Money(1_500, "XOF")
    assert (payment.customer_id, payment.provider, payment.status) == (CUSTOMER.id, "dummy", "pending")
    assert payment.provider_reference == reference_of(payment.public_id)
    assert payment.open_action == {
        "type": "redirect",
        "url": f"https://gateway.example/checkout/{payment.provider_reference}",
        "data": {"reference": payment.provider_reference},
    }
    assert published("payments.payment_succeeded") == []


def test_asked_again_it_is_the_same_payment_and_the_gateway_is_left_alone(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.add()
    first = pay()
    answer(monkeypatch, lambda *_: pytest.fail("asked again"))
    assert pay() == first
    assert pay(provider="dummy") == first
    assert Payment.objects.count() == 1


def test_a_failed_payment_can_be_followed_by_another_one(orders: FakeOrders) -> None:
    orders.add()
    failed, cancelled = make_payment(status="failed"), make_payment(status="cancelled")
    assert pay() not in (failed, cancelled)


def test_an_order_that_is_paid_is_not_paid_again(orders: FakeOrders) -> None:
    orders.add()
    make_payment(status="succeeded")
    with pytest.raises(OrderAlreadyPaidError, match="FS-TEST-1"):
        pay()


@pytest.mark.parametrize("other", [{"provider": "another"}, {"amount_minor": 1}, {"currency": "USD"}])
def test_a_payment_on_other_terms_is_not_mixed_with_the_one_in_progress(
    orders: FakeOrders, other: dict[str, Any]
) -> None:
    orders.add()
    make_payment(**other)
    with pytest.raises(PaymentInProgressError):
        pay()


def test_other_peoples_orders_and_unknown_ones_are_not_found(orders: FakeOrders) -> None:
    orders.add(customer_id=STRANGER.id)
    for number in ("FS-TEST-1", "FS-UNKNOWN"):
        with pytest.raises(NotFoundError):
            pay(number)
    assert not Payment.objects.exists()


def test_what_is_not_configured_is_said(orders: FakeOrders, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.add()
    with pytest.raises(InvalidProviderError, match="'stripe'") as refusal:
        pay(provider="stripe")
    assert [field.pointer for field in refusal.value.errors] == ["/provider"]

    monkeypatch.setattr(DummyProvider, "currencies", frozenset({"USD"}))
    with pytest.raises(UnsupportedCurrencyError, match="dummy does not take NGN"):
        pay()

    configured = settings.FASHIONISTAR_PAYMENTS
    two = {"one": configured["PROVIDERS"]["dummy"], "two": configured["PROVIDERS"]["dummy"]}
    settings.FASHIONISTAR_PAYMENTS = configured | {"PROVIDERS": two}
    with pytest.raises(InvalidProviderError):
        pay()
    settings.FASHIONISTAR_PAYMENTS = configured | {"PROVIDERS": {}}
    with pytest.raises(ProviderNotConfiguredError):
        pay()
    settings.FASHIONISTAR_PAYMENTS = {"PROVIDERS": configured["PROVIDERS"]}
    with pytest.raises(PortNotConfiguredError):
        pay()
    assert not Payment.objects.exists()


def test_of_several_providers_the_default_one_is_used(orders: FakeOrders, settings: Any) -> None:
    orders.add()
    dummy = settings.FASHIONISTAR_PAYMENTS["PROVIDERS"]["dummy"]
    settings.FASHIONISTAR_PAYMENTS |= {"PROVIDERS": {"one": dummy, "two": dummy}, "DEFAULT_PROVIDER": "two"}
    assert pay().provider == "two"


# Dying half-way ---------------------------------------------------------------------------------------------------


def test_when_the_gateway_does_not_answer_the_next_call_finishes_the_same_payment(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.add()
    asked = []

    def unreachable(provider: DummyProvider, request: PaymentRequest) -> ProviderPayment:
        asked.append(request.payment_id)
        raise ProviderUnavailableError(provider=provider.alias)

    answer(monkeypatch, unreachable)
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError):
            pay()
    waiting = Payment.objects.get()
    assert (waiting.status, waiting.provider_reference) == ("pending", "")
    answer(monkeypatch, REAL_CREATE)
    finished = pay()
    assert finished == waiting
    assert finished.provider_reference == reference_of(waiting.public_id)
    assert asked == [waiting.public_id, waiting.public_id]  # by this name the gateway knows it is one payment


@pytest.mark.parametrize("told_before", [True, False])
def test_killed_after_the_gateway_has_answered_the_payment_is_found_again(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch, told_before: bool
) -> None:
    """The row and the gateway's payment are there, our note of its reference is not; the webhook may even be first."""
    orders.add()

    def killed(provider: DummyProvider, request: PaymentRequest) -> ProviderPayment:
        REAL_CREATE(provider, request)
        raise KeyboardInterrupt

    answer(monkeypatch, killed)
    with pytest.raises(KeyboardInterrupt):
        pay()
    answer(monkeypatch, REAL_CREATE)
    payment = Payment.objects.get()
    body, headers = signed_webhook(payment)
    if told_before:
        services.receive_webhook(provider="dummy", body=body, headers=headers)
        with pytest.raises(OrderAlreadyPaidError):
            pay()
    else:
        assert pay() == payment
        services.receive_webhook(provider="dummy", body=body, headers=headers)
    payment.refresh_from_db()
    assert (payment.status, payment.provider_reference) == ("succeeded", reference_of(payment.public_id))
    assert len(published("payments.payment_succeeded")) == 1


def test_a_webhook_quicker_than_our_own_note_is_not_overwritten(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.add()

    def quick(provider: DummyProvider, request: PaymentRequest) -> ProviderPayment:
        body, headers = signed_webhook(Payment.objects.get())
        services.receive_webhook(provider="dummy", body=body, headers=headers)
        return REAL_CREATE(provider, request)

    answer(monkeypatch, quick)
    payment = pay()
    assert (payment.status, payment.open_action) == ("succeeded", None)
    assert len(published("payments.payment_succeeded")) == 1


@pytest.mark.parametrize(
    ("status", "event"),
    [(PaymentStatus.SUCCEEDED, "payments.payment_succeeded"), (PaymentStatus.FAILED, "payments.payment_failed")],
)
def test_a_gateway_may_settle_at_once(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch, status: PaymentStatus, event: str
) -> None:
    orders.add()
    code = "card_declined" if status is PaymentStatus.FAILED else ""
    answer(monkeypatch, lambda _, r: ProviderPayment(reference=r.payment_id, status=status, failure_code=code))
    payment = pay()
    assert (payment.status, payment.failure_code) == (status, code)
    (payload,) = published(event)
    assert payload["payment_id"] == payment.public_id


# Many at once, and the rules of the table ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_it_refuses_before_it_writes(orders: FakeOrders) -> None:
    orders.add()
    with transaction.atomic(), pytest.raises(ProviderCallInTransactionError):
        pay()
    assert not Payment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_one_payment(orders: FakeOrders, together: Callable[..., list[Any]]) -> None:
    orders.add()
    payments = together(*[pay] * 12)
    assert len({payment.public_id for payment in payments}) == 1
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"status": "pending"}, {"status": "pending"}),
        ({"status": "pending"}, {"status": "succeeded"}),
        ({"status": "succeeded"}, {"status": "succeeded"}),
        ({"provider_reference": "r"}, {"provider_reference": "r", "order_number": "FS-2"}),
        ({}, {"order_number": "FS-2", "amount_minor": 0}),
        ({}, {"order_number": "FS-2", "status": "lost"}),
    ],
)
def test_the_database_itself_refuses(first: dict[str, Any], second: dict[str, Any]) -> None:
    make_payment(**first)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_payment(**second)


# Giving up --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [("pending", "cancelled"), ("succeeded", "succeeded"), ("failed", "failed"), ("cancelled", "cancelled")],
)
def test_a_cancelled_order_cancels_what_is_pending_and_nothing_else(before: str, after: str) -> None:
    from fashionistar_common.events import event_bus
    from fashionistar_orders.events import OrderCancelled

    payment, other = make_payment(status=before), make_payment(order_number="FS-2")
    with transaction.atomic():
        event_bus.publish(
            OrderCancelled(
                order_number="FS-TEST-1",
                customer_id="customer-1",
                currency="NGN",
                total_minor=12_900_00,
                reason="customer",
                lines=[],
            )
        )
    deliver_events()
    payment.refresh_from_db()
    other.refresh_from_db()
    assert (payment.status, other.status) == (after, "pending")
    assert published("payments.payment_failed") == []
