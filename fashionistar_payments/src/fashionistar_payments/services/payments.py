"""Paying an order."""

from django.db import IntegrityError, transaction
from fashionistar_common import audit
from fashionistar_common.db import lock_rows
from fashionistar_common.exceptions import FashionistarError, FieldError
from fashionistar_common.types import Actor

from ..conf import conf
from ..exceptions import (
    InvalidProviderError,
    NothingToPayError,
    OrderAlreadyPaidError,
    PaymentInProgressError,
    ProviderNotConfiguredError,
    UnsupportedCurrencyError,
)
from ..models import Payment
from ..ports import PayableOrder, orders
from ..providers import BaseProvider, payment_providers, refuse_inside_transaction
from ..types import NoticeKind, PaymentRequest, PaymentStatus, ProviderPayment
from .settlement import lock_with_siblings, settle

_SAID: dict[PaymentStatus, NoticeKind] = {
    PaymentStatus.SUCCEEDED: NoticeKind.PAYMENT_SUCCEEDED,
    PaymentStatus.FAILED: NoticeKind.PAYMENT_FAILED,
    PaymentStatus.CANCELLED: NoticeKind.PAYMENT_CANCELLED,
}


def create_payment(*, order_number: str, actor: Actor, provider: str = "") -> Payment:
    """Start paying an order, or finish starting: asked again, it returns the payment that waits already.

    Three steps, so that nothing is locked while a gateway thinks: the payment is written, the provider is asked, the
    reference is written. Dying between them loses nothing; the next call goes on with the same payment, and the
    provider knows it by its public id. Several calls at once end with one payment.

    Args:
        order_number: the order's public number.
        actor: who pays; the order must be theirs.
        provider: alias of the provider; by default `DEFAULT_PROVIDER`.

    Raises:
        ProviderCallInTransactionError: called inside a transaction.
        NotFoundError: no such order, or not this actor's.
        ConflictError: the order is not to be paid, costs nothing, is paid already, or waits for another provider's
            payment.
        InvalidProviderError: the alias is not configured.
        UnsupportedCurrencyError: the provider does not take the order's currency.
        ProviderUnavailableError: the provider did not answer; the payment is pending.
    """
    refuse_inside_transaction()
    gateway = _provider(provider)
    order = orders().payable_order(order_number, actor=actor)
    if not gateway.takes(order.amount.currency):
        raise UnsupportedCurrencyError(provider=gateway.alias, currency=order.amount.currency)
    if order.amount.amount_minor <= 0:
        raise NothingToPayError(order_number=order.number)
    payment = _pending_payment(order, gateway.alias)
    if payment.provider_reference:
        return payment
    try:
        # Once more: an order cancelled before the payment stood has told us so already, and will not again.
        orders().payable_order(order_number, actor=actor)
    except FashionistarError:
        cancel_pending_payment(order_number=order.number)
        raise
    answer = gateway.create_payment(
        PaymentRequest(
            payment_id=payment.public_id,
            order_number=order.number,
            amount=order.amount,
            customer_id=order.customer_id,
            customer_email=order.email,
        )
    )
    return _store_answer(payment, answer)


def _provider(alias: str) -> BaseProvider:
    configured = list(payment_providers)
    if not configured:
        raise ProviderNotConfiguredError
    chosen = alias or conf.DEFAULT_PROVIDER or (configured[0] if len(configured) == 1 else "")
    if chosen not in payment_providers:
        field = FieldError(pointer="/provider", detail=f"One of: {', '.join(configured)}.", code="invalid_provider")
        raise InvalidProviderError(errors=[field], provider=chosen)
    return payment_providers[chosen]


def _pending_payment(order: PayableOrder, provider: str) -> Payment:
    """The order's one live payment, made if there is none. The partial unique constraint decides between racers."""
    try:
        with transaction.atomic():
            payment, created = Payment.objects.live().get_or_create(
                order_number=order.number,
                defaults={
                    "customer_id": order.customer_id,
                    "provider": provider,
                    "amount_minor": order.amount.amount_minor,
                    "currency": order.amount.currency,
                },
            )
            if created:
                facts = {"status": payment.status, "amount": payment.amount, "order_number": order.number}
                changes = {name: (None, value) for name, value in facts.items()}
                audit.record("payments.payment_created", payment, changes=changes)
    except IntegrityError as error:  # another stood in the way, and had ended when we looked
        raise PaymentInProgressError(order_number=order.number, provider=provider) from error
    if payment.status == PaymentStatus.SUCCEEDED:
        raise OrderAlreadyPaidError(order_number=order.number)
    if (payment.provider, payment.amount) != (provider, order.amount):
        raise PaymentInProgressError(order_number=order.number, provider=payment.provider)
    return payment


@transaction.atomic
def _store_answer(payment: Payment, answer: ProviderPayment) -> Payment:
    payment, siblings = lock_with_siblings(payment)
    if not payment.provider_reference:  # else a racer or a quick webhook has noted it
        payment.provider_reference = answer.reference
    payment.next_action = answer.next_action.to_json() if answer.next_action else None
    payment.save(update_fields=["provider_reference", "next_action", "updated_at"])
    if answer.status in _SAID:
        kind, asked = _SAID[answer.status], payment.amount  # it answers for what it was asked
        settle(payment, kind, siblings=siblings, amount=asked, failure_code=answer.failure_code)
    return payment


@transaction.atomic
def cancel_pending_payment(*, order_number: str) -> bool:
    """Cancel the order's payment if it is pending; returns whether one was. A succeeded one stays what it is.

    Only our side gives up: should the customer pay at the gateway all the same, its webhook is believed.
    """
    rows = lock_rows(Payment.objects.filter(order_number=order_number))
    pending = next((row for row in rows if row.status == PaymentStatus.PENDING), None)
    if pending is None:
        return False
    settle(pending, NoticeKind.PAYMENT_CANCELLED, siblings=[row for row in rows if row is not pending])
    return True
