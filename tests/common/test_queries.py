"""Counting queries, and telling of those that repeat themselves or take long; in threads and on the event loop, too."""

import logging
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from fashionistar_common.concurrency import gather
from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.observability.queries import counted, shape_of, watch

pytestmark = pytest.mark.django_db(transaction=True)


def read(key):
    return IdempotencyRecord.objects.filter(key=key).first()


def sync_n_plus_one(request):
    for number in range(5):
        read(str(number))
    return HttpResponse()


async def async_n_plus_one(request):
    for number in range(5):
        await IdempotencyRecord.objects.filter(key=str(number)).afirst()
    return HttpResponse()


async def inner_n_plus_one(request):
    await look_up()
    return HttpResponse()


async def look_up():
    for number in range(5):
        await IdempotencyRecord.objects.filter(key=str(number)).aexists()


async def threaded_n_plus_one(request):
    for number in range(5):
        await sync_to_async(read)(str(number))
    return HttpResponse()


async def one_for_all(request):
    await sync_to_async(list)(IdempotencyRecord.objects.filter(key__in=["1", "2", "3", "4", "5"]))
    return HttpResponse()


urlpatterns = [path(view.__name__, view) for view in (sync_n_plus_one, async_n_plus_one, inner_n_plus_one)]
urlpatterns += [path(view.__name__, view) for view in (threaded_n_plus_one, one_for_all)]


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["fashionistar_common.http.observe.ObserveMiddleware"]
    settings.FASHIONISTAR_COMMON = {"REPEATED_QUERIES": 3}


def ask(view, through):
    if through == "async":
        return async_to_sync(AsyncClient().get)(f"/{view}")
    return Client().get(f"/{view}")


def warnings(caplog):
    return [record for record in caplog.records if record.name.endswith("observability.queries")]


@pytest.mark.parametrize("through", ["async", "sync"])
@pytest.mark.parametrize(
    ("view", "place"),
    [
        ("sync_n_plus_one", "read"),
        ("async_n_plus_one", "async_n_plus_one"),
        ("inner_n_plus_one", "look_up"),
        ("threaded_n_plus_one", "read"),
    ],
)
def test_a_planted_n_plus_one_is_told_once_with_its_place(caplog, view, place, through):
    assert ask(view, through).status_code == 200
    [warning] = warnings(caplog)
    assert warning.levelno == logging.WARNING
    assert warning.times == 5
    assert warning.place.startswith(f"{__file__}:")
    assert warning.place.endswith(f" in {place}")
    assert "fashionistar_common_idempotencyrecord" in warning.getMessage()


def test_one_query_for_all_is_no_n_plus_one(caplog):
    for _ in range(5):
        ask("one_for_all", "async")
    assert warnings(caplog) == []


def test_production_is_not_told(caplog, settings):
    settings.FASHIONISTAR_COMMON = {}
    ask("sync_n_plus_one", "sync")
    assert warnings(caplog) == []


@pytest.mark.parametrize("limit", [3, 0])
def test_only_a_slow_query_is_slow(caplog, settings, monkeypatch, limit):
    from fashionistar_common.observability import queries

    moments = iter([0.0, 0.0029, 1.0, 1.0031])  # two queries, in seconds
    monkeypatch.setattr(queries, "time", SimpleNamespace(perf_counter=lambda: next(moments)))  # nobody else's clock
    settings.FASHIONISTAR_COMMON = {"SLOW_QUERY_MS": limit}
    with counted():
        read("ada@mail.example.com")
        read("b")
    monkeypatch.undo()
    assert [warning.milliseconds for warning in warnings(caplog)] == ([3.1] if limit else [])
    assert "ada@" not in caplog.text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a IN (%s)", "a IN (%s, %s, %s)", True),
        ("VALUES (%s, %s), (%s, %s)", "VALUES (%s, %s, %s), (%s)", True),
        ("a = %s", "b = %s", False),
        ("LIMIT 1", "LIMIT 2", False),
    ],
)
def test_lists_of_any_length_are_one_shape(one, other, same):
    assert (shape_of(one) == shape_of(other)) is same


def test_queries_are_counted_where_the_work_goes_on():
    async def work():
        with counted() as log:
            await IdempotencyRecord.objects.acount()
            await gather(lambda: list(IdempotencyRecord.objects.all()), IdempotencyRecord.objects.exists)
            await sync_to_async(read)("a")
        await IdempotencyRecord.objects.acount()
        return log

    assert len(async_to_sync(work)().seconds) == 4


def test_a_query_that_fails_is_counted_too():
    with counted() as log, pytest.raises(Exception, match="no_such_column"), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")
    assert len(log.seconds) == 1


def test_a_new_connection_within_somebodys_wrapper_leaves_no_trace_of_it():
    """`execute_wrapper()` removes the last wrapper at its end, whichever that is."""
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("its one connection stays")
    seen = []

    def theirs(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    @contextmanager
    def new_connection():
        connection.close()
        connection.execute_wrappers.clear()
        with connection.execute_wrapper(theirs):
            yield

    with new_connection():
        read("a")
    assert len(seen) == 1
    read("b")
    assert len(seen) == 1
    with counted() as log:
        read("c")
    assert len(log.seconds) == 1
    once = len(connection.execute_wrappers)
    watch(connection)
    assert len(connection.execute_wrappers) == once
