"""The one door."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from ..conf import conf
from ..db import storable
from ..models import Channel, NotificationDelivery
from .addresses import Recipient, address_hash, addresses, is_valid, language, masked
from .kinds import NotificationKind
from .preferences import channels_switched_on
from .sending import enqueue

Status = NotificationDelivery.Status


@transaction.atomic
def notify(kind: NotificationKind, *, to: Recipient, key: str, context: Mapping[str, Any] | None = None) -> int:
    """Have a message sent by each channel of its kind that the recipient can be reached by and wants.

    Part of the caller's transaction, if there is one; nothing is sent before it commits. At most three queries and one
    task for each address.

    Args:
        kind: what it is.
        to: whom.
        key: what it is about, such as an order's number. A second call of the same kind and key does nothing for an
            address that has its message already, even when both run at once.
        context: JSON-ready; kept until the message is sent. Put ids here and let the kind's `context` load the rest.

    Returns:
        How many messages were queued by this call.

    Raises:
        TypeError: when the context is no JSON.
        ValueError: when the key is empty or longer than 200 characters.
    """
    if not 0 < len(key) <= 200:
        raise ValueError("The key of a message has 1 to 200 characters.")
    stored = json.loads(json.dumps(dict(context or {}), allow_nan=False))
    rows = list(_rows(kind, to, key, stored))
    NotificationDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    pending = [row.public_id for row in rows if row.status == Status.PENDING]
    # What another call was faster to write has another public id, so it is not found.
    new = NotificationDelivery.objects.filter(public_id__in=pending).order_by("pk") if pending else ()
    queued = [str(row.public_id) for row in new]
    enqueue(queued, urgent=kind.urgent)
    return len(queued)


def _rows(kind: NotificationKind, to: Recipient, key: str, context: dict[str, Any]) -> Iterator[NotificationDelivery]:
    wanted = channels_switched_on(to.user_id, kind.category)
    for channel in kind.channels:
        if channel not in conf.NOTIFICATION_PROVIDERS:
            continue
        for address in addresses(to, channel):
            row = NotificationDelivery(
                kind=kind.name,
                key=key,
                channel=channel,
                user_id=to.user_id,
                address=address,
                address_hash=address_hash(address),
                locale=language(to.locale),
                context=context,
            )
            if channel not in wanted:
                _settle(row, Status.SUPPRESSED, "switched off" if to.user_id else "no account to ask", channel)
            elif not is_valid(address, channel):
                _settle(row, Status.FAILED, "not a valid address", channel)
            yield row


def _settle(row: NotificationDelivery, status: Status, reason: str, channel: Channel) -> None:
    row.status, row.reason, row.settled_at = status, reason, timezone.now()
    row.address, row.context = storable(masked(row.address, channel))[:320], {}
