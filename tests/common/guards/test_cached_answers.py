"""Cached answers: computed once, valid until something changes, and nobody's who should not have them."""

import asyncio
import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connections, transaction
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from fashionistar_common import optional_redis
from fashionistar_common.events import Event, EventBus, event_bus, relay
from fashionistar_common.http import cache, drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.http.cache import ainvalidate, cached, invalidate, invalidate_on
from fashionistar_common.testing import deliver_events
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Router
from rest_framework.response import Response

pytestmark = pytest.mark.django_db(transaction=True)

KINDS = ["plain", "async", "v1", "v2"]


class Shop:
    """What the views show, and what happens while they compute it."""

    def __init__(self):
        self.hats, self.computed = "old", 0
        self.begun, self.go_on, self.held = threading.Event(), threading.Event(), False
        self.before = lambda: None

    def compute(self):
        self.computed += 1
        hats = self.hats
        self.before()
        if self.held:
            self.begun.set()
            assert self.go_on.wait(10)
        return {"hats": hats}


shop = Shop()
HOW = {"seconds": 60, "stale": 60, "tags": ["hats"]}


@cached(**HOW)
def plain(request):
    return HttpResponse(json.dumps(shop.compute()), content_type="application/json")


@cached(**HOW)
async def asynchronous(request):
    return HttpResponse(json.dumps(await sync_to_async(shop.compute)()), content_type="application/json")


class Hats(drf.ApiView):
    @drf.cached(**HOW)
    def get(self, request):
        return Response(shop.compute())


class Mine(drf.ApiView):
    authentication_classes = [drf.bearer()]

    @drf.cached(60, audience="actor")
    def get(self, request):
        return Response({"hats": request.auth.id, "computed": shop.compute()["hats"]})


router = Router()


@router.get("hats", response=dict[str, str])
@v2.cached(**HOW)
async def hats(request):
    return await sync_to_async(shop.compute)()


@router.get("mine", response=dict[str, str], auth=v2.Bearer())
@v2.cached(60, audience="actor")
async def mine(request):
    return {"hats": request.auth.id, "computed": (await sync_to_async(shop.compute)())["hats"]}


api = NinjaAPI(urls_namespace="tests-cached-answers", docs_url=None)
api.add_router("/", router)
v2.install_problem_handlers(api)


class Urls:
    urlpatterns = [
        path("plain/hats", plain),
        path("async/hats", asynchronous),
        path("v1/hats", Hats.as_view()),
        path("v1/mine", Mine.as_view()),
        path("v2/", api.urls),
    ]


@pytest.fixture(autouse=True)
def _shop(settings, common_settings, redis_url, monkeypatch):
    settings.ROOT_URLCONF = Urls
    common_settings(AUTHENTICATOR="here", REDIS={"URL": redis_url}, CACHE_LOCK_SECONDS=5.0)
    who = {"here": lambda token: Actor(id=token, role=Role.CLIENT)}
    monkeypatch.setattr("fashionistar_common.http.security.import_string", who.get)
    prefix = os.urandom(6).hex()
    monkeypatch.setattr(optional_redis, "prefixed", lambda key: f"{prefix}:{key}")  # each test has entries of its own
    shop.__init__()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def get(address, token="", **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Client(raise_request_exception=False).get(f"/{address}", headers=headers)


def redis(command, *arguments):
    return optional_redis.call("", lambda client: client.execute_command(command, *arguments))


def keys():
    return sorted(key.decode() for key in redis("KEYS", optional_redis.prefixed("answer:*")))


def make_stale():
    """As if the time of all entries were over, but not that in which they are served while one computes."""
    for key in keys():
        redis("PEXPIRE", key, 30_000)


# Serving ---------------------------------------------------------------------------------------------------------


def test_the_second_request_gets_what_the_first_computed(kind):
    first, second = get(f"{kind}/hats"), get(f"{kind}/hats")
    assert shop.computed == 1
    assert (second.status_code, second.content) == (200, first.content)
    for name in ("Content-Type", "ETag", "Cache-Control", "Vary"):
        assert second[name] == first[name]
    assert "Age" not in first
    assert int(second["Age"]) < 60
    assert set(first["Cache-Control"].split(", ")) == {"public", "max-age=0", "stale-while-revalidate=60"}


@pytest.mark.parametrize("asked", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_it_already_gets_304(kind, asked):
    etag = get(f"{kind}/hats")["ETag"]
    again = get(f"{kind}/hats", If_None_Match=asked.format(etag))
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert get(f"{kind}/hats", If_None_Match='"other"').status_code == 200
    assert shop.computed == 1


def test_the_first_answer_can_be_a_304_too(kind):
    etag = get(f"{kind}/hats")["ETag"]
    invalidate("hats")
    assert get(f"{kind}/hats", If_None_Match=etag).status_code == 304
    assert shop.computed == 2


@pytest.mark.parametrize(
    ("first", "second", "computed"),
    [
        ("?a=1&b=2", "?b=2&a=1", 1),
        ("?a=1&a=2", "?a=2&a=1", 2),
        ("?a=1", "?a=2", 2),
        ("?a=1", "", 2),
        ("?a=%C3", "?a=%C4", 2),
        ("?a=1&b=2", "?a=1%26b=2", 2),
    ],
)
def test_the_query_is_part_of_the_key_its_order_is_not(kind, first, second, computed):
    get(f"{kind}/hats{first}")
    get(f"{kind}/hats{second}")
    assert shop.computed == computed


# One computes ----------------------------------------------------------------------------------------------------


def test_fifty_misses_in_threads_compute_once(kind, at_once):
    shop.before = lambda: time.sleep(0.1)
    answers = at_once([lambda: get(f"{kind}/hats")] * 50)
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.content for answer in answers}) == 1
    assert shop.computed == 1


