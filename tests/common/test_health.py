import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient
from fashionistar_common.http import health

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
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "cache": "ok"}}


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
