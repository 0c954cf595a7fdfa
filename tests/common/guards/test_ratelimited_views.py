"""Rate limits through both faces: the same requests pass, and the others get the same problem."""

import os
from collections import Counter

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import path
from fashionistar_common import optional_redis
from fashionistar_common.context import Origin, origin
from fashionistar_common.http import drf
from fashionistar_common.http import ninja as v2
from fashionistar_common.http.ratelimits import by_address
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI, Router, Schema
from rest_framework.response import Response

pytestmark = pytest.mark.django_db(transaction=True)


class Hats(drf.ApiView):
    throttle_classes = [drf.throttle("hats", rate="10/h")]

    def get(self, request):
        return Response({"hats": []})


class Mine(drf.ApiView):
    authentication_classes = [drf.bearer()]
    throttle_classes = [
        drf.throttle("mine", by=drf.by_actor, rate="3/h", methods=["POST"]),
        drf.throttle("all", by=drf.by_address, rate="100/h"),
    ]

    def get(self, request):
        return Response({"hats": []})

    def post(self, request):
        request.data  # noqa: B018 - reads the body
        return Response({"hats": []})


class Nothing(Schema):
    pass


router = Router()


@router.get("hats", response=dict[str, list[str]])
@v2.throttled("hats", rate="10/h")
async def hats(request):
    return {"hats": []}


@router.get("mine", response=dict[str, list[str]], auth=v2.Bearer())
@v2.throttled("all", rate="100/h")
async def mine(request):
    return {"hats": []}


@router.post("mine", response=dict[str, list[str]], auth=v2.Bearer())
@v2.throttled("mine", by=v2.by_actor, rate="3/h")
@v2.throttled("all", by=v2.by_address, rate="100/h")
async def add_mine(request, body: Nothing):
    return {"hats": []}


@router.get("foreign", auth=lambda request: "somebody")
@v2.throttled("foreign", by=lambda request: request.auth, rate="1/h")
async def foreign(request):
    return {}


api = NinjaAPI(urls_namespace="tests-ratelimits", docs_url=None)
api.add_router("/", router)
v2.install_problem_handlers(api)


class Urls:
    urlpatterns = [path("api/v1/hats", Hats.as_view()), path("api/v1/mine", Mine.as_view()), path("api/v2/", api.urls)]


@pytest.fixture
def urls(settings, limit_store, monkeypatch, common_settings):
    settings.ROOT_URLCONF = Urls
    common_settings(AUTHENTICATOR="here")
    prefix = os.urandom(4).hex()
    who = {"here": lambda token: Actor(id=f"{prefix} {token}", role=Role.CLIENT)}
    monkeypatch.setattr("fashionistar_common.http.security.import_string", who.get)
    monkeypatch.setattr(optional_redis, "prefixed", lambda key: f"{prefix}:{key}")  # each test has limits of its own


both_faces = pytest.mark.parametrize("face", ["v1", "v2"])


def call(method, address, token="", body=None, ip="127.0.0.1"):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    options = {"content_type": "application/json"} if body is not None else {}
    make = getattr(Client(), method)
    return make(f"/api/{address}", body, headers=headers, REMOTE_ADDR=ip, **options)


@pytest.mark.postgresql
@both_faces
def test_of_two_hundred_requests_at_once_ten_pass(urls, face, at_once):
    answers = at_once([lambda: call("get", f"{face}/hats")] * 200)
    assert Counter(answer.status_code for answer in answers) == {200: 10, 429: 190}


@both_faces
def test_headers_tell_the_rest_and_a_refusal_is_a_problem(urls, face):
    first = call("get", f"{face}/hats")
    assert first["RateLimit-Policy"] == '"hats";q=10;w=3600'
    assert first["RateLimit"] == '"hats";r=9;t=360'
    for _ in range(9):
        call("get", f"{face}/hats")
    refused = call("get", f"{face}/hats")
    problem = assert_problem(refused, 429, "rate_limited")
    wait = refused["Retry-After"]
    assert refused["RateLimit"] == f'"hats";r=0;t={wait}'
    assert problem["detail"] == f"Too many requests. The next one may come in {wait} seconds."
    assert 340 <= int(wait) <= 360


def test_both_faces_refuse_with_one_body(urls):
    def refusal(face):
        for _ in range(10):
            call("get", f"{face}/hats", ip="10.0.0.1")
        body = call("get", f"{face}/hats", ip="10.0.0.1").json()
        return {**body, "request_id": "", "detail": body["detail"].rstrip("0123456789 .ends")}

    assert refusal("v1") == refusal("v2")


@both_faces
def test_each_actor_has_a_limit_and_what_is_not_counted_is_free(urls, face):
    for _ in range(4):
        assert call("get", f"{face}/mine", "ada").status_code == 200
    statuses = [call("post", f"{face}/mine", "ada", "{}").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = call("post", f"{face}/mine", "bob", "{}")
    assert answer.status_code == 200
    assert sorted(answer["RateLimit-Policy"].split(", ")) == ['"all";q=100;w=3600', '"mine";q=3;w=3600']


@both_faces
def test_a_broken_body_counts_and_nobody_does_not(urls, face):
    for _ in range(5):
        assert_problem(call("post", f"{face}/mine", "", "{}"), 401, "not_authenticated")
    statuses = [call("post", f"{face}/mine", "ada", "{").status_code for _ in range(4)]
    assert statuses == [400, 400, 400, 429]


def test_authentication_that_is_not_ours_is_known_when_the_endpoint_runs(urls):
    assert [call("get", "v2/foreign").status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", True),
        ("2001:db8:1:1::1", "2001:db8:1:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("", "unix socket", False),
    ],
)
def test_callers_are_told_apart_by_address(first, second, same):
    requests = [RequestFactory().get("/", REMOTE_ADDR=address) for address in (first, second)]
    assert (by_address(requests[0]) == by_address(requests[1])) is same


def test_the_address_behind_a_trusted_proxy_counts():
    token = origin.set(Origin(ip="192.0.2.7"))
    try:
        assert by_address(HttpRequest()) == "address 192.0.2.7"
    finally:
        origin.reset(token)
