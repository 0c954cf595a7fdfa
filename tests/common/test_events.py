"""The event bus against a real database: the outbox, the relay, the subscribers' transactions."""

import threading
import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.utils import timezone
from fashionistar_common import context
from fashionistar_common.conf import conf
from fashionistar_common.events import Event, EventBus, OutsideTransactionError, event_bus, relay
from fashionistar_common.models import EventDelivery, IdempotencyRecord, OutboxEvent
from fashionistar_common.testing import deliver_events, published

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, kw_only=True)
class CoatBrushed(Event, name="tests.coat_brushed", version=1, aggregate="coat"):
    coat: str
    strokes: int = 1


@dataclass(frozen=True)
class CoatSeen:
    coat: str
    event_id: str = ""


@dataclass(frozen=True)
class StrokesSeen:
    coat: str
    strokes: int


@pytest.fixture
def bus(monkeypatch):
    """A bus without the sandbox's subscriptions, used by the relay for the length of a test."""
    fresh = EventBus()
    monkeypatch.setattr(relay, "event_bus", fresh)
    return fresh


def publish(coat="loden", strokes=1):
    with transaction.atomic():
        event_bus.publish(CoatBrushed(coat=coat, strokes=strokes))


def note(key):
    """A database effect that happens once per call."""
    IdempotencyRecord.objects.create(scope="effect", key=f"{key} {uuid.uuid4()}", fingerprint="")


def effects():
    return IdempotencyRecord.objects.filter(scope="effect").count()


def make_due():
    EventDelivery.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def test_publishing_outside_a_transaction_is_refused():
    with pytest.raises(OutsideTransactionError, match=r"tests\.coat_brushed"):
        event_bus.publish(CoatBrushed(coat="loden"))
    assert published("tests.coat_brushed") == []


def test_an_event_leaves_with_its_transaction_or_not_at_all(bus):
    seen = []

    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: CoatSeen) -> None:
        seen.append(event.coat)

    with pytest.raises(RuntimeError), transaction.atomic():
        event_bus.publish(CoatBrushed(coat="rolled back"))
        raise RuntimeError
    publish("kept")
    assert deliver_events() == 1
    assert seen == ["kept"]
    assert deliver_events() == 0


def test_a_consumer_reads_what_it_knows_and_the_envelope(bus):
    seen = []

    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: CoatSeen) -> None:
        seen.append((event, context.request_id.get()))

    token = context.request_id.set("req-1")
    publish("loden", strokes=7)
    context.request_id.reset(token)
    deliver_events()
    assert seen == [(CoatSeen("loden", str(OutboxEvent.objects.get().event_id)), "req-1")]
    assert context.request_id.get() == ""


def test_an_async_handler_writes_in_the_transaction_of_its_delivery(bus):
    @bus.subscribe("tests.coat_brushed", version=1)
    async def see(event: CoatSeen) -> None:
        await IdempotencyRecord.objects.acreate(scope="effect", key=event.coat, fingerprint="")
        if event.coat == "torn":
            raise ValueError("torn")

    publish("whole")
    publish("torn")
    deliver_events()
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["whole"]


def test_a_failing_handler_is_undone_retried_and_given_up_while_others_go_on(bus, settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "RELAY_MAX_ATTEMPTS": 3}
    seen = []

    @bus.subscribe("tests.coat_brushed", version=1)
    def fail(event: CoatSeen) -> None:
        note(event.coat)
        raise ValueError("moths")

    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: CoatSeen) -> None:
        seen.append(event.coat)

    publish()
    for attempt in (1, 2, 3, 3):
        deliver_events()
        delivery = EventDelivery.objects.get(subscriber__endswith="fail")
        assert delivery.attempts == attempt
        assert "moths" in delivery.last_error
        make_due()
    assert delivery.status == EventDelivery.Status.DEAD
    assert seen == ["loden"]
    assert effects() == 0


def test_retries_wait_longer_each_time(bus):
    @bus.subscribe("tests.coat_brushed", version=1)
    def fail(event: CoatSeen) -> None:
        raise ValueError("moths")

    publish()
    waits = []
    for _ in range(4):
        before = timezone.now()
        deliver_events()
        waits.append((EventDelivery.objects.get().next_attempt_at - before).total_seconds())
        make_due()
    assert waits == pytest.approx([1, 2, 4, 8], rel=0.3)


def test_events_of_one_stream_wait_for_each_other_and_for_no_other_stream(bus):
    seen = []

    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: StrokesSeen) -> None:
        if event.strokes == 1 and not seen.count("moths"):
            seen.append("moths")
            raise ValueError("moths")
        seen.append((event.coat, event.strokes))

    for strokes in (1, 2, 3):
        publish("loden", strokes)
    publish("tweed", 9)
    deliver_events()
    assert seen == ["moths", ("tweed", 9)]
    make_due()
    deliver_events()
    assert seen[2:] == [("loden", 1), ("loden", 2), ("loden", 3)]


def test_many_relays_at_once_deliver_each_event_once_and_in_order(bus):
    order = {}

    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: StrokesSeen) -> None:
        note(event.coat)
        order.setdefault(event.coat, []).append(event.strokes)

    for strokes in range(8):
        for coat in "abcde":
            publish(coat, strokes)

    def run():
        try:
            relay.relay()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    relay.relay()
    assert effects() == 40
    assert order == {coat: list(range(8)) for coat in "abcde"}


def test_a_delivery_for_a_handler_that_is_not_here_waits_for_a_process_that_has_it(bus):
    def see(event: CoatSeen) -> None:
        note(event.coat)

    bus.subscribe("tests.coat_brushed", version=1)(see)
    relay.register(bus)
    bus._subscriptions.clear()
    publish()
    assert deliver_events() == 0
    delivery = EventDelivery.objects.get()
    assert (delivery.status, delivery.attempts) == (EventDelivery.Status.PENDING, 0)
    bus.subscribe("tests.coat_brushed", version=1)(see)
    assert deliver_events() == 1
    assert effects() == 1


def test_the_command_delivers_once_and_says_what_it_did(bus, capsys):
    @bus.subscribe("tests.coat_brushed", version=1)
    def see(event: CoatSeen) -> None:
        note(event.coat)

    publish()
    call_command("relay_events", "--once")
    assert "1 deliveries" in capsys.readouterr().out
    assert effects() == 1


def test_one_name_and_version_belongs_to_one_class():
    with pytest.raises(TypeError, match="is already"):

        @dataclass(frozen=True, kw_only=True)
        class Other(Event, name="tests.coat_brushed", version=1, aggregate="coat"):
            coat: str


def test_a_handler_takes_one_annotated_dataclass(bus):
    with pytest.raises(TypeError, match="one parameter"):

        @bus.subscribe("tests.coat_brushed", version=1)
        def see(event: dict) -> None: ...


def test_idle_relays_look_into_the_outbox_by_index(django_assert_max_num_queries):
    assert conf.RELAY_INTERVAL > 0
    with django_assert_max_num_queries(8):
        assert relay.relay() == 0
    assert connection.vendor in {"postgresql", "sqlite"}
