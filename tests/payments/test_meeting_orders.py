"""A payment and its order, when both change at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections
from fashionistar_common.exceptions import ConflictError
from fashionistar_common.money import Money
from fashionistar_common.types import Actor
from fashionistar_payments import services
from fashionistar_payments.exceptions import NothingToPayError, PaymentInProgressError
from fashionistar_payments.models import Payment, WebhookEvent
from fashionistar_payments.providers.dummy import DummyProvider
from fashionistar_payments.testing import FakeOrder, FakeOrders, make_payment, signed_webhook

from .conftest import CUSTOMER

pytestmark = pytest.mark.django_db


def pay() -> Payment:
    return services.create_payment(order_number="FS-TEST-1", actor=CUSTOMER)


def test_an_order_cancelled_before_its_payment_stood_leaves_none_behind(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.add()
    ask, answers = orders.payable_order, 0

    def cancelled_meanwhile(number: str, *, actor: Actor) -> FakeOrder:
        nonlocal answers
        answers += 1
        if answers > 1:
            raise ConflictError("The order is cancelled.")
        return ask(number, actor=actor)

    monkeypatch.setattr(orders, "payable_order", cancelled_meanwhile)
    monkeypatch.setattr(DummyProvider, "create_payment", lambda *_: pytest.fail("asked for a cancelled order"))
    with pytest.raises(ConflictError, match="cancelled"):
        pay()
    assert Payment.objects.get().status == "cancelled"


@pytest.mark.parametrize("amount", [0, -1])
def test_what_costs_nothing_is_not_paid(orders: FakeOrders, amount: int) -> None:
    orders.add(amount=Money(amount, "NGN"))
    with pytest.raises(NothingToPayError):
        pay()
    assert not Payment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_payment_that_ends_while_another_begins_is_a_conflict_and_no_crash(orders: FakeOrders) -> None:
    orders.add()

    def elsewhere(work: Any) -> None:
        def run() -> None:
            try:
                work()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as executor:
            executor.submit(run).result()

    def race(execute: Any, sql: str, *rest: Any) -> Any:
        if not sql.startswith("INSERT"):
            return execute(sql, *rest)
        elsewhere(make_payment)
        try:
            return execute(sql, *rest)
        finally:
            elsewhere(lambda: services.cancel_pending_payment(order_number="FS-TEST-1"))

    with connection.execute_wrapper(race), pytest.raises(PaymentInProgressError):
        pay()


def test_a_webhook_that_fails_in_words_no_database_keeps_is_counted(
    orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, headers = signed_webhook(make_payment())

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a\x00b \ud800")

    monkeypatch.setattr("fashionistar_payments.services.webhooks.settle", fail)
    with pytest.raises(services.webhooks.WebhookNotProcessedError):
        services.receive_webhook(provider="dummy", body=body, headers=headers)
    assert WebhookEvent.objects.get().attempts == 1
