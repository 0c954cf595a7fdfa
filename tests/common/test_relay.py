"""The relay as it runs: a lane for each subscriber, woken by PostgreSQL, ended by a signal."""

import asyncio
import io
import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from fashionistar_common.events import Event, EventBus, delivery, event_bus, relay, wake
from fashionistar_common.events.lanes import Lanes
from fashionistar_common.events.running import RunningRelay
from fashionistar_common.management.commands import relay_events
from fashionistar_common.models import EventDelivery, EventSubscription, IdempotencyRecord

pytestmark = [pytest.mark.django_db(transaction=True)]


@dataclass(frozen=True, kw_only=True)
class KettleBoiled(Event, name="tests.kettle_boiled", version=1, aggregate="kettle"):
    kettle: str
    cup: int = 0


@dataclass(frozen=True)
class KettleSeen:
    kettle: str
    cup: int


@pytest.fixture
def bus(monkeypatch):
    fresh = EventBus()
    monkeypatch.setattr(relay, "event_bus", fresh)
    return fresh


@pytest.fixture
def common(settings):
    """Change settings of common for a test."""

    def change(**values):
        settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **values}

    return change


def boil(kettle="copper", cup=0):
    with transaction.atomic():
        event_bus.publish(KettleBoiled(kettle=kettle, cup=cup))


def note(key):
    IdempotencyRecord.objects.create(scope="effect", key=f"{key} {uuid.uuid4()}", fingerprint="")


def effects():
    return IdempotencyRecord.objects.filter(scope="effect").count()


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def running(bus):
    """A relay in a thread of this process."""
    here = RunningRelay(bus)

    def run():
        try:
            here.run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield here
    finally:
        here.stop()
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.postgresql
def test_one_that_fails_and_one_that_hangs_delay_nobody_else(bus, common):
    common(RELAY_HANDLER_TIME_LIMIT=30.0, RELAY_GRACE=10.0)
    let_go = threading.Event()

    @bus.subscribe("tests.kettle_boiled", version=1)
    def fail(event: KettleSeen) -> None:
        raise ValueError("cold")

    @bus.subscribe("tests.kettle_boiled", version=1)
    def hang(event: KettleSeen) -> None:
        let_go.wait(60)

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        note(event.kettle)

    @bus.subscribe("tests.kettle_boiled", version=1)
    async def see_asynchronously(event: KettleSeen) -> None:
        await IdempotencyRecord.objects.acreate(scope="effect", key=f"async {event.cup}", fingerprint="")

    with running(bus):
        for cup in range(20):
            boil(f"kettle {cup}", cup)
        wait_until(lambda: effects() == 40)
        let_go.set()
        wait_until(lambda: EventDelivery.objects.filter(status="delivered").count() == 60)
    assert EventDelivery.objects.filter(status="pending", subscriber__endswith="fail").count() == 20


@pytest.mark.postgresql
def test_a_handler_that_hangs_is_given_up_and_its_lane_goes_on(bus, common, caplog):
    common(RELAY_HANDLER_TIME_LIMIT=0.3, RELAY_GRACE=1.0)
    let_go, seen = threading.Event(), []

    @bus.subscribe("tests.kettle_boiled", version=1)
    def hang_once(event: KettleSeen) -> None:
        note(event.kettle)
        if event.kettle == "copper" and not seen:
            seen.append("hung")
            let_go.wait(60)
        seen.append(event.kettle)

    with running(bus):
        boil("copper")
        boil("steel")
        wait_until(lambda: "steel" in seen)
        wait_until(lambda: EventDelivery.objects.filter(status="delivered").count() == 2)
        before = effects()
        let_go.set()  # the thread that was given up comes back, and can commit nothing any more
        wait_until(lambda: seen.count("copper") == 2)
    assert before == 2
    assert effects() == 2
    assert EventDelivery.objects.get(stream="kettle:copper").attempts == 2
    assert "hangs, its lane is replaced" in caplog.text