@pytest.mark.parametrize("kind", ["async", "v2"])
def test_fifty_misses_in_one_event_loop_compute_once(kind):
    async def all_of_them():
        return await asyncio.gather(*(AsyncClient().get(f"/{kind}/hats") for _ in range(50)))

    assert Counter(answer.status_code for answer in async_to_sync(all_of_them)()) == {200: 50}
    assert shop.computed == 1


def test_while_one_computes_others_get_what_is_stale(kind):
    get(f"{kind}/hats")
    make_stale()
    shop.hats, shop.held = "new", True
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(in_a_thread, get, f"{kind}/hats")
        assert shop.begun.wait(10)
        stale = get(f"{kind}/hats")
        shop.go_on.set()
    assert (stale.json(), first.result().json()) == ({"hats": "old"}, {"hats": "new"})
    assert get(f"{kind}/hats").json() == {"hats": "new"}
    assert shop.computed == 2


def in_a_thread(work, *args):
    try:
        return work(*args)
    finally:
        connections.close_all()


def test_who_dies_while_computing_delays_others_only_as_long_as_the_lock(kind, common_settings):
    get(f"{kind}/hats")
    entry = keys()[0]
    redis("DEL", entry)
    redis("SET", f"{entry}:lock", "of a dead process", "PX", 200)
    assert get(f"{kind}/hats").status_code == 200
    assert shop.computed == 2
    common_settings(CACHE_LOCK_SECONDS=0.1)
    redis("DEL", entry)
    redis("SET", f"{entry}:lock", "of one that takes its time", "PX", 60_000)
    assert get(f"{kind}/hats").status_code == 200
    assert shop.computed == 3


def test_who_crashes_while_computing_delays_nobody(kind):
    def crash():
        raise RuntimeError

    shop.before = crash
    assert get(f"{kind}/hats").status_code == 500
    shop.before = lambda: None
    assert get(f"{kind}/hats").json() == {"hats": "old"}
    make_stale()
    shop.before = crash
    assert get(f"{kind}/hats").status_code == 500
    assert not [key for key in keys() if key.endswith(":lock")]
    assert len(keys()) == 1  # what is stale is still there


# Changes ---------------------------------------------------------------------------------------------------------


def test_a_change_invalidates(kind):
    get(f"{kind}/hats")
    shop.hats = "new"
    invalidate("coats")
    assert get(f"{kind}/hats").json() == {"hats": "old"}
    async_to_sync(ainvalidate)("coats", "hats")
    assert get(f"{kind}/hats").json() == {"hats": "new"}
    assert get(f"{kind}/hats").json() == {"hats": "new"}
    assert shop.computed == 2


def test_what_was_computed_before_a_change_and_stored_after_it_is_not_served(kind):
    shop.held = True
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(in_a_thread, get, f"{kind}/hats")
        assert shop.begun.wait(10)  # it has read what is old
        shop.hats, shop.held = "new", False
        invalidate("hats")
        shop.go_on.set()
        assert slow.result().json() == {"hats": "old"}  # who asked before the change
    assert get(f"{kind}/hats").json() == {"hats": "new"}


