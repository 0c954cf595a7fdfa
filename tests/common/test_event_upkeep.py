"""Replaying, pruning, retiring: what an operator does with events afterwards."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from fashionistar_common.events import Event, EventBus, event_bus, pruning, relay
from fashionistar_common.events import replay as replaying
from fashionistar_common.models import EventDelivery, EventSubscription, IdempotencyRecord, OutboxEvent
from fashionistar_common.testing import deliver_events

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class ClockWound(Event, name="tests.clock_wound", version=1, aggregate="clock"):
    clock: str
    turn: int = 0


@dataclass(frozen=True, kw_only=True)
class ClockStopped(Event, name="tests.clock_stopped", version=1, aggregate="clock"):
    clock: str


@dataclass(frozen=True)
class ClockSeen:
    clock: str
    turn: int = 0


class Hands:
    """A bus with a handler that works, one that fails while `broken`, and what they saw."""

    def __init__(self):
        self.bus, self.broken, self.seen = EventBus(), True, []
        for name in ("tests.clock_wound", "tests.clock_stopped"):
            self.bus.subscribe(name, version=1)(self.make("steady"))
            self.bus.subscribe(name, version=1)(self.make("shaky"))

    def make(self, name):
        def handle(event: ClockSeen) -> None:
            if name == "shaky" and self.broken:
                raise ValueError("shaky")
            IdempotencyRecord.objects.create(scope=name, key=f"{event.clock} {uuid.uuid4()}", fingerprint="")
            self.seen.append((name, event.clock, event.turn))

        handle.__qualname__ = name
        return handle

    def subscriber(self, name):
        return f"{__name__}.{name}"


@pytest.fixture
def hands(monkeypatch, settings):
    made = Hands()
    monkeypatch.setattr(relay, "event_bus", made.bus)
    monkeypatch.setattr("fashionistar_common.management.commands.purge_events.event_bus", made.bus)
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "RELAY_MAX_ATTEMPTS": 1}
    return made


def wind(*clocks, kind=ClockWound):
    for clock in clocks:
        with transaction.atomic():
            event_bus.publish(kind(clock=clock))


def run(capsys, command, *arguments):
    call_command(command, *arguments)
    return capsys.readouterr().out.strip()


def states(name):
    rows = EventDelivery.objects.filter(subscriber__endswith=name).order_by("event")
    return [row.status for row in rows]


def test_dead_deliveries_are_delivered_again_once_however_often_it_is_asked(hands, capsys):
    wind("kitchen", "hall", "tower")
    deliver_events()
    assert states("shaky") == ["dead"] * 3
    hands.broken = False
    assert run(capsys, "replay_events", "--all", "--dry-run") == "3 would be delivered"
    assert states("shaky") == ["dead"] * 3
    assert run(capsys, "replay_events", "--all") == "3 will be delivered"
    assert run(capsys, "replay_events", "--all") == "0 will be delivered"
    deliver_events()
    assert run(capsys, "replay_events", "--all") == "0 will be delivered"
    assert [clock for name, clock, _ in hands.seen if name == "shaky"] == ["kitchen", "hall", "tower"]
    assert IdempotencyRecord.objects.filter(scope="steady").count() == 3


def test_a_replay_takes_what_it_is_told_to(hands, capsys):
    wind("kitchen", "hall")
    wind("kitchen", kind=ClockStopped)
    deliver_events()
    OutboxEvent.objects.filter(stream="clock:hall").update(occurred_at=timezone.now() - 9 * DAYS)
    one = EventDelivery.objects.filter(status="dead").first().pk
    for arguments, count in (
        (["--event", "tests.clock_stopped"], 1),
        (["--subscriber", hands.subscriber("shaky")], 3),
        (["--subscriber", hands.subscriber("steady")], 0),
        (["--since", (timezone.now() - DAYS).isoformat()], 2),
        (["--id", str(one)], 1),
    ):
        assert run(capsys, "replay_events", *arguments, "--dry-run") == f"{count} would be delivered"
    for arguments in ([], ["--all", "--id", "1"], ["--missed"], ["--missed", "--subscriber", "x", "--all"]):
        with pytest.raises(CommandError):
            call_command("replay_events", *arguments)


def test_a_replay_works_in_batches_that_end_between_events(hands, monkeypatch, capsys):
    monkeypatch.setattr(replaying, "BATCH", 2)
    wind(*"abcde")
    deliver_events()
    EventDelivery.objects.update(status="dead")  # two of each event
    assert run(capsys, "replay_events", "--all") == "10 will be delivered"


def test_a_late_subscriber_gets_what_it_missed_in_order_and_once(hands, monkeypatch, capsys):
    monkeypatch.setattr(replaying, "BATCH", 2)
    hands.broken = False
    for turn in range(5):
        with transaction.atomic():
            event_bus.publish(ClockWound(clock="tower", turn=turn))
    deliver_events()
    late = hands.subscriber("late")
    with pytest.raises(CommandError, match="No relay knows"):
        call_command("replay_events", "--missed", "--subscriber", late)
    hands.bus.subscribe("tests.clock_wound", version=1)(hands.make("late"))
    deliver_events()  # a relay with the new subscriber has run: from now on it gets everything
    with transaction.atomic():
        event_bus.publish(ClockWound(clock="hall", turn=5))
    deliver_events()
    assert [turn for name, _, turn in hands.seen if name == "late"] == [5]
    assert run(capsys, "replay_events", "--missed", "--subscriber", late, "--dry-run") == "5 would be delivered"
    assert run(capsys, "replay_events", "--missed", "--subscriber", late) == "5 will be delivered"
    assert run(capsys, "replay_events", "--missed", "--subscriber", late) == "0 will be delivered"
    deliver_events()
    assert [turn for name, _, turn in hands.seen if name == "late"] == [5, 0, 1, 2, 3, 4]
    assert [turn for name, _, turn in hands.seen if name == "steady"] == [0, 1, 2, 3, 4, 5]


def test_events_that_everybody_has_had_are_deleted_after_their_time(hands, monkeypatch, capsys):
    monkeypatch.setattr(pruning, "BATCH", 2)
    wind(*"abcde")
    deliver_events()  # shaky's are dead
    EventDelivery.objects.filter(event__stream="clock:a").update(status="delivered")
    EventDelivery.objects.filter(event__stream="clock:b").update(
        status="pending", next_attempt_at=timezone.now() + DAYS
    )
    wind("new")
    OutboxEvent.objects.exclude(stream="clock:new").update(occurred_at=timezone.now() - 31 * DAYS)
    OutboxEvent.objects.filter(stream="clock:e").update(occurred_at=timezone.now() - 29 * DAYS)
    assert run(capsys, "purge_events", "--dry-run") == "1 events would be deleted"
    assert run(capsys, "purge_events").endswith("1 events deleted")
    assert run(capsys, "purge_events", "--dead").endswith("2 events deleted")  # c and d
    assert {event.stream[6:] for event in OutboxEvent.objects.all()} == {"b", "e", "new"}
    assert not EventDelivery.objects.exclude(event__in=OutboxEvent.objects.all()).exists()


def test_an_event_that_is_given_to_a_late_subscriber_while_it_is_being_deleted_stays(hands):
    wind("attic")
    hands.broken = False
    deliver_events()
    OutboxEvent.objects.update(occurred_at=timezone.now() - 31 * DAYS)
    event, given = OutboxEvent.objects.get(), []

    def give_after_the_first_look(execute, sql, *rest):
        result = execute(sql, *rest)
        if " LIMIT " in sql and not given:
            given.append(event)
            EventDelivery.objects.create(event=event, subscriber="late", stream=event.stream)
        return result

    with connection.execute_wrapper(give_after_the_first_look):
        assert pruning.purge(pruning.done_events(), progress=lambda count: None) == 0
    assert given == [event]
    assert EventDelivery.objects.filter(subscriber="late", status="pending").count() == 1


def test_an_event_that_no_relay_has_seen_is_never_deleted(hands, capsys):
    wind("kitchen")
    OutboxEvent.objects.update(occurred_at=timezone.now() - 99 * DAYS)
    assert run(capsys, "purge_events", "--dead").endswith("0 events deleted")


def test_a_subscriber_that_no_relay_knows_is_retired_loudly_and_can_come_back(hands, capsys, caplog):
    gone = EventBus()
    gone.subscribe("tests.clock_wound", version=1)(hands.make("gone"))
    relay.register(gone)
    hands.broken = False
    wind("kitchen")
    deliver_events()
    assert states("gone") == ["pending"]
    EventSubscription.objects.update(last_seen_at=timezone.now() - 13 * DAYS)
    assert run(capsys, "purge_events").startswith("0 subscriptions retired")
    EventSubscription.objects.update(last_seen_at=timezone.now() - 15 * DAYS)  # of all: no relay ran
    assert "would be retired: " in run(capsys, "purge_events", "--dry-run")
    assert run(capsys, "purge_events").startswith("1 subscriptions retired")
    assert states("gone") == ["dead"]
    assert "Retired: no relay has known" in EventDelivery.objects.get(subscriber__endswith="gone").last_error
    assert "1 deliveries are dead" in caplog.text
    wind("hall")
    deliver_events()
    assert states("gone") == ["dead"]  # and no new ones
    assert run(capsys, "replay_events", "--all") == "0 will be delivered"  # to nobody
    relay.register(gone)
    assert run(capsys, "replay_events", "--subscriber", hands.subscriber("gone")) == "1 will be delivered"
    assert run(capsys, "replay_events", "--missed", "--subscriber", hands.subscriber("gone")) == "1 will be delivered"


def test_an_operator_may_retire_a_subscriber_at_once(hands, capsys):
    gone = EventBus()
    gone.subscribe("tests.clock_wound", version=1)(hands.make("gone"))
    relay.register(gone)
    wind("kitchen")
    deliver_events()
    assert run(capsys, "purge_events", "--retire", hands.subscriber("gone")).startswith("1 subscriptions retired")
    assert states("gone") == ["dead"]
    assert EventSubscription.objects.count() == 4