@pytest.mark.postgresql
def test_a_statement_that_hangs_is_ended_by_the_database(bus, common):
    common(RELAY_HANDLER_TIME_LIMIT=0.2)

    @bus.subscribe("tests.kettle_boiled", version=1)
    def sleep(event: KettleSeen) -> None:
        connection.cursor().execute("SELECT pg_sleep(60)")

    boil()
    relay.relay()
    assert "statement timeout" in EventDelivery.objects.get().last_error


def test_an_async_handler_that_hangs_is_ended(bus, common):
    common(RELAY_HANDLER_TIME_LIMIT=0.2)

    @bus.subscribe("tests.kettle_boiled", version=1)
    async def sleep(event: KettleSeen) -> None:
        await asyncio.sleep(60)

    boil()
    relay.relay()
    assert "TimeoutError" in EventDelivery.objects.get().last_error


def test_an_event_that_kills_its_process_is_dead_in_the_end_and_takes_no_other_along(bus, common, monkeypatch):
    common(RELAY_MAX_ATTEMPTS=3)
    monkeypatch.setattr(delivery, "RETRY_BASE", 0.0)

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        if event.kettle == "poison":
            os.abort()
        note(event.kettle)

    def killed_at(row, bus):
        if row.event.stream == "kettle:poison":
            raise KeyboardInterrupt  # nothing of ours runs any more, as after a SIGKILL
        return real(row, bus)

    real = delivery.attempt
    monkeypatch.setattr(relay, "attempt", killed_at)
    for kettle in ("poison", "a", "b", "c"):
        boil(kettle)
    for _ in range(8):
        try:
            relay.relay()
        except KeyboardInterrupt:
            continue
    rows = {row.stream: row for row in EventDelivery.objects.all()}
    assert (rows["kettle:poison"].status, rows["kettle:poison"].attempts) == ("dead", 3)
    assert "did not end" in rows["kettle:poison"].last_error
    assert effects() == 3
    assert all(rows[f"kettle:{kettle}"].attempts <= 2 for kettle in "abc")


def test_a_subscriber_of_the_next_release_gets_what_relays_of_this_one_fan_out(bus, monkeypatch):
    other = EventBus()

    @other.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        note(event.kettle)

    relay.register(other)  # the deployment of the next release begins
    boil()
    assert relay.relay() == 0  # an old relay, which does not know it
    assert EventSubscription.objects.get().subscriber.endswith("see")
    assert EventDelivery.objects.get().status == "pending"
    monkeypatch.setattr(relay, "event_bus", other)
    assert relay.relay() == 1
    assert effects() == 1


def test_a_version_that_this_process_has_no_handler_for_waits(bus):
    def see(event: KettleSeen) -> None:
        note(event.kettle)

    for version in (1, 2):
        bus.subscribe("tests.kettle_boiled", version=version)(see)
    relay.register(bus)
    del bus._subscriptions["tests.kettle_boiled", 1]
    boil()
    assert relay.relay() == 0
    assert EventDelivery.objects.get().attempts == 0


@pytest.mark.postgresql
def test_a_transaction_wakes_the_relays_once_and_a_rolled_back_one_never(bus):
    heard = threading.Semaphore(0)
    listener = wake.Listener("default", heard.release)
    try:
        assert heard.acquire(timeout=10)
        with transaction.atomic():
            for _ in range(3):
                event_bus.publish(KettleBoiled(kettle="copper"))
            assert len(connection.run_on_commit) == 1
        assert heard.acquire(timeout=10)
        with pytest.raises(RuntimeError), transaction.atomic():
            event_bus.publish(KettleBoiled(kettle="copper"))
            raise RuntimeError
        assert not heard.acquire(timeout=0.3)
    finally:
        listener.stop()


