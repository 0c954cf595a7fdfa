"""The admin of common, a module for each subject."""

from . import events, idempotency, notifications, tasks

__all__ = ["events", "idempotency", "notifications", "tasks"]
