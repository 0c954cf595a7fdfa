"""The admin of common, a module for each subject."""

from . import audit, events, idempotency, notifications, tasks

__all__ = ["audit", "events", "idempotency", "notifications", "tasks"]
