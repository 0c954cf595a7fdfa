"""Idempotency-Key under fire: equal requests at the same time, and handlers that fail after they have written."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.test import Client
from django.urls import path
from fashionistar_common.concurrency import InThreadInTransactionError, in_thread
from fashionistar_common.exceptions import ConflictError
from fashionistar_common.http import drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.models import IdempotencyRecord, OutboxEvent
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Router, Schema, Status
from rest_framework.response import Response

pytestmark = pytest.mark.django_db(transaction=True)

entered, go_on = threading.Event(), threading.Event()


@transaction.atomic
def knit(name):
    """The service: one row, and trouble behind it where the name asks for some."""
    OutboxEvent.objects.create(name=name, version=1, stream="tests", payload={})
    match name:
        case "slow":
            entered.set()
            assert go_on.wait(10)
        case "sold":
            raise ConflictError("Sold.")
        case "crash":
            raise RuntimeError("crash")
    return {"number": OutboxEvent.objects.count()}


def handled(name):
    """As a handler may, it answers an error after the service has written."""
    number = knit(name)
    return (409, {"number": 0}) if name == "refused" else (201, number)


class Leased(drf.ApiView):
    authentication_classes = [drf.bearer()]

    @drf.idempotent
    def post(self, request):
        status, body = handled(request.data["name"])
        return Response(body, status=status)


class Atomic(Leased):
    @drf.idempotent(atomic=True)
    def post(self, request):
        status, body = handled(request.data["name"])
        return Response(body, status=status)


class Name(Schema):
    name: str


router = Router(auth=v2.Bearer())
ANY = {frozenset({201, 409}): dict[str, int]}


@router.post("leased", response=ANY)
@v2.idempotent
async def leased(request, body: Name):
    return Status(*await sync_to_async(handled)(body.name))


@router.post("atomic", response=ANY)
@v2.idempotent(atomic=True)
async def atomic(request, body: Name):
    return Status(*await sync_to_async(handled)(body.name))


@router.post("elsewhere", response=ANY)
@v2.idempotent(atomic=True)
async def elsewhere(request, body: Name):
    return Status(*await in_thread(handled, body.name))


api = NinjaAPI(urls_namespace="tests-idempotency", docs_url=None)
api.add_router("/", router)
v2.install_problem_handlers(api)


class Urls:
    urlpatterns = [
        path("api/v1/leased", Leased.as_view()),
        path("api/v1/atomic", Atomic.as_view()),
        path("api/v2/", api.urls),
    ]


@pytest.fixture(autouse=True)
def authenticated(settings, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": "here"}
    actor = Actor(id="ada", role=Role.CLIENT)
    monkeypatch.setattr("fashionistar_common.http.security.import_string", {"here": lambda token: actor}.get)
    entered.clear()
    go_on.clear()


def post(address, name, key="k1"):
    headers = {"Authorization": "Bearer x", **({"Idempotency-Key": key} if key else {})}
    body = json.dumps({"name": name})
    client = Client(raise_request_exception=False)
    return client.post(f"/api/{address}", body, content_type="application/json", headers=headers)


def in_a_thread(work, *args):
    try:
        return work(*args)
    finally:
        connections.close_all()


every_form = pytest.mark.parametrize("address", ["v1/leased", "v1/atomic", "v2/leased", "v2/atomic"])
in_one_transaction = pytest.mark.parametrize("address", ["v1/atomic", "v2/atomic"])


@pytest.mark.postgresql
@every_form
def test_fifty_equal_requests_at_once_have_one_effect_and_one_answer(address):
    start = threading.Barrier(50)

    def request():
        start.wait()
        return post(address, "hat")

    with ThreadPoolExecutor(50) as threads:
        answers = [future.result() for future in [threads.submit(in_a_thread, request) for _ in range(50)]]
    assert OutboxEvent.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.content for answer in answers if answer.status_code == 201} == {post(address, "hat").content}
    for answer in answers:
        if answer.status_code == 409:
            assert_problem(answer, 409, "request_in_progress")
            assert answer["Retry-After"] == "1"
    assert post(address, "hat")["Idempotent-Replayed"] == "true"
    assert_problem(post(address, "cap"), 422, "idempotency_key_reused")
    assert OutboxEvent.objects.count() == 1


@pytest.mark.postgresql
@every_form
def test_who_asks_while_the_first_runs_is_told_so_at_once_and_gets_the_answer_later(address):
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(in_a_thread, post, address, "slow")
        assert entered.wait(10)
        assert_problem(post(address, "slow"), 409, "request_in_progress")  # while the first is still held back
        assert not first.done()
        go_on.set()
        assert first.result().status_code == 201
    assert post(address, "slow").content == first.result().content
    assert OutboxEvent.objects.count() == 1


@pytest.mark.postgresql
@in_one_transaction
def test_until_it_is_answered_nothing_of_it_can_be_seen(address):
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(in_a_thread, post, address, "slow")
        assert entered.wait(10)
        assert (OutboxEvent.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
        go_on.set()
        first.result()
    assert (OutboxEvent.objects.count(), IdempotencyRecord.objects.count()) == (1, 1)


@in_one_transaction
@pytest.mark.parametrize(("name", "status"), [("sold", 409), ("refused", 409), ("crash", 500)])
def test_an_error_undoes_everything_and_frees_the_key(address, name, status):
    assert post(address, name).status_code == status
    assert (OutboxEvent.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    assert post(address, "hat").status_code == 201


@in_one_transaction
def test_without_a_key_each_request_is_its_own(address):
    assert Counter(post(address, "hat", key=None).status_code for _ in range(3)) == {201: 3}
    assert (OutboxEvent.objects.count(), IdempotencyRecord.objects.count()) == (3, 0)


@every_form
def test_another_query_is_another_request(address):
    assert post(f"{address}?draft=1", "hat").status_code == 201
    assert post(f"{address}?draft=1", "hat")["Idempotent-Replayed"] == "true"
    assert_problem(post(address, "hat"), 422, "idempotency_key_reused")
    assert OutboxEvent.objects.count() == 1


@in_one_transaction
def test_a_repeat_is_the_first_answer_again(address):
    first, again = post(address, "hat"), post(address, "hat")
    assert (again.status_code, again.content) == (201, first.content)
    assert first.json() == {"number": 1}
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert post(address, "hat", key="k2").json() == {"number": 2}


@pytest.mark.postgresql  # a database in memory has one connection, which everything shares
def test_work_that_would_leave_the_transaction_is_refused():
    answer = post("v2/elsewhere", "hat")
    assert_problem(answer, 500, InThreadInTransactionError.code)
    assert OutboxEvent.objects.count() == IdempotencyRecord.objects.count() == 0
    assert post("v2/elsewhere", "hat", key="").status_code == 201
