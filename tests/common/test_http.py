"""Both faces of one small API: the same cases, the same problems."""

import json
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.http import Http404
from django.test import AsyncClient, Client
from django.urls import path
from django.utils import timezone
from fashionistar_common.exceptions import ConflictError, FieldError, InvalidError, NotAuthenticatedError
from fashionistar_common.http import drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.http.pagination import Keyset
from fashionistar_common.models import IdempotencyRecord, OutboxEvent
from fashionistar_common.money import Money
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Query, Router, Schema, Status
from ninja.errors import HttpError
from rest_framework import exceptions, serializers
from rest_framework.response import Response

pytestmark = pytest.mark.django_db(transaction=True)


def authenticate(token):
    if token not in ("client", "vendor", "staff"):
        raise NotAuthenticatedError
    return Actor(id=f"id-of-{token}", role=Role(token))


ERRORS = {
    "conflict": ConflictError("Sold.", retry_after=3),
    "fields": InvalidError("Bad.", errors=[FieldError(pointer="/sku", detail="No.", code="unknown")]),
    "http404": Http404(),
    "denied": PermissionDenied(),
}


# v1 --------------------------------------------------------------------------------------------------------------


class HatIn(serializers.Serializer):
    name = serializers.CharField()
    price = drf.MoneyField()


class Hats(drf.ApiView):
    authentication_classes = [drf.bearer(Role.CLIENT)]
    permission_classes = [drf.IsAuthenticated]

    @drf.idempotent
    def post(self, request):
        hat = HatIn(data=request.data)
        hat.is_valid(raise_exception=True)
        return Response(make_hat(hat.validated_data["name"], hat.validated_data["price"]), status=201)


class Raise(drf.ApiView):
    def get(self, request, name):
        raise ERRORS[name]


class Throttled(drf.ApiView):
    def get(self, request):
        raise exceptions.Throttled(wait=2.5)


class OutboxOut(serializers.Serializer):
    name = serializers.CharField()


class Outbox(drf.PagedListView):
    keyset = Keyset(("id",))
    serializer_class = OutboxOut

    def get_queryset(self):
        return OutboxEvent.objects.all()


# v2 --------------------------------------------------------------------------------------------------------------

router = Router()


class HatSchema(Schema):
    name: str
    price: Money


class HatOut(Schema):
    name: str
    price: Money
    number: int


@router.post("hats", response={201: HatOut, **v2.PROBLEMS}, auth=v2.Bearer(Role.CLIENT))
@v2.idempotent
async def create_hat(request, hat: HatSchema):
    return Status(201, make_hat(hat.name, hat.price))


@router.get("raise/{name}")
async def raise_error(request, name: str):
    raise ERRORS[name]


@router.get("throttled")
async def throttled(request):
    raise HttpError(429, "Request was throttled.")


class OutboxSchema(Schema):
    name: str


@router.get("outbox", response=v2.Page[OutboxSchema])
async def list_outbox(request, response: v2.HttpResponse, page: Query[v2.PageQuery]):
    return await v2.paged(request, response, OutboxEvent.objects.all(), keyset=Keyset(("id",)), page=page)


calls = []


def make_hat(name, price):
    calls.append(name)
    if name == "crash":
        raise RuntimeError("crash")
    if name == "sold":
        raise ConflictError("Sold.")
    return {"name": name, "price": price.to_json(), "number": len(calls)}


api = NinjaAPI(urls_namespace="tests-common", docs_url=None)
api.add_router("/", router)
v2.install_problem_handlers(api)


class Urls:
    """Stands for a module of URLs."""

    urlpatterns = [
        path("api/v1/hats", Hats.as_view()),
        path("api/v1/raise/<name>", Raise.as_view()),
        path("api/v1/throttled", Throttled.as_view()),
        path("api/v1/outbox", Outbox.as_view()),
        path("api/v2/", api.urls),
    ]


class Face:
    """One version of the API through its own client."""

    def __init__(self, version):
        self.prefix, self.is_async = f"/api/v{version}/", version == 2
        self.client = (
            AsyncClient(raise_request_exception=False) if self.is_async else Client(raise_request_exception=False)
        )

    def get(self, path, **headers):
        return self._call("get", path, headers=headers)

    def post(self, path, body, **headers):
        data = body if isinstance(body, str) else json.dumps(body)
        return self._call("post", path, data=data, content_type="application/json", headers=headers)

    def _call(self, method, path, **kwargs):
        call = getattr(self.client, method)
        return (async_to_sync(call) if self.is_async else call)(self.prefix + path, **kwargs)


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def face(request, settings):
    settings.ROOT_URLCONF = Urls
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": f"{__name__}.authenticate"}
    calls.clear()
    return Face(request.param)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setattr(
        "fashionistar_common.http.security.import_string", {f"{__name__}.authenticate": authenticate}.get
    )


HAT = {"name": "cloche", "price": {"amount": "129.00", "currency": "NGN"}}
CLIENT = {"authorization": "Bearer client"}


def test_a_good_request_is_answered_with_its_id_and_time(face):
    response = face.post("hats", HAT, **CLIENT, x_request_id="mine-1")
    assert (response.status_code, response.json()) == (201, {**HAT, "number": 1})
    assert response["X-Request-ID"] == "mine-1"
    assert response["Server-Timing"].startswith("app;dur=")


