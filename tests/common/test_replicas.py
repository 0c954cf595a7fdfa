"""A real streaming replica: reads go there, nobody misses their own writes, and a replica that lags is left alone."""

import contextvars
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.test import AsyncRequestFactory
from fashionistar_common.checks.data import check_replicas
from fashionistar_common.concurrency import gather
from fashionistar_common.db import replicas
from fashionistar_common.db.replicas import (
    ReplicaRouter,
    replica_reads,
    stick_to_primary,
    using_primary,
    watch,
)
from fashionistar_common.http.replicas import ReplicaMiddleware
from fashionistar_common.models import OutboxEvent

launch = pytest.importorskip("launch.replica")
from launch.errors import LaunchError  # noqa: E402 - only where it is

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True, databases=["default", "replica"]),
]
WAIT = 20


@pytest.fixture(scope="module")
def standby(server_folder, django_db_setup, django_db_blocker):
    """A copy of the server that the tests use, following it; its alias is there before the tests begin."""
    with django_db_blocker.unblock():
        if connection.vendor != "postgresql":
            pytest.skip("needs PostgreSQL")
        connection.ensure_connection()
        server = connection.connection.info
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{server.dbname}"
        connection.close()
    try:
        replica = launch.Replica(server_folder, url)
    except LaunchError as error:
        pytest.skip(str(error))
    try:
        replica.wait()
        yield replica
    finally:
        replica.stop()


@pytest.fixture(scope="module", autouse=True)
def _alias(standby):
    """Before Django looks which aliases a test may use."""
    connections.settings["replica"] = {
        **connections.settings["default"],
        "HOST": "127.0.0.1",
        "PORT": standby.port,
        "OPTIONS": {},
        "TEST": {**connections.settings["default"]["TEST"], "MIRROR": "default"},
    }
    yield
    connections["replica"].close()
    del connections["replica"]
    del connections.settings["replica"]


@pytest.fixture(autouse=True)
def _replicas(settings):
    settings.DATABASE_ROUTERS = ["fashionistar_common.db.replicas.ReplicaRouter"]
    settings.FASHIONISTAR_COMMON = {
        **settings.FASHIONISTAR_COMMON,
        "REPLICAS": ["replica"],
        "REPLICA_CHECK_INTERVAL": 30.0,  # so that a slow machine does not take the replica for lost within a test
        "REPLICA_MAX_LAG": 60.0,
        "REPLICA_STICKY_SECONDS": 121.0,
    }
    connections["replica"].settings_dict["NAME"] = connection.settings_dict["NAME"]
    connections.settings["replica"]["NAME"] = connection.settings_dict["NAME"]
    yield
    watch.stop()


def eventually(condition):
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def ready():
    """The watcher has found the replica usable."""
    eventually(watch.usable)


