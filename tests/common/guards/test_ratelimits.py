"""Rate limits: never one too many, on both stores and through both faces."""

import asyncio
import logging
import os
import threading
from collections import Counter

import pytest
from asgiref.sync import async_to_sync
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from fashionistar_common import optional_redis, ratelimits
from fashionistar_common.models import RateLimit
from fashionistar_common.ratelimits import Rate, RateLimitExceededError, aforget, alimit, forget, limit
from fashionistar_common.ratelimits.rates import Allowance, digest_of
from fashionistar_common.tasks.upkeep import purge_rate_limits

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY_LISTENS = {"URL": "redis://127.0.0.1:1/0"}
SECOND = 1_000_000


@pytest.fixture
def key(request):
    """A caller of this test's own, for Redis is not emptied between tests."""
    return f"{request.node.nodeid} {os.getpid()} {os.urandom(4).hex()}"


def spent(call, *args, **kwargs):
    """Whether the call was within its limit."""
    try:
        call(*args, **kwargs)
    except RateLimitExceededError:
        return False
    return True


# Counting --------------------------------------------------------------------------------------------------------


@pytest.mark.postgresql
def test_of_two_hundred_calls_at_once_ten_pass(limit_store, key, at_once):
    results = at_once([lambda: spent(limit, "login", key=key, rate="10/h")] * 200)
    assert Counter(results) == {True: 10, False: 190}


@pytest.mark.postgresql
def test_of_two_hundred_async_calls_at_once_ten_pass(limit_store, key):
    async def attempt():
        try:
            await alimit("login", key=key, rate="10/h")
        except RateLimitExceededError:
            return False
        return True

    async def all_of_them():
        return await asyncio.gather(*(attempt() for _ in range(200)))

    assert Counter(async_to_sync(all_of_them)()) == {True: 10, False: 190}


def test_what_is_left_is_told(limit_store, key):
    found = [limit("login", key=key, rate="3/h") for _ in range(3)]
    assert [each.remaining for each in found] == [2, 1, 0]
    assert all(1190 <= each.wait <= 1200 for each in found)
    with pytest.raises(RateLimitExceededError) as refused:
        limit("login", key=key, rate="3/h")
    assert 1190 <= refused.value.facts["retry_after"] <= 1200


def test_a_refused_call_costs_nothing_and_what_is_paid_back_may_be_spent(limit_store, key):
    assert [spent(limit, "login", key=key, rate="4/2s") for _ in range(4)] == [True] * 4
    while not spent(limit, "login", key=key, rate="4/2s"):  # a call each half a second, however often one asks
        threading.Event().wait(0.02)


def test_other_names_and_other_keys_are_other_limits(limit_store, key):
    calls = [("login", key), ("login", key + "x"), ("code", key)]
    assert all(spent(limit, name, key=each, rate="1/h") for name, each in calls)
    assert not any(spent(limit, name, key=each, rate="1/h") for name, each in calls)


@pytest.mark.parametrize(
    "hostile", ["", "\0", "\ud800", "a b\r\nSET x 1\r\n", "{x}", "%s", "'; DROP TABLE --", "é" * 9999]
)
def test_any_text_is_a_key(limit_store, key, hostile):
    assert [spent(limit, "login", key=hostile + key, rate="1/h") for _ in range(2)] == [True, False]


def test_a_key_is_kept_as_its_digest(key, common_settings):
    common_settings(RATE_LIMIT_STORE="database")
    limit("login", key="ada@example.com", rate="1/h")
    assert RateLimit.objects.get().key == digest_of("login", "ada@example.com")
    assert digest_of("a", "b") != digest_of("ab", "")


def test_the_clock_of_the_store_counts(limit_store, key, monkeypatch):
    """A server whose clock is wrong, by a day in either direction, gets what the others get."""
    assert spent(limit, "login", key=key, rate="1/h")
    for skew in (-86400, 86400):
        monkeypatch.setattr("time.time", lambda skew=skew: 1_800_000_000 + skew)
        assert not spent(limit, "login", key=key, rate="1/h")


def test_forgetting_gives_everything_back(limit_store, key):
    for give_back in (forget, async_to_sync(aforget)):
        assert [spent(limit, "login", key=key, rate="1/h") for _ in range(2)] == [True, False]
        give_back("login", key=key)
    assert spent(limit, "login", key=key, rate="1/h")


def test_what_is_no_number_in_redis_counts_as_nothing(limit_store, key):
    if limit_store == "redis":
        stored = optional_redis.prefixed(f"ratelimit:{digest_of('login', key)}")
        optional_redis.call(stored, lambda client: client.set(stored, "x", ex=60))
    assert [spent(limit, "login", key=key, rate="1/h") for _ in range(2)] == [True, False]


def test_a_rate_that_was_lowered_holds_at_once(limit_store, key):
    assert [spent(limit, "login", key=key, rate="10/h") for _ in range(10)] == [True] * 10
    with pytest.raises(RateLimitExceededError) as refused:
        limit("login", key=key, rate="2/h")
    assert refused.value.facts["headers"]["RateLimit"].startswith('"login";r=0;t=')


