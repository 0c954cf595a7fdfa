"""Who may do what: rules for both versions, and rows that are looked for in a scope. And values that look alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from fashionistar_common.exceptions import NotAuthenticatedError, NotFoundError
from fashionistar_common.http import drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.http.security import actor_from_user, actor_in_session, has_role
from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.money import Money
from fashionistar_common.scope import get_in_scope
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Schema
from rest_framework import serializers
from rest_framework.response import Response


def authenticate(token):
    if token == "nobody":
        raise NotAuthenticatedError
    return Actor(id=f"id-of-{token}", role=Role(token))


def named_staff(actor):
    return actor.id == "id-of-staff"


RULES = [has_role(Role.STAFF, Role.VENDOR), named_staff]
VALUES = {
    "price": Money(12900, "NGN"),
    "weight": Decimal("1.50"),
    "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=1))),
    "utc": datetime(2026, 1, 2, tzinfo=UTC),
    "none": None,
    "name": "L\u00e9a \u2028 <b>",
}


def test_who_is_logged_in_has_one_id_in_the_api_and_outside_of_it(rf):
    user = get_user_model()(pk=7, is_staff=True)
    user.public_id = "u-7"
    request = rf.get("/")
    request._cached_user = user
    assert actor_from_user(user, ()) == actor_in_session(request) == Actor(id="u-7", role=Role.STAFF)


class Values(serializers.Serializer):
    price = drf.MoneyField()
    weight = serializers.DecimalField(max_digits=9, decimal_places=2)
    at = serializers.DateTimeField(default_timezone=UTC)
    utc = serializers.DateTimeField(default_timezone=UTC)
    none = serializers.CharField(allow_null=True)
    name = serializers.CharField()


class Rack(drf.ApiView):
    authentication_classes = [drf.bearer()]
    permission_classes = [drf.allowed(*RULES)]

    def get(self, request):
        return Response(Values(VALUES).data)

    def post(self, request):
        return Response(request.data)


class Unlocked(drf.ApiView):
    permission_classes = [drf.allowed(*RULES)]

    def get(self, request):
        return Response({})


class ValuesOut(Schema):
    price: Money
    weight: Decimal
    at: v2.Timestamp
    utc: v2.Timestamp
    none: str | None
    name: str


api = NinjaAPI(urls_namespace="tests-rules", docs_url=None)
v2.install_problem_handlers(api)


@api.get("rack", auth=v2.Bearer(rules=RULES), response=ValuesOut)
async def rack(request):
    return VALUES


class Body(Schema):
    name: str


@api.post("rack", auth=v2.Bearer(rules=RULES))
async def hang_up(request, body: Body):
    return {}


class Urls:
    urlpatterns = [
        path("api/v1/rack", Rack.as_view()),
        path("api/v1/unlocked", Unlocked.as_view()),
        path("api/v2/", api.urls),
    ]


@pytest.fixture
def call(settings, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUTHENTICATOR": f"{__name__}.authenticate"}
    monkeypatch.setattr(
        "fashionistar_common.http.security.import_string", {f"{__name__}.authenticate": authenticate}.get
    )

    def ask(version, token, method="get", **kwargs):
        headers = {"authorization": f"Bearer {token}"}
        if version == 1:
            return getattr(Client(), method)("/api/v1/rack", headers=headers, **kwargs)
        return async_to_sync(getattr(AsyncClient(), method))("/api/v2/rack", headers=headers, **kwargs)

    return ask


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("token", "status", "code"),
    [("nobody", 401, "not_authenticated"), ("client", 403, "permission_denied"), ("vendor", 403, "permission_denied")],
)
def test_whom_a_rule_refuses_is_told_so_before_the_body_is_read(call, version, token, status, code):
    assert_problem(call(version, token), status, code)
    assert_problem(call(version, token, "post", data="{", content_type="application/json"), status, code)


def test_a_rule_without_an_authentication_admits_nobody(call):
    assert_problem(Client().get("/api/v1/unlocked"), 401, "not_authenticated")


def test_values_look_alike_in_both_versions(call):
    first, second = (json.loads(call(version, "staff").content) for version in (1, 2))
    assert first == second
    assert first == {
        "price": {"amount": "129.00", "currency": "NGN"},
        "weight": "1.50",
        "at": "2026-01-02T02:04:05.678901Z",
        "utc": "2026-01-02T00:00:00Z",
        "none": None,
        "name": VALUES["name"],
    }


class HatNotFoundError(NotFoundError):
    """There is no hat {key}."""

    code = "hat_not_found"


@pytest.mark.django_db
def test_a_row_of_somebody_else_cannot_be_told_from_none(django_assert_num_queries):
    IdempotencyRecord.objects.create(scope="eve", key="fez")
    mine = IdempotencyRecord.objects.create(scope="ada", key="cap")
    own = IdempotencyRecord.objects.filter(scope="ada")
    assert get_in_scope(own, HatNotFoundError, key="cap") == mine
    said = []
    for key in ("fez", "bonnet"):
        with django_assert_num_queries(1), pytest.raises(HatNotFoundError) as raised:
            get_in_scope(own, HatNotFoundError, key=key)
        said.append(str(raised.value).replace(key, "?"))
    assert said == ["There is no hat ?."] * 2
    with pytest.raises(NotFoundError):
        get_in_scope(own, key="fez")


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_scope_that_locks_locks_the_row():
    IdempotencyRecord.objects.create(scope="ada", key="cap")
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        get_in_scope(IdempotencyRecord.objects.select_for_update(), key="cap")
    assert "FOR UPDATE" in queries[0]["sql"]
