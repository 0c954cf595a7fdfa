"""A worker that comes back after its claim has run out."""

from datetime import timedelta

import pytest
from django.utils import timezone
from fashionistar_common.models import NotificationDelivery
from fashionistar_common.notifications import Category, Channel, NotificationKind, kinds, sending
from fashionistar_common.notifications.providers import Message

pytestmark = pytest.mark.django_db(transaction=True)


class Fails:
    def send(self, message):
        # Meanwhile this worker's claim has run out, and another one has sent the message.
        NotificationDelivery.objects.update(
            status="sent", claimed_until=None, address="a***@example.com", context={}, settled_at=timezone.now()
        )
        raise ConnectionError("too late")


def test_a_worker_that_is_late_does_not_undo_what_another_has_noted(monkeypatch):
    kind = NotificationKind(
        name="shop.late",
        category=Category.TRANSACTIONAL,
        channels=(Channel.EMAIL,),
        template="late.html",
        description="",
    )
    monkeypatch.setitem(kinds, kind.name, kind)
    monkeypatch.setattr(sending, "provider_for", lambda channel: Fails())
    monkeypatch.setattr(sending, "compose", lambda delivery, kind: Message(id="1", to=delivery.address, text="Hi"))
    row = NotificationDelivery.objects.create(
        kind=kind.name,
        key="k",
        channel=Channel.EMAIL,
        address="ada@example.com",
        address_hash="h",
        locale="en",
        claimed_until=timezone.now() - timedelta(seconds=1),
    )
    with pytest.raises(ConnectionError):
        sending.deliver(str(row.public_id))
    row.refresh_from_db()
    assert (row.status, row.address, row.claimed_until) == ("sent", "a***@example.com", None)
