"""`/metrics`: who may read it, what it says, and that nothing stops it."""

import os
import re
import subprocess
import sys
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import timezone
from fashionistar_common.checks.observability import check_metrics, check_probes
from fashionistar_common.http import metrics as page
from fashionistar_common.models import EventDelivery, OutboxEvent
from fashionistar_common.observability import metrics
from fashionistar_common.observability.metrics import Reading, counter, gauge, histogram
from fashionistar_common.urls import urlpatterns as commons

pytest.importorskip("prometheus_client")

TOKEN = {"Authorization": "Bearer the-scrapers-own"}


async def ask(request, number):
    await sync_to_async(query)(number)
    return HttpResponse(status=200 + number)


def query(times):
    for _ in range(times):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


urlpatterns = [path("ask/<int:number>", ask), *commons]


@pytest.fixture(autouse=True)
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.FASHIONISTAR_COMMON = {"METRICS_TOKEN": "the-scrapers-own"}
    settings.MIDDLEWARE = [
        "fashionistar_common.http.middleware.RequestIDMiddleware",
        "fashionistar_common.http.observe.ObserveMiddleware",
    ]


def get(address, **headers):
    return async_to_sync(AsyncClient().get)(address, headers=headers)


def scrape():
    """Every sample by its name and labels, as written."""
    response = get("/metrics", **TOKEN)
    assert response.status_code == 200
    lines = response.content.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


# Who may read it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "headers", "status"),
    [
        ({}, {}, 404),
        ({"METRICS_TOKEN": "the-scrapers-own"}, {}, 401),
        ({"METRICS_TOKEN": "the-scrapers-own"}, {"Authorization": "Bearer another"}, 401),
        ({"METRICS_TOKEN": "the-scrapers-own"}, {"Authorization": "Basic the-scrapers-own"}, 401),
        ({"METRICS_TOKEN": "the-scrapers-own"}, {"Authorization": "Bearer é"}, 401),
        ({"METRICS_NETWORKS": ["10.0.0.0/8"]}, {}, 401),
        ({"METRICS_NETWORKS": ["10.0.0.0/8"]}, {"X-Forwarded-For": "10.1.1.1"}, 401),
        ({"METRICS_NETWORKS": ["10.0.0.0/8"]}, {"Authorization": "Bearer "}, 401),
    ],
)
def test_nobody_else_reads_it(settings, values, headers, status):
    settings.FASHIONISTAR_COMMON = values
    response = get("/metrics", **headers)
    assert response.status_code == status
    assert b"fashionistar_" not in response.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("values", "headers", "debug"),
    [
        ({"METRICS_TOKEN": "the-scrapers-own"}, TOKEN, False),
        ({"METRICS_NETWORKS": ["10.0.0.0/8", "127.0.0.1"]}, {}, False),
        ({}, {}, True),
    ],
)
def test_whom_the_settings_name_reads_it(settings, values, headers, debug):
    settings.FASHIONISTAR_COMMON, settings.DEBUG = values, debug
    response = Client(REMOTE_ADDR="127.0.0.1").get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert response["Cache-Control"] == "no-store"


def test_without_the_client_library_it_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    response = get("/metrics", **TOKEN)
    assert response.status_code == 503
    assert "fashionistar-common[observability]" in response.json()["detail"]


def test_without_the_client_library_nothing_is_counted(monkeypatch):
    monkeypatch.setattr(metrics, "prometheus_client", None)
    for make in (counter, gauge, histogram):
        made = make.__wrapped__("nothing", "Nothing.", ("label",)).labels("a")
        for method in ("inc", "dec", "set", "observe"):
            assert getattr(made, method)(1) is None


# What it says ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_requests_are_counted_by_route_and_never_by_path():
    labels = 'method="GET",route="/ask/<int:number>"'
    before = scrape()
    for number in (0, 1, 4, 204):
        get(f"/ask/{number}")
    for number in range(20):
        get(f"/made/up/{number}")
    after = scrape()

    def more(name):
        return after.get(name, 0) - before.get(name, 0)

    assert more(f'fashionistar_request_seconds_count{{{labels},status="2xx"}}') == 3
    assert more(f'fashionistar_request_seconds_count{{{labels},status="4xx"}}') == 1
    assert more(f"fashionistar_request_queries_count{{{labels}}}") == 4
    assert more(f"fashionistar_request_queries_sum{{{labels}}}") == 209
    assert more('fashionistar_request_seconds_count{method="GET",route="(unmatched)",status="4xx"}') == 20
    assert after["fashionistar_requests_in_progress"] == 1  # the scrape itself
    assert not [name for name in after if "made" in name]
    assert after["process_resident_memory_bytes"] > 0


