"""For the tests of whoever builds on payments: builders, a fake of the orders, and a gateway to play."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.money import Money
from fashionistar_common.types import Actor

from .models import Payment
from .providers import payment_providers
from .providers.dummy import SIGNATURE_HEADER, DummyProvider, reference_of, sign, webhook_body
from .types import PaymentStatus

PRICE = Money(12_900_00, "NGN")


@dataclass(frozen=True, kw_only=True)
class FakeOrder:
    """An order to be paid, as the port gives it."""

    number: str = "FS-TEST-1"
    customer_id: str = "customer-1"
    amount: Money = PRICE
    email: str = "ada@example.com"


@dataclass
class FakeOrders:
    """The orders port over a dict. Put an instance into a module and name it in `FASHIONISTAR_PAYMENTS["ORDERS"]`."""

    by_number: dict[str, FakeOrder] = field(default_factory=dict)

    def add(self, **facts: Any) -> FakeOrder:
        """Add an order; the facts are those of `FakeOrder`."""
        order = FakeOrder(**facts)
        self.by_number[order.number] = order
        return order

    def payable_order(self, number: str, *, actor: Actor) -> FakeOrder:
        order = self.by_number.get(number)
        if order is None or order.customer_id != actor.id:
            raise NotFoundError
        return order


#: For `FASHIONISTAR_PAYMENTS = {"ORDERS": "fashionistar_payments.testing.fake_orders"}`; clear it between tests.
fake_orders = FakeOrders()


def make_payment(**facts: Any) -> Payment:
    """A stored payment; the facts are fields of `Payment`. With the dummy provider it has the dummy's reference."""
    payment = Payment(
        **{
            "order_number": "FS-TEST-1",
            "customer_id": "customer-1",
            "provider": "dummy",
            "amount_minor": 12_900_00,
            "currency": "NGN",
            "status": PaymentStatus.PENDING.value,
            **facts,
        }
    )
    if "provider_reference" not in facts:
        payment.provider_reference = reference_of(payment.public_id)
    payment.save()
    return payment


def signed_webhook(
    payment: Payment,
    kind: str = "payment.succeeded",
    *,
    event_id: str = "",
    amount: Money | None = None,
    failure_code: str = "",
    at: int | None = None,
) -> tuple[bytes, Mapping[str, str]]:
    """Body and headers of what the dummy gateway sends about a payment.

    Args:
        payment: its provider is an alias of the dummy provider.
        kind: see `providers.dummy.webhook_body`.
        event_id: by default made of the payment and the kind.
        amount: by default the payment's.
        failure_code: why it failed.
        at: Unix seconds of event and signature; by default now.
    """
    provider, moment = payment_providers[payment.provider], int(time.time()) if at is None else at
    if not isinstance(provider, DummyProvider):
        raise TypeError(f"{payment.provider} is not the dummy provider.")
    body = webhook_body(
        kind,
        payment_id=payment.public_id,
        amount=payment.amount if amount is None else amount,
        event_id=event_id or f"evt-{payment.public_id}-{kind}",
        created=moment,
        failure_code=failure_code,
    )
    return body, {SIGNATURE_HEADER: sign(body, provider.secret, moment)}
