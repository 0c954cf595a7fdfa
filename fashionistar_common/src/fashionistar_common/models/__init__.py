"""The tables of common, a module for each subject."""

from .events import EventDelivery, EventSubscription, OutboxEvent
from .idempotency import IdempotencyRecord
from .notifications import Category, Channel, NotificationDelivery, NotificationPreference, PushSubscription

__all__ = [
    "Category",
    "Channel",
    "EventDelivery",
    "EventSubscription",
    "IdempotencyRecord",
    "NotificationDelivery",
    "NotificationPreference",
    "OutboxEvent",
    "PushSubscription",
]