@pytest.mark.django_db(transaction=True)
def test_what_is_still_to_deliver_can_be_read():
    event = {"version": 1, "stream": "order:1", "payload": {}}
    old = OutboxEvent.objects.create(
        name="shop.sold", occurred_at=timezone.now() - timezone.timedelta(hours=1), **event
    )
    done = OutboxEvent.objects.create(name="shop.sold", fanned_out_at=timezone.now(), **event)
    for subscriber, status in (("a", "pending"), ("b", "pending"), ("b", "dead"), ("c", "delivered")):
        event = old if status == "pending" else done
        EventDelivery.objects.create(event=event, subscriber=subscriber, stream="order:1", status=status)
    said = scrape()
    assert said["fashionistar_outbox_waiting"] == 1
    assert 3600 <= said["fashionistar_outbox_lag_seconds"] < 3700
    assert said['fashionistar_deliveries_pending{subscriber="a"}'] == 1
    assert 3600 <= said['fashionistar_delivery_lag_seconds{subscriber="b"}'] < 3700
    assert said['fashionistar_deliveries_dead{subscriber="b"}'] == 1
    assert not [name for name in said if '"c"' in name]


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_pool_can_be_read():
    if not connection.settings_dict["OPTIONS"].get("pool"):
        pytest.skip("this project has no pool")
    said = scrape()
    assert said['fashionistar_pool_max{database="default"}'] == connection.pool.max_size
    assert (
        0 <= said['fashionistar_pool_in_use{database="default"}'] <= said['fashionistar_pool_size{database="default"}']
    )
    assert said['fashionistar_pool_waiting{database="default"}'] == 0


# Nothing stops it ------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_reading_that_fails_takes_no_other_with_it(monkeypatch):
    def broken():
        yield Reading("half", "Half.", 1)
        query_that_fails()

    def query_that_fails():
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")

    monkeypatch.setitem(metrics.readers, "a.broken", broken)
    monkeypatch.setitem(metrics.readers, "z.fine", lambda: [Reading("fine", "Fine.", 7, {"sku": 'a"\n\\'})])
    said = scrape()
    assert said['fashionistar_reading_failed{reader="a.broken"}'] == 1
    assert said[r'fashionistar_fine{sku="a\"\n\\"}'] == 7
    assert "fashionistar_half" not in said
    assert "fashionistar_outbox_waiting" in said


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_postgresql_ends_a_reading_that_is_late(monkeypatch):
    def late():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")
        yield Reading("late", "Late.", 1)

    def timeout_afterwards():
        with connection.cursor() as cursor:
            cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'")
            return [Reading("timeout", "Timeout.", cursor.fetchone()[0])]

    monkeypatch.setattr(page, "STATEMENT_TIMEOUT", 50)
    monkeypatch.setitem(metrics.readers, "a.late", late)
    monkeypatch.setitem(metrics.readers, "z.timeout", timeout_afterwards)
    said = scrape()
    assert said['fashionistar_reading_failed{reader="a.late"}'] == 1
    assert said["fashionistar_timeout"] == 50
    with connection.cursor() as cursor:  # and the setting has ended with its transaction
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone()[0] == "0"


@pytest.mark.django_db(transaction=True)
def test_a_reading_that_hangs_is_not_waited_for_and_is_asked_once(monkeypatch):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("one connection for all threads")
    go, asked = threading.Event(), []

    def hang():
        asked.append(1)
        go.wait(60)
        return []

    monkeypatch.setattr(page, "PATIENCE", 0.05)
    monkeypatch.setitem(metrics.readers, "a.hang", hang)
    try:
        for _ in range(3):
            said = scrape()
            assert said['fashionistar_reading_failed{reader="a.hang"}'] == 1
            assert "fashionistar_requests_in_progress" in said
        assert asked == [1]
    finally:
        go.set()
        threads = [thread for thread in threading.enumerate() if thread.name == "probe"]
        for thread in threads:
            thread.join()


# Several processes -----------------------------------------------------------------------------------------------

SERVE = """
import os, sys, time
from fashionistar_common.observability.metrics import counter, exposition, gauge, histogram

counter("sold", "Sold.", ("colour",)).labels("red").inc(int(sys.argv[1]))
gauge("busy", "Busy.").inc()
histogram("wait", "Wait.").observe(0.3)
print("counted", flush=True)
if sys.stdin.readline() == "show\\n":
    sys.stdout.write(exposition([], accept="")[0].decode())
"""


def test_several_processes_count_as_one(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def start(number):
        return subprocess.Popen(
            [sys.executable, "-c", SERVE, str(number)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    dead, first, second = start(5), start(2), start(3)
    try:
        for process in (dead, first, second):
            assert process.stdout.readline() == "counted\n"
        dead.kill()
        dead.communicate()
        said = second.communicate("show\n")[0]
    finally:
        for process in (dead, first, second):
            process.kill()
            process.communicate()
    assert 'fashionistar_sold_total{colour="red"} 10.0' in said
    assert "fashionistar_busy 2.0" in said  # the killed one is busy no more
    assert "fashionistar_wait_count 3.0" in said
    assert not re.search(r"^process_", said, re.MULTILINE)


# What can be wrong with it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, []),
        ({"METRICS_TOKEN": "the-scrapers-own", "METRICS_NETWORKS": ["10.0.0.0/8", "::1"]}, []),
        ({"METRICS_TOKEN": "short"}, ["E083"]),
        ({"METRICS_NETWORKS": ["10.0.0.0/8", "10.0.0.1/8", "here"]}, ["E082", "E082"]),
        ({"METRICS_NETWORKS": ["0.0.0.0/0"]}, ["W080"]),
        ({"METRICS_NETWORKS": "10.0.0.0/8", "METRICS_TOKEN": 7, "READY_PROBES": []}, []),  # E002 says it
        ({"READY_PROBES": {"a": "no.such.probe", "b": "os.sep", "c": "os.getpid", "d": "x"}}, ["E084"] * 3),
    ],
)
def test_the_settings_are_checked(settings, values, ids):
    settings.FASHIONISTAR_COMMON = values
    found = [message.id for message in (*check_metrics(), *check_probes())]
    assert found == [f"fashionistar_common.{name}" for name in ids]