@pytest.mark.parametrize("given", ["", "two words", "x" * 65, "<script>"])
def test_a_request_id_that_is_no_plain_word_is_replaced(face, given):
    response = face.get("raise/conflict", x_request_id=given)
    assert response["X-Request-ID"] != given
    assert response.json()["request_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("raise/conflict", 409, "conflict"),
        ("raise/fields", 422, "invalid"),
        ("raise/http404", 404, "not_found"),
        ("raise/denied", 403, "permission_denied"),
        ("nowhere", 404, "not_found"),
        ("throttled", 429, "rate_limited"),
        ("hats", 405, "method_not_allowed"),
    ],
)
def test_every_error_is_a_problem(face, path, status, code):
    assert_problem(face.get(path, **CLIENT), status, code)


def test_a_crash_is_a_problem_without_details(face):
    body = assert_problem(face.post("hats", {**HAT, "name": "crash"}, **CLIENT), 500, "internal_error")
    assert "RuntimeError" not in json.dumps(body)


def test_facts_of_an_error_reach_the_headers(face):
    assert face.get("raise/conflict")["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"/name": "required", "/price": "required"}),
        ({**HAT, "name": None}, {"/name": "invalid"}),
        ({**HAT, "price": "129.00"}, {"/price": "invalid"}),
        ({**HAT, "price": {"amount": "1.234", "currency": "NGN"}}, {"/price": "invalid"}),
    ],
)
def test_wrong_input_is_told_piece_by_piece(face, body, errors):
    found = assert_problem(face.post("hats", body, **CLIENT), 422, "invalid")["errors"]
    assert {error["pointer"]: error["code"] for error in found} == errors


def test_a_body_that_is_not_json_is_a_bad_request(face):
    assert_problem(face.post("hats", "{", **CLIENT), 400, "bad_request")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "not_authenticated"),
        ("Basic client", "not_authenticated"),
        ("Bearer", "not_authenticated"),
        ("Bearer nobody", "not_authenticated"),
        ("Bearer vendor", "wrong_audience"),
    ],
)
def test_who_may_not_come_in_gets_401_before_any_query(face, authorization, code, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = face.post("hats", HAT, authorization=authorization, idempotency_key="k")
    assert_problem(response, 401, code)
    assert response["WWW-Authenticate"] == "Bearer"


def test_the_same_key_and_body_get_the_same_answer(face):
    first = face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    again = face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert len(calls) == 1


def test_the_same_key_with_another_body_is_refused(face):
    face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    answer = face.post("hats", {**HAT, "name": "fez"}, **CLIENT, idempotency_key="k1")
    assert_problem(answer, 422, "idempotency_key_reused")
    assert calls == ["cloche"]


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel"])
def test_a_key_that_is_none_is_refused(face, key):
    assert_problem(face.post("hats", HAT, **CLIENT, idempotency_key=key), 422, "idempotency_key_invalid")


@pytest.mark.parametrize(("name", "status"), [("sold", 409), ("crash", 500)])
def test_an_error_gives_the_key_back(face, name, status):
    for _ in range(2):
        assert face.post("hats", {**HAT, "name": name}, **CLIENT, idempotency_key="k1").status_code == status
    assert len(calls) == 2
    assert IdempotencyRecord.objects.count() == 0


def test_a_key_belongs_to_its_actor_and_path(face, settings):
    face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    record = IdempotencyRecord.objects.get()
    assert record.scope == f"id-of-client POST {face.prefix}hats"


def test_a_second_request_while_the_first_one_runs_is_told_to_wait(face):
    face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    IdempotencyRecord.objects.update(status=None)
    answer = face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    assert_problem(answer, 409, "request_in_progress")
    assert answer["Retry-After"] == "1"


def test_the_claim_of_a_request_that_died_is_taken_over(face, settings):
    face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    IdempotencyRecord.objects.update(status=None)
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "IDEMPOTENCY_LEASE": 0}
    answer = face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    assert (answer.status_code, len(calls)) == (201, 2)
    assert IdempotencyRecord.objects.get().status == 201


def test_lists_come_in_pages_with_links(face):
    for number in range(3):
        OutboxEvent.objects.create(name=f"n{number}", version=1, stream="", payload={})
    first = face.get("outbox?limit=2")
    assert [row["name"] for row in first.json()["results"]] == ["n0", "n1"]
    assert first.json()["previous_cursor"] is None
    cursor = first.json()["next_cursor"]
    assert first["Link"] == f'<http://testserver{face.prefix}outbox?limit=2&cursor={cursor}>; rel="next"'
    second = face.get(f"outbox?limit=2&cursor={cursor}")
    assert [row["name"] for row in second.json()["results"]] == ["n2"]


@pytest.mark.parametrize(
    ("query", "code"), [("limit=0", "invalid"), ("limit=x", "invalid"), ("cursor=x", "invalid_cursor")]
)
def test_a_bad_page_is_a_problem(face, query, code):
    assert_problem(face.get(f"outbox?{query}"), 422, code)


def test_without_an_authenticator_the_session_counts_and_csrf_with_it(face, settings, django_user_model):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": ""}
    assert_problem(face.post("hats", HAT), 401, "not_authenticated")
    user = django_user_model.objects.create_user("ada@example.com", password="long enough 1")
    face.client.force_login(user)
    assert face.post("hats", HAT).status_code == 201
    face.client.handler.enforce_csrf_checks = True
    assert face.post("hats", HAT).status_code == 403


def test_expired_answers_are_purged_and_a_dry_run_only_counts(face, capsys):
    face.post("hats", HAT, **CLIENT, idempotency_key="k1")
    call_command("purge_idempotency_records")
    IdempotencyRecord.objects.update(claimed_at=timezone.now() - timedelta(days=2))
    call_command("purge_idempotency_records", "--dry-run")
    call_command("purge_idempotency_records")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "1"]
    assert face.post("hats", HAT, **CLIENT, idempotency_key="k1")["Content-Type"].startswith("application/json")
    assert len(calls) == 2
