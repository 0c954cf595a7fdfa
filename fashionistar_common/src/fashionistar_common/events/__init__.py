"""The event bus: what one context says and another one hears.

A producer publishes inside its transaction; the event lies in the outbox and leaves after the commit, or not at all.
`manage.py relay_events` hands it to every subscriber: at least once, in order per stream, and exactly once as far as
the subscriber's database writes go.
"""

from .bus import EventBus, Subscription, event_bus
from .event import Event, OutsideTransactionError

__all__ = ["Event", "EventBus", "OutsideTransactionError", "Subscription", "event_bus"]
