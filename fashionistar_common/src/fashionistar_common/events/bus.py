"""Publishing and subscribing."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, get_type_hints

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.apps import apps
from django.db import connections, router
from django.utils.module_loading import autodiscover_modules

from ..context import request_id
from .event import Event, OutsideTransactionError, catalogue

type Handler = Callable[[Any], None] | Callable[[Any], Coroutine[Any, Any, None]]

#: Fields that a consumer's type may ask for and that come from the envelope, not from the payload.
ENVELOPE = frozenset({"event_id", "occurred_at"})


@dataclass(frozen=True)
class Subscription:
    """One handler's wish to hear one version of one event."""

    name: str
    version: int
    handler: Handler
    payload_type: type

    @property
    def subscriber(self) -> str:
        """The stable name under which deliveries are kept: renaming a handler makes it a new subscriber."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}"

    def handle(self, facts: dict[str, Any]) -> None:
        """Read the facts tolerantly into the consumer's own type and call the handler."""
        wanted = {field.name for field in dataclasses.fields(self.payload_type)}
        event = self.payload_type(**{name: value for name, value in facts.items() if name in wanted})
        if iscoroutinefunction(self.handler):
            async_to_sync(self.handler)(event)
        else:
            self.handler(event)


class EventBus:
    """The one door for events; use the instance `event_bus`."""

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, int], dict[str, Subscription]] = defaultdict(dict)

    def publish(self, event: Event) -> None:
        """Write the event into the outbox, as part of the transaction that runs.

        Raises:
            OutsideTransactionError: when none runs.
        """
        from ..models import OutboxEvent

        if not connections[router.db_for_write(OutboxEvent)].in_atomic_block:
            raise OutsideTransactionError(name=event.name)
        OutboxEvent.objects.create(
            name=event.name,
            version=event.version,
            stream=event.stream,
            payload=event.payload(),
            request_id=request_id.get(),
        )

    def subscribe[H: Handler](self, name: str, *, version: int) -> Callable[[H], H]:
        """Call the decorated function, sync or async, for every event of this name and version.

        Its one parameter is annotated with a dataclass of the consumer's own: the fields it needs, by the producer's
        names, and if wanted `event_id` and `occurred_at`. It runs in a transaction of its own; an error undoes what it
        wrote and brings a later retry.
        """

        def register(handler: H) -> H:
            hints = [hint for key, hint in get_type_hints(handler).items() if key != "return"]
            if len(hints) != 1 or not dataclasses.is_dataclass(hints[0]):
                raise TypeError(f"{handler.__qualname__} takes one parameter, annotated with a dataclass.")
            subscription = Subscription(name, version, handler, hints[0])  # type: ignore[arg-type]
            self._subscriptions[name, version][subscription.subscriber] = subscription
            return handler

        return register

    def subscriptions(self, name: str, version: int) -> dict[str, Subscription]:
        """The subscriptions to one event, by subscriber."""
        return self._subscriptions.get((name, version), {})

    def problems(self) -> list[str]:
        """What does not fit between the installed producers and consumers, a sentence each."""
        autodiscover_modules("events", "handlers")
        found = []
        for (name, version), by_subscriber in self._subscriptions.items():
            if not apps.is_installed(f"fashionistar_{name.partition('.')[0]}"):
                continue  # nobody here publishes it: the handler waits in vain, which is fine
            event = catalogue.get((name, version))
            for subscriber, subscription in by_subscriber.items():
                if event is None:
                    found.append(f"{subscriber} subscribes to {name} v{version}, which nobody publishes.")
                    continue
                offered = get_type_hints(event)
                for field, hint in get_type_hints(subscription.payload_type).items():
                    if field not in ENVELOPE and offered.get(field) != hint:
                        there = f"is {_type_name(offered[field])}" if field in offered else "is not there"
                        wanted = f"reads {field} of {name} v{version} as {_type_name(hint)}"
                        found.append(f"{subscriber} {wanted}, but it {there}.")
        return found


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


event_bus = EventBus()