def test_paid_rows_are_purged(common_settings, capsys):
    common_settings(RATE_LIMIT_STORE="database")
    limit("login", key="ada", rate="1/h")
    RateLimit.objects.create(key="long ago", paid_at=1)
    call_command("purge_rate_limits", "--dry-run")
    purge_rate_limits.func()
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["1", "1"]
    assert RateLimit.objects.get().key == digest_of("login", "ada")


# Rates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/m", (10, 60)), ("1/s", (1, 1)), ("100/2h", (100, 7200)), ("5/30s", (5, 30)), ("1/d", (1, 86400))],
)
def test_rates(text, rate):
    assert Rate.parse(text) == Rate(*rate)


@pytest.mark.parametrize(
    "text", ["10", "0/m", "10/y", "-1/m", "10/0s", "1e3/m", "٣/m", "10/m ", "10000001/s", "9" * 99 + "/s"]
)
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="is"):
        Rate.parse(text)


@pytest.mark.parametrize(
    ("debt", "remaining", "wait"), [(6, 9, 6), (6.5, 8, 1), (54, 1, 6), (54.1, 0, 1), (60, 0, 6), (90, 0, 36)]
)
def test_the_arithmetic_of_what_remains(debt, remaining, wait):
    allowance = Allowance("login", Rate(10, 60), True, int(debt * SECOND))
    assert (allowance.remaining, allowance.wait) == (remaining, wait)


def test_settings_change_rates_by_name(common_settings, key):
    common_settings(RATE_LIMIT_STORE="database", RATE_LIMITS={"login": "1/h", "free": ""})
    assert [spent(limit, "login", key=key, rate="100/s") for _ in range(2)] == [True, False]
    assert limit("free", key=key, rate="1/h") is None
    assert async_to_sync(alimit)("free", key=key) is None
    for name, rates in [("unknown", {}), ("bad name", {"bad name": "1/s"}), ("bad", {"bad": "x"})]:
        common_settings(RATE_LIMITS=rates)
        with pytest.raises(ImproperlyConfigured):
            limit(name, key=key)


def test_checks_name_what_is_wrong(common_settings):
    rates = {"login": "10/y", "a b": "1/s"}
    common_settings(RATE_LIMITS=rates, REDIS={"SENTINELS": ["a:1"]}, CACHE_LOCK_SECONDS=0.0)
    found = {message.id for message in run_checks()}
    assert found >= {"fashionistar_common.E040", "fashionistar_common.E041", "fashionistar_common.E044"}


def test_a_store_that_is_not_there_is_an_error_of_the_check(common_settings, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    common_settings(RATE_LIMIT_STORE="redis", REDIS={})
    assert "fashionistar_common.E042" in {message.id for message in run_checks()}


# Redis away ------------------------------------------------------------------------------------------------------


def test_without_redis_the_database_counts(common_settings, key, caplog):
    common_settings(REDIS=NOBODY_LISTENS)
    with caplog.at_level(logging.WARNING, "fashionistar_common.optional_redis"):
        assert [spent(limit, "login", key=key, rate="2/h") for _ in range(3)] == [True, True, False]
        assert not spent(async_to_sync(alimit), "login", key=key, rate="2/h")
    assert [record.message for record in caplog.records] == ["redis does not answer, going on without it"]
    assert RateLimit.objects.count() == 1


def test_without_redis_everybody_may_pass_if_the_project_says_so(common_settings, key):
    common_settings(REDIS={**NOBODY_LISTENS, "CLIENT": {"socket_timeout": 0.4}}, RATE_LIMIT_FALLBACK="allow")
    assert limit("login", key=key, rate="1/h") is None
    assert [spent(limit, "login", key=key, rate="1/h") for _ in range(3)] == [True] * 3
    assert async_to_sync(alimit)("login", key=key, rate="1/h") is None
    forget("login", key=key)


def test_the_cache_of_the_project_names_its_redis(settings, common_settings):
    common_settings(REDIS={})
    redis = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": ["redis://a:1/2", "redis://b:1/2"],
        "OPTIONS": {"password": "x", "pool_class": "y"},
        "KEY_PREFIX": "shop",
    }
    settings.CACHES = {"default": redis}
    assert optional_redis.options() == {"URL": "redis://a:1/2", "CLIENT": {"password": "x"}}
    assert optional_redis.prefixed("x") == "shop:x"
    settings.CACHES = {"default": {**redis, "LOCATION": "redis://a:1/2,redis://b:1/2"}}
    assert optional_redis.options()["URL"] == "redis://a:1/2"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "x"}}
    assert not optional_redis.is_there()
    with pytest.raises(optional_redis.RedisAwayError):
        optional_redis.call("x", lambda client: client.ping())


def test_with_redis_the_async_path_changes_no_thread(limit_store, key, monkeypatch):
    if limit_store != "redis":
        pytest.skip("the database has no async driver of Django's")
    monkeypatch.setattr(ratelimits, "sync_to_async", None)
    monkeypatch.setattr("asyncio.to_thread", None)
    assert async_to_sync(alimit)("login", key=key, rate="2/h").remaining == 1
