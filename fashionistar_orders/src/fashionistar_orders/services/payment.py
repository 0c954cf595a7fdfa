"""Money arrives for an order."""

import logging

from django.db import transaction
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.events import event_bus
from fashionistar_common.money import Money
from fashionistar_common.scope import get_in_scope

from ..events import OrderPaid, PaymentRefused
from ..exceptions import OrderNotFoundError
from ..models import Order
from ..states import next_status, payment_outcome
from ..types import OrderStatus, PaymentOutcome

logger = logging.getLogger(__name__)


@transaction.atomic
def mark_order_paid(number: str, *, amount: Money, payment_id: str) -> PaymentOutcome:
    """Note that money has arrived for an order, and say what that means.

    Locks the order. The same payment a second time changes nothing. The full amount for a placed order makes it paid
    and publishes `orders.order_paid`. Any other money is refused: the order's status stays, an error is logged, and
    `orders.payment_refused` is published, because a refund is due. A cancelled order also keeps `paid_at`.

    Raises:
        OrderNotFoundError: for an unknown number.
    """
    order = get_in_scope(Order.objects.select_for_update(), OrderNotFoundError, number=number)
    outcome = payment_outcome(
        order.status,
        total=order.total,
        paid=amount,
        known_payment=order.payment_id,
        payment_id=payment_id,
    )
    match outcome:
        case PaymentOutcome.REPEATED:
            return outcome
        case PaymentOutcome.ACCEPTED:
            former, order.status = order.status, next_status(order.status, OrderStatus.PAID)
            _note_payment(order, payment_id)
            event_bus.publish(
                OrderPaid(
                    order_number=order.number,
                    customer_id=order.customer_id,
                    currency=order.currency,
                    total_minor=order.total_minor,
                    payment_id=payment_id,
                )
            )
            facts = {"status": (former, order.status), "payment_id": (None, payment_id)}
            audit.record("orders.order_paid", order, public_id=number, changes=facts)
        case _:
            if outcome == PaymentOutcome.ORDER_CANCELLED and order.paid_at is None:
                _note_payment(order, payment_id)
            _refuse(order, outcome, amount, payment_id)
    return outcome


def _note_payment(order: Order, payment_id: str) -> None:
    order.paid_at, order.payment_id = timezone.now(), payment_id
    order.save(update_fields=["status", "paid_at", "payment_id"])


def _refuse(order: Order, outcome: PaymentOutcome, amount: Money, payment_id: str) -> None:
    facts = {"order_number": order.number, "payment_id": payment_id, "reason": str(outcome)}
    logger.error("payment refused, a refund is due", extra=facts)
    event_bus.publish(
        PaymentRefused(
            order_number=order.number,
            payment_id=payment_id,
            amount_minor=amount.amount_minor,
            currency=amount.currency,
            reason=str(outcome),
        )
    )
    refused = {"payment_id": (None, payment_id), "amount": (None, amount), "reason": (None, outcome)}
    audit.record("orders.payment_refused", order, public_id=order.number, changes=refused)