def test_what_a_change_made_invalid_is_never_served_as_stale(kind):
    get(f"{kind}/hats")
    shop.hats, shop.held = "new", True
    invalidate("hats")
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(in_a_thread, get, f"{kind}/hats") for _ in range(2)]
        assert shop.begun.wait(10)
        shop.go_on.set()
    assert [each.result().json() for each in both] == [{"hats": "new"}] * 2
    assert shop.computed == 2


def test_lost_versions_bring_nothing_old_back(kind):
    get(f"{kind}/hats")
    shop.hats = "new"
    invalidate("hats")
    redis("DEL", optional_redis.prefixed("answer-tags"))  # as an eviction may
    assert get(f"{kind}/hats").json() == {"hats": "new"}


@dataclass(frozen=True, kw_only=True)
class HatChanged(Event, name="tests.hat_changed", version=1, aggregate="hat"):
    hat: str


def test_an_event_invalidates_when_it_is_delivered_also_after_an_outage(monkeypatch, common_settings, redis_url):
    bus = EventBus()
    monkeypatch.setattr(relay, "event_bus", bus)
    monkeypatch.setattr(cache, "event_bus", bus)
    invalidate_on("tests.hat_changed", tag="hats")
    get("v2/hats")
    with transaction.atomic():
        shop.hats = "new"
        event_bus.publish(HatChanged(hat="cloche"))
    assert get("v2/hats").json() == {"hats": "old"}
    deliver_events()
    assert get("v2/hats").json() == {"hats": "new"}
    assert list(bus.subscriptions("tests.hat_changed", 1)) == [
        "fashionistar_common.http.cache.invalidate_hats_on_tests.hat_changed"
    ]


# For whom --------------------------------------------------------------------------------------------------------


def test_who_shows_who_they_are_gets_nothing_kept_and_leaves_nothing(kind):
    answer = get(f"{kind}/hats", token="ada")
    assert "private" in answer["Cache-Control"]
    assert keys() == []
    get(f"{kind}/hats")
    shop.hats = "ada's"
    assert get(f"{kind}/hats", token="ada").json() == {"hats": "ada's"}
    client = Client()
    client.cookies["sessionid"] = "x"
    assert client.get(f"/{kind}/hats").json() == {"hats": "ada's"}
    assert get(f"{kind}/hats").json() == {"hats": "old"}


@pytest.mark.parametrize("face", ["v1", "v2"])
def test_each_actor_has_their_own_and_nobody_none(face):
    for _ in range(2):
        for actor in ("ada", "bob"):
            answer = get(f"{face}/mine", token=actor)
            assert answer.json()["hats"] == actor
            assert "private" in answer["Cache-Control"]
    assert shop.computed == 2
    assert get(f"{face}/mine").status_code == 401


def test_only_get_is_cached():
    for _ in range(2):
        assert Client().head("/plain/hats").status_code == 200
        assert Client().post("/plain/hats").status_code == 200
    assert (shop.computed, keys()) == (4, [])


# Redis away ------------------------------------------------------------------------------------------------------


def test_without_redis_every_request_computes(kind, common_settings):
    common_settings(REDIS={"URL": "redis://127.0.0.1:1/0"})
    first = get(f"{kind}/hats")
    assert get(f"{kind}/hats", If_None_Match=first["ETag"]).status_code == 304
    assert shop.computed == 2
    with pytest.raises(optional_redis.RedisAwayError):
        invalidate("hats")


def test_redis_may_go_away_while_one_computes(kind, common_settings, redis_url):
    shop.before = lambda: common_settings(REDIS={"URL": "redis://127.0.0.1:1/1"})
    assert get(f"{kind}/hats").json() == {"hats": "old"}
    assert get(f"{kind}/hats").json() == {"hats": "old"}
    common_settings(REDIS={"URL": redis_url}, CACHE_LOCK_SECONDS=0.1)  # it comes back, and has the lock still
    shop.before = lambda: None
    assert get(f"{kind}/hats").status_code == 200


def test_an_entry_that_cannot_be_read_is_none(kind):
    get(f"{kind}/hats")
    for broken in ("x", "{\n", "[1]\n"):
        redis("SET", keys()[0], broken, "EX", 100)
        assert get(f"{kind}/hats").json() == {"hats": "old"}
