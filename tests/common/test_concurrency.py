import asyncio
import contextvars
import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.db.utils import OperationalError
from fashionistar_common import concurrency
from fashionistar_common.checks.data import check_threads
from fashionistar_common.concurrency import GatherInTransactionError, gather, in_thread
from fashionistar_common.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)
word = contextvars.ContextVar("word", default="")


def wait_and_say(number, seconds=0.1):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s), pg_backend_pid()", [seconds])
        return number, cursor.fetchone()[1]


def running(text):
    """How many other queries with this text the server is running."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid()",
            [f"%{text}%"],
        )
        return cursor.fetchone()[0]


def eventually(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.postgresql
def test_reads_run_side_by_side_each_on_a_connection_of_its_own():
    together = threading.Barrier(3, timeout=20)

    def read(number):
        said = wait_and_say(number, 0)
        together.wait()  # with the connection in hand
        return said

    results = async_to_sync(gather)(*(lambda number=number: read(number) for number in range(3)))
    assert [number for number, _ in results] == [0, 1, 2]
    assert len({pid for _, pid in results}) == 3


def test_gather_inside_a_transaction_is_refused():
    with transaction.atomic(), pytest.raises(GatherInTransactionError):
        async_to_sync(gather)(lambda: 1, lambda: 2)


def test_the_first_error_comes_out():
    with pytest.raises(ZeroDivisionError):
        async_to_sync(gather)(lambda: 1 // 0, OutboxEvent.objects.count)


@pytest.mark.postgresql
def test_an_error_cancels_the_queries_of_the_others_and_leaves_no_broken_connection():
    async def run():
        with pytest.raises(ZeroDivisionError):
            await gather(
                lambda: eventually(lambda: running("pg_sleep(91") == 2) or 1 // 0,
                lambda: wait_and_say(1, 91),
                lambda: wait_and_say(2, 91),
            )

    began = time.monotonic()
    async_to_sync(run)()
    assert time.monotonic() - began < 60  # and not the 91 s that the reads would have taken
    eventually(lambda: running("pg_sleep(91") == 0)
    for _ in range(10):
        results = async_to_sync(gather)(*(lambda number=number: wait_and_say(number, 0) for number in range(4)))
        assert [number for number, _ in results] == [0, 1, 2, 3]


@pytest.mark.postgresql
def test_a_cancelled_caller_cancels_the_queries():
    async def run():
        task = asyncio.create_task(gather(lambda: wait_and_say(1, 92), lambda: wait_and_say(2, 92)))
        await in_thread(eventually, lambda: running("pg_sleep(92") == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(run)()
    eventually(lambda: running("pg_sleep(92") == 0)


@pytest.mark.postgresql
def test_what_has_not_started_when_another_fails_never_starts(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "GATHER_THREADS": 1}
    started = []
    with pytest.raises(ZeroDivisionError):
        async_to_sync(gather)(
            lambda: 1 // 0, *(lambda n=n: started.append(n) or wait_and_say(n, 0.3) for n in range(5))
        )
    time.sleep(0.5)
    assert len(started) <= 1


@pytest.mark.postgresql
def test_a_cancelled_work_lets_no_further_query_begin():
    begun, go_on = threading.Event(), threading.Event()
    failures = []

    def read():
        wait_and_say(0, 0)
        begun.set()
        go_on.wait(20)
        wait_and_say(0, 0)

    work = concurrency._Work(read)

    def run():
        try:
            work.run()
        except concurrency.CancelledError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(20)
    work.cancel()
    go_on.set()
    thread.join()
    assert len(failures) == 1


@pytest.mark.postgresql
def test_a_cancelled_query_is_an_error_of_its_thread_alone():
    failures = []
    work = concurrency._Work(lambda: wait_and_say(0, 93))

    def run():
        try:
            work.run()
        except OperationalError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(lambda: running("pg_sleep(93") == 1)
    work.cancel()
    thread.join(20)
    assert "canceling statement" in str(failures)
    assert wait_and_say(1, 0)[0] == 1


@pytest.mark.postgresql
def test_threads_are_bounded_by_the_pool(settings, monkeypatch):
    assert concurrency._bounded(8) == 8
    monkeypatch.setattr(concurrency, "pool_size", lambda: 5)
    assert concurrency._bounded(8) == 3
    monkeypatch.setattr(concurrency, "pool_size", lambda: 1)
    assert concurrency._bounded(8) == 1


@pytest.mark.postgresql
def test_in_thread_has_its_own_connection_and_a_copy_of_the_context():
    def service(event_name, *, stream):
        with transaction.atomic():
            OutboxEvent.objects.create(name=event_name, version=1, stream=stream, payload={})
        said = word.get()
        word.set("inside")
        return said, threading.current_thread().name, wait_and_say(0, 0)[1]

    async def run():
        word.set("outside")
        return await in_thread(service, "x", stream="s"), word.get()

    (said, thread, pid), after = async_to_sync(run)()
    assert (said, after) == ("outside", "outside")
    assert thread.startswith("in_thread")
    assert pid != wait_and_say(0, 0)[1]
    assert OutboxEvent.objects.get().stream == "s"


@pytest.mark.postgresql
def test_what_in_thread_began_ends_although_the_caller_is_cancelled():
    async def run():
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        def service():
            with transaction.atomic():
                OutboxEvent.objects.create(name="x", version=1, stream="s", payload={})
                loop.call_soon_threadsafe(begun.set)
                wait_and_say(0, 0.1)

        task = asyncio.create_task(in_thread(service))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async_to_sync(run)()
    eventually(OutboxEvent.objects.exists)


def test_without_threads_in_thread_stays_in_the_callers(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "IN_THREAD_THREADS": 0}
    with transaction.atomic():
        OutboxEvent.objects.create(name="x", version=1, stream="s", payload={})
        assert async_to_sync(in_thread)(OutboxEvent.objects.count) == 1
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, []),
        ({"GATHER_THREADS": 0}, ["fashionistar_common.E060"]),
        ({"POOL_RESERVE": -1}, ["fashionistar_common.E060"]),
        ({"GATHER_THREADS": "many"}, []),
    ],
)
def test_numbers_of_threads_are_checked(settings, values, ids):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **values}
    assert [message.id for message in check_threads()] == ids


@pytest.mark.postgresql
def test_more_threads_than_connections_is_a_warning(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "GATHER_THREADS": 200}
    assert [message.id for message in check_threads()] == ["fashionistar_common.W060"]
