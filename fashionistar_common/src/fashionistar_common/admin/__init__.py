"""The admin of common, a module for each subject."""

from . import events, idempotency, notifications

__all__ = ["events", "idempotency", "notifications"]
