"""From a row to a provider: claim, commit, send, record."""

import logging
from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import F, Q
from django.db.transaction import TransactionManagementError
from django.tasks.backends.immediate import ImmediateBackend
from django.utils import timezone

from ..conf import conf
from ..db import inside_transaction, storable
from ..models import NotificationDelivery, PushSubscription
from ..tasks import task
from .addresses import masked
from .kinds import kinds
from .providers import GoneError, PermanentDeliveryError, provider_for
from .rendering import compose

logger = logging.getLogger(__name__)

Status = NotificationDelivery.Status
MAX_ATTEMPTS = 5


class DeliveryInProgressError(Exception):
    """Another worker is sending this message, or died while it did."""


@task(queue_name="emails", max_attempts=MAX_ATTEMPTS)
def send_notification(delivery_id: str) -> None:
    """Send one message; see `deliver`."""
    deliver(delivery_id)


@task(queue_name="critical", max_attempts=MAX_ATTEMPTS)
def send_urgent_notification(delivery_id: str) -> None:
    """Send one message that somebody waits for; see `deliver`."""
    deliver(delivery_id)


def enqueue(delivery_ids: Iterable[str], *, urgent: bool) -> None:
    """Queue these messages, in the present transaction."""
    send = send_urgent_notification if urgent else send_notification
    # That backend runs a task where it is enqueued; no provider is to be called inside a transaction.
    immediate = isinstance(send.get_backend(), ImmediateBackend)
    for delivery_id in delivery_ids:
        if immediate:
            transaction.on_commit(partial(send.enqueue, delivery_id))
        else:
            send.enqueue(delivery_id)


def deliver(delivery_id: str) -> None:
    """Send a message that is pending, or failed and is tried again; do nothing for any other.

    The row is claimed and the claim committed before the provider is called, so of two workers one sends. One that dies
    in between leaves its claim, which runs out before its task is run again. If it died after the provider took the
    message, the message is sent again, under the same identity.

    Raises:
        DeliveryInProgressError: somebody else holds the claim.
        TransactionManagementError: called inside a transaction.
        Exception: whatever the provider raised; the task's retry policy decides what becomes of it.
    """
    _refuse_inside_transaction()
    delivery = _claim(delivery_id)
    if delivery is None:
        return
    facts = {"kind": delivery.kind, "channel": delivery.channel, "delivery": delivery_id}
    try:
        message = compose(delivery, kinds[delivery.kind])
        provider_id = provider_for(delivery.channel).send(message) if message else ""
    except PermanentDeliveryError as error:
        if isinstance(error, GoneError):
            PushSubscription.objects.filter(public_id=delivery.address).delete()
        _record(delivery, Status.FAILED, reason=str(error))
        logger.warning("message cannot be delivered", extra=facts)
    except Exception as error:
        over = delivery.attempts >= MAX_ATTEMPTS
        _record(delivery, Status.FAILED if over else Status.PENDING, reason=f"{type(error).__name__}: {error}")
        raise
    else:
        status, reason = (Status.SENT, "") if message else (Status.SUPPRESSED, "no longer worth sending")
        _record(delivery, status, reason=reason, provider_id=provider_id)
        logger.info("message %s", status, extra=facts)


def send_again(deliveries: Iterable[NotificationDelivery]) -> int:
    """Queue what is pending or has failed once more; returns how many. What was sent has no address any more."""
    again = [delivery for delivery in deliveries if delivery.status in {Status.PENDING, Status.FAILED}]
    for delivery in again:
        NotificationDelivery.objects.filter(pk=delivery.pk, status=delivery.status).update(
            status=Status.PENDING, attempts=0
        )
        kind = kinds.get(delivery.kind)
        enqueue([str(delivery.public_id)], urgent=bool(kind and kind.urgent))
    return len(again)


def _claim(delivery_id: str) -> NotificationDelivery | None:
    now = timezone.now()
    mine = NotificationDelivery.objects.filter(public_id=delivery_id)
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    open_rows = mine.filter(free, status__in=(Status.PENDING, Status.FAILED))
    lease = timedelta(seconds=conf.TASK_TIME_LIMIT)  # over before the task of a dead worker is run again
    if open_rows.update(claimed_until=now + lease, attempts=F("attempts") + 1):
        return mine.get()
    if mine.filter(status__in=(Status.PENDING, Status.FAILED)).exists():
        raise DeliveryInProgressError
    return None


def _record(delivery: NotificationDelivery, status: Status, *, reason: str, provider_id: str = "") -> None:
    """Note the outcome, unless the claim ran out and another worker has taken the message over."""
    mine = NotificationDelivery.objects.filter(pk=delivery.pk, claimed_until=delivery.claimed_until)
    delivery.status, delivery.reason = status, storable(reason)[:500]
    delivery.provider_id = storable(provider_id)[:200]
    delivery.claimed_until = None
    if status != Status.PENDING:
        delivery.settled_at = timezone.now()
    if status in {Status.SENT, Status.SUPPRESSED}:
        delivery.address, delivery.context = masked(delivery.address, delivery.channel), {}
    names = ("status", "reason", "provider_id", "claimed_until", "settled_at", "address", "context")
    mine.update(**{name: getattr(delivery, name) for name in names})


def _refuse_inside_transaction() -> None:
    if inside_transaction():
        raise TransactionManagementError("A message is not sent inside a transaction: it could not be taken back.")
