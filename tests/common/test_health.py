import socket
import threading

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient
from django.utils import timezone
from fashionistar_common.http import health
from fashionistar_common.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


def get(path):
    return async_to_sync(AsyncClient().get)(path)


def test_a_live_process_answers_without_a_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        response = get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_ready_process_names_what_it_looked_at():
    response = get("/readyz")
    assert response.status_code == 200
    checks = {"database": "ok", "migrations": "ok", "cache": "ok"}
    assert response.json() == {"status": "ok", "checks": checks, "warnings": {}}


def test_a_process_that_cannot_serve_says_why_and_no_secrets(monkeypatch):
    def refused():
        raise ConnectionError("password=hunter2")

    monkeypatch.setitem(health.PROBES, "cache", refused)
    monkeypatch.setitem(health.PROBES, "database", lambda: "ok")
    response = get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["cache"] == "ConnectionError: it does not answer"
    assert b"hunter2" not in response.content


def test_missing_migrations_are_named():
    table = connection.ops.quote_name("django_migrations")
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE app = 'fashionistar_common' RETURNING name, applied")
        rows = cursor.fetchall()
    try:
        newest = max(name for name, _ in rows)
        assert get("/readyz").json()["checks"]["migrations"] == f"not applied: fashionistar_common.{newest}"
    finally:
        with connection.cursor() as cursor:
            for name, applied in rows:
                cursor.execute(
                    f"INSERT INTO {table} (app, name, applied) VALUES ('fashionistar_common', %s, %s)", [name, applied]
                )


def full():
    return "the shelves are full"


def test_a_project_names_what_else_it_needs(settings):
    settings.FASHIONISTAR_COMMON = {"READY_PROBES": {"shelves": f"{__name__}.full", "lost": "no.such.probe"}}
    checks = get("/readyz").json()["checks"]
    assert checks["shelves"] == "the shelves are full"
    assert checks["lost"] == "ModuleNotFoundError: it does not answer"


def test_a_relay_that_does_not_run_is_a_warning():
    an_hour_ago = timezone.now() - timezone.timedelta(hours=1)
    OutboxEvent.objects.create(name="shop.sold", version=1, stream="a:1", payload={}, occurred_at=an_hour_ago)
    response = get("/readyz")
    assert response.status_code == 200
    assert response.json()["warnings"] == {"relay": f"events have waited since {an_hour_ago:%Y-%m-%dT%H:%M:%SZ}"}


def test_a_task_backend_that_is_away_is_a_warning(settings):
    pytest.importorskip("redis")
    backend = {"BACKEND": "fashionistar_common.tasks.redis.RedisBackend", "QUEUES": ["default"]}
    settings.TASKS = {"default": backend | {"OPTIONS": {"URL": "redis://:hunter2@127.0.0.1:1/0"}}}
    response = get("/readyz")
    assert response.status_code == 200
    assert response.json()["warnings"].keys() == {"tasks"}
    assert b"hunter2" not in response.content


def test_a_database_that_hangs_is_told_while_it_hangs(settings, monkeypatch):
    """It takes the connection and says nothing, as behind a firewall; one thread waits, whoever asks."""
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("one connection for all threads")
    settings.FASHIONISTAR_COMMON = {"READY_TIMEOUT": 0.2}
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def hangs():
            with socket.create_connection(silent.getsockname()) as client:
                return client.recv(1).decode() or "gone"

        monkeypatch.setitem(health.PROBES, "database", hangs)
        answers = [get("/readyz") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 503, 503]
        for answer in answers:
            assert answer.json()["checks"] == {
                "database": "no answer within 0.2 seconds",
                "migrations": "ok",
                "cache": "ok",
            }
        assert get("/healthz").status_code == 200
        waiting = [thread for thread in threading.enumerate() if thread.name == "probe"]
        assert len(waiting) == 1
        silent.accept()[0].close()
        waiting[0].join()
