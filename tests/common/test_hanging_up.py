"""Requests whose caller hangs up, and keys that change hands at the worst moment."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connection, connections
from django.test import Client, RequestFactory
from django.urls import path
from fashionistar_common.http import idempotency
from fashionistar_common.http import ninja as v2
from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Router, Schema, Status

pytestmark = pytest.mark.django_db(transaction=True)
router = Router()
ACTOR = Actor(id="ada", role=Role.CLIENT)
begun, made = threading.Event(), []


class Knot(Schema):
    number: int


def tie_slowly():
    begun.set()
    time.sleep(0.3)
    made.append(1)
    return {"number": len(made)}


@router.post("knots", response={201: Knot, **v2.PROBLEMS}, auth=v2.Bearer())
@v2.idempotent
async def tie(request):
    return Status(201, await sync_to_async(tie_slowly)())


@router.post("bows", response={201: Knot, **v2.PROBLEMS}, auth=v2.Bearer())
@v2.idempotent(atomic=True)
async def tie_in_one_transaction(request):
    return Status(201, await sync_to_async(tie_slowly)())


api = NinjaAPI(urls_namespace="tests-hanging-up", docs_url=None)
api.add_router("/", router)
v2.install_problem_handlers(api)


class Urls:
    urlpatterns = [path("api/v2/", api.urls)]


@pytest.fixture
def knots(settings, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": "here"}
    monkeypatch.setattr("fashionistar_common.http.security.import_string", {"here": lambda token: ACTOR}.get)
    begun.clear()
    made.clear()


async def post_and_hang_up(path):
    """What a server does for a client that leaves while the service runs."""
    sent, messages = [], [{"type": "http.request", "body": b"{}", "more_body": False}]
    headers = [(b"host", b"testserver"), (b"authorization", b"Bearer x"), (b"idempotency-key", b"k1")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}

    async def receive():
        if messages:
            return messages.pop()
        await asyncio.to_thread(begun.wait, 5)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    await ASGIHandler()({**scope, "http_version": "1.1"}, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/api/v2/knots", "/api/v2/bows"])
def test_what_a_caller_began_who_hung_up_is_finished_and_its_answer_kept(knots, path):
    with asyncio.Runner() as runner:
        assert runner.run(post_and_hang_up(path)) == []
    assert len(made) == 1
    headers = {"Authorization": "Bearer x", "Idempotency-Key": "k1"}
    again = Client().post(path, b"{}", content_type="application/json", headers=headers)
    assert (again.status_code, json.loads(again.content)) == (201, {"number": 1})
    assert again["Idempotent-Replayed"] == "true"
    assert len(made) == 1


def request_to(path, key="k1"):
    request = RequestFactory().post(path, headers={"Idempotency-Key": key})
    request.auth = ACTOR
    return request


def elsewhere(work):
    """Do it on another connection, to its end."""

    def run():
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as executor:
        executor.submit(run).result()


def test_two_long_addresses_are_two_scopes():
    for ending in "ab":
        assert idempotency.claim(request_to(f"/{'x' * 300}/{ending}")) is None
    assert IdempotencyRecord.objects.count() == 2


@pytest.mark.postgresql  # on SQLite the second transaction waits for the first one
def test_a_key_that_is_given_back_while_we_look_at_it_is_a_request_in_progress():
    """The other request holds the key when ours inserts, and has failed when ours then reads."""

    def race(execute, sql, *rest):
        if not sql.startswith("INSERT"):
            return execute(sql, *rest)
        other = request_to("/x")
        elsewhere(lambda: idempotency.claim(other))
        try:
            return execute(sql, *rest)
        finally:
            elsewhere(lambda: idempotency.settle(other, None))

    with connection.execute_wrapper(race), pytest.raises(idempotency.RequestInProgressError):
        idempotency.claim(request_to("/x"))


@pytest.fixture
def no_lease(settings):
    """Every claim counts as dead."""
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "IDEMPOTENCY_LEASE": 0}


def test_who_lost_the_key_to_another_does_not_settle_it(no_lease):
    slow, quick = request_to("/x"), request_to("/x")
    assert [idempotency.claim(each) for each in (slow, quick)] == [None, None]
    idempotency.settle(slow, None)
    assert IdempotencyRecord.objects.get().claim == quick.idempotency_claim


def test_of_two_takers_of_a_dead_claim_one_gets_it(no_lease):
    quick = request_to("/x")
    idempotency.claim(request_to("/x"))

    def race(execute, sql, *rest):
        if sql.startswith("UPDATE"):
            elsewhere(lambda: idempotency.claim(quick))
        return execute(sql, *rest)

    with connection.execute_wrapper(race), pytest.raises(idempotency.RequestInProgressError):
        idempotency.claim(request_to("/x"))
    assert IdempotencyRecord.objects.get().claim == quick.idempotency_claim
