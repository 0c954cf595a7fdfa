"""The admin of common, a module for each subject."""

from . import events, idempotency

__all__ = ["events", "idempotency"]
