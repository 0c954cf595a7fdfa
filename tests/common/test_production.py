"""The items of `production_check`: each in a case where it fails and in one where it passes."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core import checks
from django.core.cache import caches
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from fashionistar_common import production
from fashionistar_common.models import (
    DeadTask,
    EventDelivery,
    EventSubscription,
    IdempotencyRecord,
    OutboxEvent,
)
from fashionistar_common.observability.logs import logging_config
from fashionistar_common.production import Status, failed, flow, passed, stores
from fashionistar_common.tasks.readings import Queue

pytestmark = pytest.mark.django_db
writing = pytest.mark.django_db(transaction=True)

LONG_KEY = "kV9!xq2Lr8#Tz5@Wm3$Jn7%Bd1^Gf4&Hs6*Pc0(Ry-Uo+Ea=Ii"
CSP = {"default-src": ["'none'"], "script-src": ["'self'"], "base-uri": ["'none'"], "frame-ancestors": ["'none'"]}
CSP_MIDDLEWARE = "django.middleware.csp.ContentSecurityPolicyMiddleware"
HTTPS = {
    "SECURE_SSL_REDIRECT": True,
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "MIDDLEWARE": ["django.middleware.security.SecurityMiddleware"],
}
PROXY = {"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")}


def pooled(monkeypatch, pool):
    """Let the items see another pool than the one that the tests use."""
    seen = SimpleNamespace(
        settings_dict={"OPTIONS": {"pool": pool}}, vendor=connection.vendor, cursor=connection.cursor
    )
    monkeypatch.setattr(stores, "connection", seen)


def look(name):
    [item] = [item for item in production.items() if item.id == name]
    return production.run(item)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("debug_off", {"DEBUG": False}, None),
        ("debug_off", {"DEBUG": True}, "with DEBUG"),
        ("secret_key", {"SECRET_KEY": LONG_KEY}, None),
        ("secret_key", {"SECRET_KEY": LONG_KEY[:40]}, "1 of 1 keys"),
        ("secret_key", {"SECRET_KEY": "ab" * 40}, "1 of 1 keys"),
        ("secret_key", {"SECRET_KEY": f"django-insecure-{LONG_KEY}"}, "1 of 1 keys"),
        ("secret_key", {"SECRET_KEY": LONG_KEY, "SECRET_KEY_FALLBACKS": ["old"]}, "1 of 2 keys"),
        ("https_only", HTTPS, None),
        ("https_only", HTTPS | {"SECURE_SSL_REDIRECT": False}, "SECURE_SSL_REDIRECT"),
        ("https_only", HTTPS | {"SECURE_HSTS_SECONDS": 3600}, "SECURE_HSTS_SECONDS"),
        ("https_only", HTTPS | {"CSRF_COOKIE_SECURE": False}, "CSRF_COOKIE_SECURE"),
        ("https_only", HTTPS | {"MIDDLEWARE": []}, "SecurityMiddleware"),
        ("allowed_hosts", {"ALLOWED_HOSTS": ["shop.example", ".shop.example"]}, None),
        ("allowed_hosts", {"ALLOWED_HOSTS": []}, "empty"),
        ("allowed_hosts", {"ALLOWED_HOSTS": ["shop.example", "*"]}, "any host"),
        ("csp_strict", {"SECURE_CSP": CSP, "MIDDLEWARE": [CSP_MIDDLEWARE]}, None),
        ("csp_strict", {"SECURE_CSP": CSP, "MIDDLEWARE": []}, "no policy"),
        ("csp_strict", {"SECURE_CSP": {}, "MIDDLEWARE": [CSP_MIDDLEWARE]}, "no policy"),
        (
            "csp_strict",
            {"SECURE_CSP": CSP | {"script-src": ["'self'", "'unsafe-inline'"]}, "MIDDLEWARE": [CSP_MIDDLEWARE]},
            "'unsafe-inline'",
        ),
        (
            "csp_strict",
            {"SECURE_CSP": {"default-src": ["'self'"], "base-uri": []}, "MIDDLEWARE": [CSP_MIDDLEWARE]},
            "frame-ancestors",
        ),
        ("proxies_known", PROXY | {"FASHIONISTAR_COMMON": {"TRUSTED_PROXIES": ["10.0.0.0/8"]}}, None),
        ("proxies_known", PROXY | {"FASHIONISTAR_COMMON": {}}, "TRUSTED_PROXIES is empty"),
        ("metrics_protected", {"FASHIONISTAR_COMMON": {"METRICS_TOKEN": "the-scrapers-own"}}, None),
        ("metrics_protected", {"FASHIONISTAR_COMMON": {"METRICS_NETWORKS": ["0.0.0.0/0"]}}, "everybody"),
        ("metrics_protected", {"FASHIONISTAR_COMMON": {}, "DEBUG": True}, "DEBUG"),
        ("logs_json", {"LOGGING": logging_config()}, None),
        ("logs_json", {"LOGGING": logging_config(json=False)}, "logging_config"),
    ],
)
def test_what_the_settings_decide(settings, name, values, reason):
    for setting, value in values.items():
        setattr(settings, setting, value)
    result = look(f"common.{name}")
    if reason is None:
        assert result == passed()
    else:
        assert result.status is Status.FAIL
        assert reason in result.reason


def test_questions_that_do_not_arise(settings, monkeypatch):
    settings.SECURE_PROXY_SSL_HEADER = None
    settings.FASHIONISTAR_COMMON = {}
    pooled(monkeypatch, None)
    monkeypatch.setattr(flow, "queues", list)
    monkeypatch.setattr(flow.event_bus, "subscribers", dict)
    for name in ("proxies_known", "metrics_protected", "pool_sized", "workers_seen", "relay_seen"):
        result = look(f"common.{name}")
        assert result.status is Status.NOT_APPLICABLE, name
        assert result.reason


@pytest.mark.parametrize(
    ("kind", "passes"), [("smtp", True), ("console", False), ("locmem", False), ("dummy", False), ("ours", False)]
)
def test_mail(settings, kind, passes):
    path = f"django.core.mail.backends.{kind}.EmailBackend"
    if kind == "ours":
        path = "fashionistar_common.mail.DirectoryEmailBackend"
    if hasattr(settings, "MAILERS"):
        options = {"OPTIONS": {"host": "mail.example.com"}} if kind == "smtp" else {}
        settings.MAILERS = {"default": {"BACKEND": path, **options}}
    else:
        settings.EMAIL_BACKEND = path
    assert (look("common.mail_sent") == passed()) is passes


def test_the_queue_before_a_mailer_does_not_hide_it(settings):
    if not hasattr(settings, "MAILERS"):
        pytest.skip("Django 6.0 has one backend")
    queued = {"BACKEND": "fashionistar_common.mail.QueuedEmailBackend", "OPTIONS": {"mailer": "real"}}
    smtp = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {"host": "mail.example.com"}}
    settings.MAILERS = {"default": queued, "real": smtp}
    assert look("common.mail_sent") == passed()
    settings.MAILERS = {"default": queued, "real": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    assert look("common.mail_sent").status is Status.FAIL


def test_djangos_own_checks(monkeypatch):
    found = []
    monkeypatch.setattr(checks.registry.registry, "registered_checks", set())
    monkeypatch.setattr(checks.registry.registry, "deployment_checks", set())
    checks.register(lambda **kwargs: found, deploy=True)
    assert look("common.checks_clean") == passed()
    found += [checks.Warning("Careless.", id="shop.W1"), checks.Error("Wrong.", id="shop.E1")]
    assert look("common.checks_clean") == failed("shop.E1, shop.W1")


# Stores ----------------------------------------------------------------------------------------------------------


def test_the_database_itself():
    expected = Status.PASS if connection.vendor == "postgresql" else Status.FAIL
    assert look("common.postgresql").status is expected


@pytest.mark.postgresql
def test_an_old_postgresql(monkeypatch):
    monkeypatch.setattr(stores, "OLDEST", 99_00_00)
    assert look("common.postgresql").reason.startswith("it is ")


@writing
def test_migrations():
    assert look("common.migrations_applied") == passed()
    recorder = MigrationRecorder(connection)
    newest = max(name for app, name in recorder.applied_migrations() if app == "fashionistar_common")
    recorder.record_unapplied("fashionistar_common", newest)
    try:
        assert look("common.migrations_applied") == failed(f"not applied: fashionistar_common.{newest}")
    finally:
        recorder.record_applied("fashionistar_common", newest)


@pytest.mark.parametrize(
    ("pool", "threads", "reason"),
    [
        ({"max_size": 9}, 8, ""),
        ({"max_size": 8}, 8, "8 connections for 8 threads"),
        (True, 3, ""),
        (True, 4, "4 connections"),
        ({"min_size": 2}, 2, "2 connections"),
    ],
)
def test_the_pool(settings, monkeypatch, pool, threads, reason):
    pooled(monkeypatch, pool)
    settings.FASHIONISTAR_COMMON = {"GATHER_THREADS": threads}
    assert stores.pool_sized().reason.startswith(reason)
    assert (stores.pool_sized() == passed()) is (not reason)


@pytest.mark.postgresql
def test_a_pool_larger_than_the_server(monkeypatch):
    pooled(monkeypatch, {"max_size": 100_000})
    assert "one process may open 100000 connections" in stores.pool_sized().reason


@pytest.mark.postgresql
@writing
def test_the_role():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, session_user")
        me = cursor.fetchone()[0]
        if connection.introspection and me != "postgres":
            pytest.skip("only a superuser can become somebody else")
        assert look("common.database_role") == failed("postgres is a superuser")
        cursor.execute("DROP ROLE IF EXISTS watched; CREATE ROLE watched; GRANT watched TO CURRENT_USER")
        try:
            cursor.execute("SET ROLE watched")
            assert look("common.database_role") == passed()
        finally:
            cursor.execute("RESET ROLE; DROP ROLE watched")


@pytest.mark.parametrize(("kind", "status"), [("locmem.LocMemCache", Status.FAIL), ("dummy.DummyCache", Status.FAIL)])
def test_a_cache_of_ones_own(settings, kind, status):
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{kind}"}}
    assert look("common.cache_shared").status is status


def test_a_cache_for_all(settings):
    if "redis" not in type(caches["default"]).__module__:
        pytest.skip("REDIS_URL is not set")
    assert look("common.cache_shared") == passed()
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://:hunter2@127.0.0.1:1/0"}}
    result = look("common.cache_shared")
    assert result.status is Status.FAIL
    assert "hunter2" not in result.reason


def test_kept_answers_are_durable():
    in_memory = connection.vendor == "sqlite" and connection.is_in_memory_db()
    assert look("common.idempotency_durable") == (failed("the database is in memory") if in_memory else passed())


@pytest.mark.postgresql
@writing
def test_kept_answers_that_a_crash_would_empty():
    table = IdempotencyRecord._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} SET UNLOGGED")
        try:
            assert "UNLOGGED" in look("common.idempotency_durable").reason
        finally:
            cursor.execute(f"ALTER TABLE {table} SET LOGGED")


# What is to be done later ----------------------------------------------------------------------------------------


def test_task_backends(settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    assert look("common.task_backend") == passed()
    for kind in ("immediate.ImmediateBackend", "dummy.DummyBackend"):
        settings.TASKS = {"default": {"BACKEND": f"django.tasks.backends.{kind}"}}
        assert look("common.task_backend").status is Status.FAIL


@pytest.mark.parametrize(
    ("queue", "idle"),
    [
        (Queue("default", "emails", 9, 0, 3.0, 2), False),
        (Queue("default", "emails", 0, 0, 0.0, 0), True),
        (Queue("default", "emails", 9, 0, 299.0, None), False),
        (Queue("default", "emails", 9, 0, 301.0, None), True),
    ],
)
def test_workers(monkeypatch, queue, idle):
    monkeypatch.setattr(flow, "queues", lambda: iter([queue]))
    assert look("common.workers_seen") == (failed("nobody works on emails") if idle else passed())


@writing
def test_the_relay(monkeypatch):
    monkeypatch.setattr(flow.event_bus, "subscribers", lambda: {"shop.handle": [("shop.sold", 1)]})
    EventSubscription.objects.all().delete()
    assert look("common.relay_seen") == failed("never")
    seen = EventSubscription.objects.create(name="shop.sold", version=1, subscriber="shop.handle")
    assert look("common.relay_seen") == passed()
    seen.last_seen_at = timezone.now() - timedelta(minutes=4)
    seen.save()
    assert look("common.relay_seen").reason.startswith("the last time at ")


@writing
def test_the_outbox():
    event = OutboxEvent.objects.create(name="shop.sold", version=1, stream="a:1", payload={})
    assert look("common.outbox_lag") == passed()
    event.occurred_at -= timedelta(seconds=61)
    event.save()
    assert look("common.outbox_lag").status is Status.FAIL
    event.fanned_out_at = timezone.now()
    event.save()
    assert look("common.outbox_lag") == passed()


@writing
def test_what_was_given_up():
    assert look("common.no_dead_deliveries") == look("common.no_dead_tasks") == passed()
    event = OutboxEvent.objects.create(name="shop.sold", version=1, stream="a:1", payload={})
    EventDelivery.objects.create(event=event, subscriber="shop.handle", stream="a:1", status="dead")
    dead = DeadTask.objects.create(task_id="1", task="shop.wrap", attempts=5, error="ValueError")
    assert look("common.no_dead_deliveries") == failed("1 of shop.handle")
    assert look("common.no_dead_tasks") == failed("1 of shop.wrap")
    dead.replayed_at = timezone.now()
    dead.save()
    assert look("common.no_dead_tasks") == passed()
