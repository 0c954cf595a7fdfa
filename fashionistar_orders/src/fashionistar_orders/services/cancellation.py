"""Ending an order that is not paid."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.events import event_bus
from fashionistar_common.exceptions import FashionistarError
from fashionistar_common.scope import get_in_scope
from fashionistar_common.types import Actor, Role

from ..events import OrderCancelled
from ..exceptions import OrderNotCancellableError, OrderNotFoundError
from ..models import Order, OrderLine
from ..ports import catalog
from ..selectors import unpaid_orders
from ..states import can_become, next_status
from ..types import CancellationReason, OrderStatus

logger = logging.getLogger(__name__)


@transaction.atomic
def cancel_order(number: str, *, actor: Actor) -> Order:
    """Cancel an order and return its stock; for an order that is cancelled already, do nothing.

    A customer may cancel their own, staff may cancel any. Locks the order, then the catalog's variants. Publishes
    `orders.order_cancelled`.

    Raises:
        OrderNotFoundError: for an unknown number, and just so for somebody else's.
        OrderNotCancellableError: when it is paid.
    """
    visible = Order.objects.all() if actor.role == Role.STAFF else Order.objects.filter(customer_id=actor.id)
    order = get_in_scope(visible.select_for_update(), OrderNotFoundError, number=number)
    if order.status == OrderStatus.CANCELLED:
        return order
    if not can_become(order.status, OrderStatus.CANCELLED):
        raise OrderNotCancellableError(number=number, status=order.status)
    by_staff = actor.role == Role.STAFF
    _cancel(order, CancellationReason.STAFF if by_staff else CancellationReason.CUSTOMER, actor=actor)
    return order


def cancel_unpaid_orders(*, older_than: timedelta) -> list[str]:
    """Cancel the orders that have waited longer than this for their money; returns their numbers.

    Each order is a transaction of its own. One that is paid in the meantime stays paid; one that cannot be cancelled is
    logged and left, and does not stand in the way of the others.
    """
    cancelled = []
    for pk, number in list(unpaid_orders(older_than).values_list("pk", "number")):
        try:
            if _cancel_if_unpaid(pk):
                cancelled.append(number)
        except FashionistarError:
            logger.exception("unpaid order could not be cancelled", extra={"order_number": number})
    if cancelled:
        logger.info("unpaid orders cancelled", extra={"count": len(cancelled)})
    return cancelled


@transaction.atomic
def _cancel_if_unpaid(pk: int) -> bool:
    order = Order.objects.select_for_update().get(pk=pk)
    if not can_become(order.status, OrderStatus.CANCELLED):
        return False
    _cancel(order, CancellationReason.UNPAID)
    return True


def _cancel(order: Order, reason: CancellationReason, *, actor: Actor | None = None) -> None:
    """The order is locked by the caller."""
    former, order.status = order.status, next_status(order.status, OrderStatus.CANCELLED)
    order.cancelled_at = timezone.now()
    order.cancellation_reason = reason
    order.save(update_fields=["status", "cancelled_at", "cancellation_reason"])
    lines = OrderLine.objects.filter(vendor_order__order=order).order_by("pk")
    quantities = dict(lines.values_list("sku", "quantity"))
    catalog().return_stock(quantities, reference=order.number)
    event_bus.publish(
        OrderCancelled(
            order_number=order.number,
            customer_id=order.customer_id,
            currency=order.currency,
            total_minor=order.total_minor,
            reason=str(reason),
            lines=[{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()],
        )
    )
    facts = {"status": (former, order.status), "reason": (None, reason)}
    audit.record("orders.order_cancelled", order, public_id=order.number, changes=facts, actor=actor)