@contextmanager
def paused(standby):
    """The replica goes on receiving and replays nothing; what was written before, it has."""
    with psycopg.connect(standby.environment["DATABASE_REPLICA_URL"], dbname="postgres", autocommit=True) as replica:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_flush_lsn()")
            (now,) = cursor.fetchone()
        eventually(lambda: replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [now]).fetchone()[0])
        replica.execute("SELECT pg_wal_replay_pause()")
        try:
            eventually(lambda: replica.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",))
            yield
        finally:
            replica.execute("SELECT pg_wal_replay_resume()")


def write(name="x"):
    return OutboxEvent.objects.create(name=name, version=1, stream="s", payload={})


def names(alias=None):
    return list((OutboxEvent.objects.using(alias) if alias else OutboxEvent.objects).values_list("name", flat=True))


def on_replica():
    return OutboxEvent.objects.all().db == "replica"


def test_reads_of_a_scope_come_from_the_replica(ready):
    write()
    eventually(lambda: names("replica") == ["x"])
    with replica_reads():
        assert on_replica()
        event = OutboxEvent.objects.get()
        assert event._state.db == "replica"
        assert connections["replica"].connection.info.port == connections.settings["replica"]["PORT"]
    assert not on_replica()


def test_after_a_write_the_scope_reads_from_the_primary_though_replay_stands_still(ready, standby):
    with paused(standby), replica_reads():
        assert names() == []
        write()
        assert names() == ["x"]
        assert names("replica") == []
        assert OutboxEvent.objects.get()._state.db == "default"


def test_what_was_read_from_the_replica_is_changed_and_refreshed_on_the_primary(ready, standby):
    write()
    eventually(lambda: names("replica") == ["x"])
    with paused(standby), replica_reads():
        event = OutboxEvent.objects.get()
        event.name = "changed"
        event.save()
        event.refresh_from_db()
        assert (event.name, event._state.db) == ("changed", "default")
        assert names("replica") == ["x"]


def test_transactions_and_locks_are_the_primarys(ready):
    with replica_reads():
        with transaction.atomic():
            assert not on_replica()
        assert on_replica()
        with transaction.atomic():
            assert list(OutboxEvent.objects.select_for_update()) == []
        assert not on_replica()  # whoever locks is about to write


def test_the_primary_can_be_asked_for(ready):
    with replica_reads():
        with using_primary():
            assert not on_replica()
        assert on_replica()
        stick_to_primary()
        assert not on_replica()


def test_a_write_in_a_thread_of_the_request_counts(ready):
    with replica_reads():
        assert async_to_sync(gather)(on_replica, on_replica) == (True, True)
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(lambda: (write(), connections.close_all()),))
        thread.start()
        thread.join()
        assert not on_replica()


def test_a_replica_that_stands_still_is_left_alone_until_it_has_caught_up(settings, standby):
    often = {"REPLICA_MAX_LAG": 1.0, "REPLICA_CHECK_INTERVAL": 0.2}
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **often}
    eventually(watch.usable)
    with paused(standby):
        write()
        eventually(lambda: not watch.usable())
        with replica_reads():
            assert names() == ["x"]
    eventually(watch.usable)
    eventually(lambda: names("replica") == ["x"])


@pytest.mark.parametrize(
    ("primary", "replica", "good"),
    [
        ([10] * 9, [10] * 9, [True] * 9),  # idle: nothing new, nothing old
        ([10, 20, 30, 40, 50], [10] * 5, [True, True, True, False, False]),  # it stands still
        ([10, 20, 30, 40, 50], [0, 10, 20, 30, 40], [False, True, True, True, True]),  # always a look behind
        ([10, 20, 30, 40, 50, 50], [10, 10, 10, 10, 10, 50], [True, True, True, False, False, True]),  # it catches up
        ([10] * 3, [None] * 3, [False] * 3),  # it is a primary
    ],
)
def test_lag_is_the_age_of_the_newest_position_that_was_reached(settings, monkeypatch, primary, replica, good):
    """Looks are a second apart, and two seconds are allowed."""
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "REPLICA_MAX_LAG": 2.0}
    looks = iter(enumerate(zip(primary, replica, strict=True)))
    watcher, found = replicas._Watcher("replica"), []
    for moment, positions in looks:
        answers = iter(positions)
        monkeypatch.setattr(replicas, "_query", lambda alias, sql, answers=answers: next(answers))
        monkeypatch.setattr(replicas, "time", SimpleNamespace(monotonic=lambda moment=moment: moment))
        found.append(watcher.look())
    assert found == good


def test_a_replica_that_does_not_answer_is_left_alone(ready):
    watch.stop()
    port = connections.settings["replica"]["PORT"]
    try:
        for place in (connections.settings["replica"], connections["replica"].settings_dict):
            place["PORT"] = 1
        connections["replica"].close()
        with replica_reads():
            assert not on_replica()
            time.sleep(0.5)
            assert names() == []
    finally:
        for place in (connections.settings["replica"], connections["replica"].settings_dict):
            place["PORT"] = port


