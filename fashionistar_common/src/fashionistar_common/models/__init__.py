"""The tables of common, a module for each subject."""

from .audit import AppendOnlyError, AuditChain, AuditEntry
from .events import EventDelivery, EventSubscription, OutboxEvent
from .idempotency import IdempotencyRecord
from .notifications import Category, Channel, NotificationDelivery, NotificationPreference, PushSubscription
from .ratelimits import RateLimit
from .tasks import DeadTask, PeriodicTask, RetriedTask, TaskKey

__all__ = [
    "AppendOnlyError",
    "AuditChain",
    "AuditEntry",
    "Category",
    "Channel",
    "DeadTask",
    "EventDelivery",
    "EventSubscription",
    "IdempotencyRecord",
    "NotificationDelivery",
    "NotificationPreference",
    "OutboxEvent",
    "PeriodicTask",
    "PushSubscription",
    "RateLimit",
    "RetriedTask",
    "TaskKey",
]
