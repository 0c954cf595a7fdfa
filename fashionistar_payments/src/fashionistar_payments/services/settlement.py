"""What a gateway's word does to a payment. Called with a transaction open."""

from collections.abc import Sequence
from typing import Any

from fashionistar_common import audit
from fashionistar_common.db import lock_rows
from fashionistar_common.events import event_bus
from fashionistar_common.money import Money

from ..events import PaymentFailed, PaymentSucceeded
from ..exceptions import AmountMismatchError, DuplicateChargeError
from ..models import Payment
from ..states import status_after
from ..types import NoticeKind, PaymentStatus


def lock_with_siblings(payment: Payment) -> tuple[Payment, list[Payment]]:
    """Lock all payments of the order, in primary-key order; returns this one as it is now, and the others."""
    rows = lock_rows(Payment.objects.filter(order_number=payment.order_number))
    return next(row for row in rows if row.pk == payment.pk), [row for row in rows if row.pk != payment.pk]


def settle(
    payment: Payment,
    kind: NoticeKind,
    *,
    siblings: Sequence[Payment],
    amount: Money | None = None,
    failure_code: str = "",
) -> None:
    """Apply what the provider says about a locked payment, once.

    Publishes `payments.payment_succeeded` or `payments.payment_failed` when the status changes to that. What changes
    nothing publishes nothing.

    Args:
        payment: locked.
        kind: what the provider says.
        siblings: the other payments of the order, locked.
        amount: what was paid; a success must say so.
        failure_code: the provider's word for why it failed.

    Raises:
        AmountMismatchError: the amount or currency is not the payment's. Nothing is changed.
        DuplicateChargeError: another payment has paid the order already. Nothing is changed.
    """
    after = status_after(PaymentStatus(payment.status), kind)
    if after == payment.status:
        return
    if after is PaymentStatus.SUCCEEDED:
        if amount != payment.amount:
            raise AmountMismatchError(provider=payment.provider, reported=amount, expected=payment.amount)
        _make_room(payment, siblings)
    former, payment.status = payment.status, after
    payment.failure_code = failure_code if after is PaymentStatus.FAILED else ""
    payment.save(update_fields=["status", "failure_code", "updated_at"])
    _publish(payment)
    facts = {"status": (former, payment.status), "failure_code": ("", payment.failure_code)}
    audit.record(f"payments.payment_{payment.status}", payment, changes=facts)


def _make_room(paid: Payment, siblings: Sequence[Payment]) -> None:
    """A payment that was given up can still be paid. Then a newer one, if it only waits, gives way."""
    for other in siblings:
        if other.status == PaymentStatus.SUCCEEDED:
            raise DuplicateChargeError(order_number=paid.order_number, paid_by=other.public_id)
        if other.status == PaymentStatus.PENDING:
            other.status = PaymentStatus.CANCELLED
            other.save(update_fields=["status", "updated_at"])
            facts = {"status": (PaymentStatus.PENDING, other.status), "paid_by": (None, paid.public_id)}
            audit.record("payments.payment_cancelled", other, changes=facts)


def _publish(payment: Payment) -> None:
    facts: dict[str, Any] = {
        "order_number": payment.order_number,
        "payment_id": payment.public_id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "provider": payment.provider,
    }
    if payment.status == PaymentStatus.SUCCEEDED:
        event_bus.publish(PaymentSucceeded(**facts))
    elif payment.status == PaymentStatus.FAILED:
        event_bus.publish(PaymentFailed(**facts, failure_code=payment.failure_code))