def test_the_primary_itself_is_not_taken_for_a_replica(settings):
    """As after a failover: whoever was promoted has a history of its own."""
    port = connections.settings["replica"]["PORT"]
    connection.ensure_connection()
    try:
        connections.settings["replica"]["PORT"] = connection.connection.info.port
        watch.usable()
        time.sleep(0.5)
        assert not watch.usable()
    finally:
        connections.settings["replica"]["PORT"] = port


def test_migrations_leave_replicas_alone_and_relations_may_cross():
    router = ReplicaRouter()
    assert router.allow_migrate("replica", "fashionistar_common") is False
    assert router.allow_migrate("default", "fashionistar_common") is None
    first, second = OutboxEvent(), OutboxEvent()
    first._state.db, second._state.db = "default", "replica"
    assert router.allow_relation(first, second) is True
    second._state.db = "warehouse"
    assert router.allow_relation(first, second) is None


class Browser:
    """A caller who keeps cookies, asking a view behind the middleware in the way of ASGI."""

    def __init__(self, **headers):
        self.headers, self.cookies = headers, {}

    def ask(self, view, method="GET"):
        async def handler(request):
            from asgiref.sync import sync_to_async

            return HttpResponse(str(await sync_to_async(view)()))

        request = AsyncRequestFactory().generic(method, "/", headers=self.headers)
        request.COOKIES.update(self.cookies)
        response = async_to_sync(ReplicaMiddleware(handler))(request)
        self.cookies |= {name: morsel.value for name, morsel in response.cookies.items()}
        return response.content.decode()


def test_somebody_unknown_reads_from_the_replica(ready):
    assert Browser().ask(on_replica) == "True"


def test_who_wrote_reads_from_the_primary_in_the_next_request(ready, standby):
    browser, other = Browser(), Browser()
    with paused(standby):
        assert browser.ask(write, "POST")
        assert browser.ask(names) == "['x']"
        assert other.ask(names) == "[]"


def test_a_write_in_a_reading_request_counts(ready):
    browser = Browser()
    browser.ask(write)
    assert browser.ask(on_replica) == "False"


def test_after_the_time_reads_go_to_the_replica_again(ready, settings):
    browser = Browser()
    browser.ask(write, "POST")
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "REPLICA_STICKY_SECONDS": 0.0}
    assert browser.ask(on_replica) == "True"


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer x"}, {"Cookie": "sessionid=x"}])
def test_who_has_credentials_and_no_memory_may_have_written_anything(ready, headers):
    first = Browser(**headers)
    assert first.ask(on_replica) == "False"
    if "Cookie" in headers:
        first.cookies["sessionid"] = "x"
    assert first.ask(on_replica) == "True"  # now it can be told when it writes
    forgetful = Browser(**headers)
    assert [forgetful.ask(on_replica), forgetful.cookies.clear(), forgetful.ask(on_replica)] == ["False", None, "False"]


def test_an_api_client_may_send_the_header_back(ready):
    assert Browser(**{"Authorization": "Bearer x", "X-Last-Write": "0"}).ask(on_replica) == "True"
    now = str(int(time.time() * 1000))
    assert Browser(**{"X-Last-Write": now}).ask(on_replica) == "False"


@pytest.mark.parametrize("told", ["-1", "9" * 40, "NaN", "²", "1; drop", ""])
def test_nonsense_is_no_memory(ready, told):
    assert Browser(**{"Authorization": "Bearer x", "X-Last-Write": told}).ask(on_replica) == "False"


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"REPLICAS": []}, []),
        ({}, ["W063"]),
        ({"REPLICAS": ["default"]}, ["E061", "W063"]),
        ({"REPLICAS": ["nowhere"]}, ["E061", "W063"]),
        ({"REPLICA_STICKY_SECONDS": 1.0}, ["E062", "W063"]),
    ],
)
def test_the_settings_are_checked(settings, values, ids):
    settings.MIDDLEWARE = []
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **values}
    assert [message.id for message in check_replicas()] == [f"fashionistar_common.{code}" for code in ids]
