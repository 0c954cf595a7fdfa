"""Publishing and subscribing."""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, get_type_hints

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router, transaction
from django.utils.module_loading import autodiscover_modules

from ..conf import conf
from ..context import carrier, request_id
from .event import Event, OutsideTransactionError, catalogue, is_json_type
from .wake import wake_relays_on_commit

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
        """Read the facts tolerantly into the consumer's own type and call the handler.

        Raises:
            TimeoutError: when an async handler takes longer than RELAY_HANDLER_TIME_LIMIT.
        """
        wanted = {field.name for field in dataclasses.fields(self.payload_type)}
        event = self.payload_type(**{name: value for name, value in facts.items() if name in wanted})
        if iscoroutinefunction(self.handler):
            async_to_sync(_within_limit)(self.handler, event)
        else:
            self.handler(event)


async def _within_limit(handler: Callable[[Any], Coroutine[Any, Any, None]], event: Any) -> None:
    async with asyncio.timeout(conf.RELAY_HANDLER_TIME_LIMIT):
        await handler(event)


class EventBus:
    """The one door for events; use the instance `event_bus`."""

    def __init__(self) -> None:
        self._subscriptions: dict[tuple[str, int], dict[str, Subscription]] = defaultdict(dict)

    def publish(self, event: Event) -> None:
        """Write the event into the outbox, as part of the transaction that runs.

        Relays are woken after its commit. The present request, user and trace go along to the handlers.

        Raises:
            OutsideTransactionError: when no transaction runs.
            NotJsonError: when a field is no JSON.
        """
        from ..models import OutboxEvent

        alias = router.db_for_write(OutboxEvent)
        if not connections[alias].in_atomic_block:
            raise OutsideTransactionError(name=event.name)
        OutboxEvent.objects.using(alias).create(
            name=event.name,
            version=event.version,
            stream=event.stream,
            payload=event.payload(),
            request_id=request_id.get(),
            context=carrier(),
        )
        wake_relays_on_commit(alias)

    async def apublish[T](self, event: Event, *, change: Callable[[], T] | None = None) -> T | None:
        """Publish from async code, in one hop to the thread of the synchronous code.

        Django has no async transactions, so a transaction cannot be open while an async view awaits. With `change`,
        a synchronous callable, the hop opens one, runs `change()` and publishes: both are committed, or neither is.
        Without it, this is publish() in a thread that must be in a transaction already. That of an async event handler
        is: what it publishes leaves with its delivery or not at all. Cancelling the caller undoes neither.

        Returns:
            What `change()` returned.

        Raises:
            OutsideTransactionError: without `change`, when no transaction runs.
            NotJsonError: when a field is no JSON.
        """

        def change_and_publish() -> T | None:
            from ..models import OutboxEvent

            if change is None:
                self.publish(event)
                return None
            with transaction.atomic(router.db_for_write(OutboxEvent)):
                result = change()
                self.publish(event)
                return result

        return await sync_to_async(change_and_publish)()

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

    def subscribers(self) -> dict[str, list[tuple[str, int]]]:
        """Every subscriber of this process, with the names and versions of the events that it hears."""
        found = defaultdict(list)
        for key, by_subscriber in self._subscriptions.items():
            for subscriber in by_subscriber:
                found[subscriber].append(key)
        return dict(sorted(found.items()))

    def problems(self) -> list[str]:
        """What does not fit between the installed producers and consumers, a sentence each."""
        autodiscover_modules("events", "handlers")
        found = [
            f"{field.name} of {name} v{version} is {_type_name(hint)}, which is no JSON."
            for (name, version), event in catalogue.items()
            if _is_published_here(name)
            for field in dataclasses.fields(event)
            if not is_json_type(hint := get_type_hints(event)[field.name])
        ]
        for (name, version), by_subscriber in self._subscriptions.items():
            if not _is_published_here(name):
                continue  # the handler waits in vain, which is fine
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

    def verify(self) -> None:
        """Refuse to start where producers and consumers do not fit: for asgi.py, wsgi.py and the relay.

        Raises:
            ImproperlyConfigured: with every problem in its message.
        """
        if problems := self.problems():
            raise ImproperlyConfigured("The events do not fit: " + " ".join(problems))


def _is_published_here(name: str) -> bool:
    """Whether the app that an event is named after is installed."""
    context = name.partition(".")[0]
    return any(app.label in {context, f"fashionistar_{context}"} for app in apps.get_app_configs())


def _type_name(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint)


event_bus = EventBus()