@pytest.mark.postgresql
def test_a_listener_that_loses_its_connection_listens_again(monkeypatch):
    monkeypatch.setattr(wake, "RECONNECT_SECONDS", 0.1)
    heard = threading.Semaphore(0)
    listener = wake.Listener("default", heard.release)
    try:
        assert heard.acquire(timeout=10)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'")
            assert (True,) in cursor.fetchall()
        assert heard.acquire(timeout=10)  # once it is there again, for what came meanwhile
        boil()
        assert heard.acquire(timeout=10)
    finally:
        listener.stop()


@pytest.mark.postgresql
def test_a_listener_that_does_not_hear_itself_says_so_and_leaves_the_relay_to_its_own_eyes(bus, monkeypatch, caplog):
    """As behind a pooler in transaction mode, which takes a LISTEN and delivers nothing."""
    monkeypatch.setattr(wake, "_notify", lambda alias, text="": None)
    monkeypatch.setattr(wake, "PROOF_SECONDS", 0.1)

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        note(event.kettle)

    with running(bus):
        wait_until(lambda: "set RELAY_LISTEN_ALIAS" in caplog.text)
        boil()
        wait_until(lambda: effects() == 1)


@pytest.mark.postgresql
def test_what_a_stopping_relay_has_claimed_and_not_begun_is_free_for_the_others(bus):
    begun, let_go = threading.Event(), threading.Event()

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        begun.set()
        let_go.wait(30)
        note(event.kettle)

    for number in range(5):
        boil(f"kettle {number}")
    relay.register(bus)
    relay.fan_out()
    lanes = Lanes(bus)
    lanes.wake(bus.subscribers())
    assert begun.wait(20)
    (lane,) = lanes._lanes.values()
    threading.Thread(target=lambda: lane._ended.wait(20) and let_go.set()).start()
    assert lanes.stop(grace=20) == []
    rows = list(EventDelivery.objects.order_by("event").values_list("status", "attempts"))
    assert rows == [("delivered", 1), *[("pending", 0)] * 4]
    assert relay.relay() == 4


@pytest.mark.postgresql
def test_a_handler_that_outlasts_the_grace_is_undone_and_tried_again(bus, common):
    common(RELAY_GRACE=0.1, RELAY_HANDLER_TIME_LIMIT=0.3)
    begun, let_go = threading.Event(), threading.Event()

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        note(event.kettle)
        begun.set()
        let_go.wait(30)

    boil()
    here = RunningRelay(bus)
    threading.Thread(target=lambda: begun.wait(20) and here.stop()).start()
    (unfinished,) = here.run()
    assert unfinished.endswith("see")
    wait_until(lambda: open_transactions() == 0)  # PostgreSQL ends it
    let_go.set()
    wait_until(lambda: "lane of" not in str([thread.name for thread in threading.enumerate()]))
    assert effects() == 0
    assert EventDelivery.objects.get().status == "pending"


def open_transactions():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )
        return cursor.fetchone()[0]


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_command_goes_on_until_it_is_told_to_stop_even_if_the_database_is_away(bus, signals, monkeypatch, caplog):
    outages = iter([OperationalError("the server closed the connection")])
    look = relay.fan_out

    def look_or_fail():
        for error in outages:
            raise error
        return look()

    @bus.subscribe("tests.kettle_boiled", version=1)
    def see(event: KettleSeen) -> None:
        note(event.kettle)
        if effects() == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(relay, "fan_out", look_or_fail)
    boil("first")
    threading.Timer(0.5, boil_elsewhere).start()
    call_command("relay_events")
    assert effects() == 2
    assert "does not answer" in caplog.text


def test_a_signal_may_come_while_the_relay_holds_the_lock_that_stopping_takes(signals):
    class Busy:
        lock, told = threading.Lock(), threading.Event()

        def stop(self):
            with self.lock:
                self.told.set()

        def run(self):
            with self.lock:  # as inside of Event.wait()
                os.kill(os.getpid(), signal.SIGTERM)
            return [] if self.told.wait(20) else ["not told"]

    errors = io.StringIO()
    relay_events.Command(stderr=errors).run(Busy())
    assert errors.getvalue() == ""


def boil_elsewhere():
    try:
        boil("second")
    finally:
        connections.close_all()
