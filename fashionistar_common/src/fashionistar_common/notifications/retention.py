"""What is forgotten, and when."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ..conf import conf
from ..models import NotificationDelivery, NotificationPreference, PushSubscription


def purge_notifications(*, dry_run: bool = False) -> int:
    """Delete the log of messages older than NOTIFICATION_DAYS; returns how many.

    A message that is asked for again after that is a new message.
    """
    old = NotificationDelivery.objects.filter(created_at__lt=timezone.now() - timedelta(days=conf.NOTIFICATION_DAYS))
    return old.count() if dry_run else old.delete()[0]


@transaction.atomic
def erase_notifications(user_id: str) -> int:
    """Forget a user: messages, sent or waiting, preferences and subscriptions. Returns how many rows there were.

    Raises:
        ValueError: without an id, which would be every guest.
    """
    if not user_id:
        raise ValueError("Whose?")
    deliveries, _ = NotificationDelivery.objects.filter(user_id=user_id).delete()
    preferences, _ = NotificationPreference.objects.filter(user_id=user_id).delete()
    subscriptions, _ = PushSubscription.objects.filter(user_id=user_id).delete()
    return deliveries + preferences + subscriptions
