"""The tables of common, a module for each subject."""

from .events import EventDelivery, OutboxEvent
from .idempotency import IdempotencyRecord

__all__ = ["EventDelivery", "IdempotencyRecord", "OutboxEvent"]
