"""Requests that are repeated against a real server: at the same time, after it was killed, after Redis was emptied."""

import os
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import httpx
import pytest
import redis
from django.db import connection, connections, transaction
from fashionistar_auth.tokens import issue_tokens
from fashionistar_catalog.testing import make_product
from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.types import Actor, Role
from fashionistar_orders.models import Cart, CartLine, Order
from fashionistar_orders.testing import make_cart
from launch import processes
from launch.running import Platform

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 50
ADDRESS = {"name": "Ada Obi", "line1": "12 Awolowo Road", "city": "Lagos", "country": "NG"}
ORDER = {"email": "ada@example.com", "shipping_address": ADDRESS}


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Platform]:
    """The sandbox's server on this run's test database. No claim outlives a lease here: none ends within the run."""
    if connection.vendor != "postgresql":
        pytest.skip("many writers need PostgreSQL")
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        "DATABASE_URL": database.geturl(),
        "REDIS_URL": redis_url(),
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "PYTHONPATH": str(Path(__file__).parents[2] / "sandbox"),
        "WEB_CONCURRENCY": "2",
        "IDEMPOTENCY_LEASE": "3600",
    }
    platform = Platform(processes.free_port(), environment)
    try:
        platform.start("server")
        platform.wait()
        yield platform
    finally:
        platform.stop_all()


def restart(server: Platform) -> None:
    server.kill("server")
    server.start("server")
    server.wait()


def post(server: Platform, path: str, body: object, *, customer: str = "ada", key: str = "k1") -> httpx.Response | None:
    """The answer; None where the connection broke."""
    token = issue_tokens(Actor(customer, Role.CLIENT)).access
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client:
        try:
            return client.post(f"/api/{path}", json=body)
        except httpx.TransportError:
            return None


def post_until_answered(server: Platform, path: str, body: object, *, customer: str) -> httpx.Response:
    """As a client does who reads `Retry-After`: the database needs a moment to notice that a process is gone."""
    for _ in range(30):
        answer = post(server, path, body, customer=customer)
        assert answer is not None
        if answer.status_code != 409:
            return answer
        assert answer.json()["code"] == "request_in_progress"
        time.sleep(float(answer.headers["Retry-After"]) / 5)
    raise AssertionError("The key is still held.")


def redis_url() -> str:
    """A database of this server's own, which can be emptied while other tests run."""
    return urlsplit(os.environ["REDIS_URL"])._replace(path="/17").geturl()


def empty_redis() -> None:
    with redis.Redis.from_url(redis_url()) as client:
        client.flushdb()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("path", "body"), [("orders/cart/lines", {"sku": "DRESS", "quantity": 1}), ("orders", ORDER)])
def test_fifty_equal_posts_at_once_have_one_effect(server: Platform, version: str, path: str, body: object) -> None:
    make_product(sku="DRESS", stock=AT_ONCE)
    if path == "orders":
        make_cart({"DRESS": 1})
    barrier = Barrier(AT_ONCE)

    def request(_: int) -> httpx.Response | None:
        barrier.wait()
        return post(server, f"{version}/{path}", body)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(request, range(AT_ONCE)))
    done = [answer.content for answer in answers if answer is not None and answer.status_code == 201]
    refused = [answer.json()["code"] for answer in answers if answer is not None and answer.status_code != 201]
    assert len(done) + len(refused) == AT_ONCE
    assert set(refused) <= {"request_in_progress"}
    empty_redis()
    again = post_until_answered(server, f"{version}/{path}", body, customer="ada")
    assert (again.status_code, set(done)) == (201, {again.content})
    assert again.headers["Idempotent-Replayed"] == "true"
    other = post(server, f"{version}/{path}", {**ORDER, "sku": "DRESS", "quantity": 2, "email": "b@example.com"})
    assert other is not None
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    if path == "orders":
        assert Order.objects.count() == 1
    else:
        assert CartLine.objects.get().quantity == 1


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_server_killed_in_the_middle_leaves_nothing_and_the_key_is_free(server: Platform, version: str) -> None:
    make_product(sku="DRESS")
    cart = Cart.objects.create(customer_id="ada")
    path, body = f"{version}/orders/cart/lines", {"sku": "DRESS", "quantity": 1}
    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            Cart.objects.select_for_update().get(pk=cart.pk)  # the service will wait for it, with the key claimed
            first = threads.submit(post, server, path, body)
            wait_for_a_waiting_server()
            server.kill("server")
        assert first.result() is None
    assert not CartLine.objects.exists()
    server.start("server")
    server.wait()
    empty_redis()
    assert post_until_answered(server, path, body, customer="ada").status_code == 201
    assert CartLine.objects.get().quantity == 1
    assert IdempotencyRecord.objects.get().status == 201


def wait_for_a_waiting_server() -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connections["default"].cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("No request of the server waits for the lock.")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_whenever_a_server_is_killed_a_repeat_has_one_effect(server: Platform, version: str) -> None:
    make_product(sku="DRESS", stock=1000)
    path, body = f"{version}/orders/cart/lines", {"sku": "DRESS", "quantity": 1}
    broken = 0
    for turn in range(4):
        customers = [f"{turn}-{number}" for number in range(10)]
        with ThreadPoolExecutor(len(customers)) as threads:
            first = [threads.submit(post, server, path, body, customer=customer) for customer in customers]
            time.sleep(random.uniform(0.0, 0.1))
            restart(server)
        broken += sum(request.result() is None for request in first)
        for customer in customers:
            assert post_until_answered(server, path, body, customer=customer).status_code == 201
    assert broken
    assert set(CartLine.objects.values_list("quantity", flat=True)) == {1}
    assert CartLine.objects.count() == 40
