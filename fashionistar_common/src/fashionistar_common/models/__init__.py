"""The tables of common, a module for each subject."""

from .events import EventDelivery, EventSubscription, OutboxEvent
from .idempotency import IdempotencyRecord

__all__ = ["EventDelivery", "EventSubscription", "IdempotencyRecord", "OutboxEvent"]
