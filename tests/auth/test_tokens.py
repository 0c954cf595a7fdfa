"""Every token that is not ours is refused by both versions, before any query: these tests have no database."""

import base64
import json
import time
from uuid import uuid4

import jwt
import pytest
from fashionistar_auth.conf import signing_key
from fashionistar_auth.tokens import MAX_LENGTH, authenticate, issue_tokens, read_refresh_token
from fashionistar_common.exceptions import NotAuthenticatedError
from fashionistar_common.http.drf import bearer
from fashionistar_common.http.ninja import Bearer
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from rest_framework_simplejwt import tokens as simplejwt

VENDOR = Actor(id=str(uuid4()), role=Role.VENDOR)


def claims(**changes):
    now = int(time.time())
    good = {
        "iss": "fashionistar",
        "sub": VENDOR.id,
        "aud": "vendor",
        "token_type": "access",
        "jti": uuid4().hex,
        "iat": now,
        "exp": now + 900,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def forged(*, key=None, algorithm="HS256", headers=None, **changes):
    return jwt.encode(claims(**changes), key or signing_key(), algorithm=algorithm, headers=headers)


def unsigned(alg):
    parts = [{"alg": alg, "typ": "JWT"}, claims()]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


def tampered():
    head, body, signature = issue_tokens(VENDOR).access.split(".")
    facts = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps(facts | {"aud": "staff"}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


FORGERIES = {
    "expired": lambda: forged(exp=int(time.time()) - 1),
    "without expiry": lambda: forged(exp=None),
    "from the future": lambda: forged(iat=int(time.time()) + 3600),
    "tampered with": tampered,
    "of another key": lambda: forged(key="another key of a decent length, 32 bytes"),
    "algorithm none": lambda: unsigned("none"),
    "algorithm None": lambda: unsigned("None"),
    "of another algorithm": lambda: forged(algorithm="HS512"),
    "an algorithm with a public key": lambda: unsigned("RS256"),
    "of another issuer": lambda: forged(iss="elsewhere"),
    "without issuer": lambda: forged(iss=None),
    "of an unknown audience": lambda: forged(aud="king"),
    "of two audiences": lambda: forged(aud=["vendor", "staff"]),
    "without audience": lambda: forged(aud=None),
    "a refresh token": lambda: issue_tokens(VENDOR).refresh,
    "without type": lambda: forged(token_type=None),
    "without subject": lambda: forged(sub=None),
    "without id": lambda: forged(jti=None),
    "an id that is no text": lambda: forged(jti=["a"]),
    "with a key of its own": lambda: forged(key="mine " * 8, headers={"kid": "../../dev/null", "jku": "http://x"}),
    "huge": lambda: forged(padding="x" * MAX_LENGTH),
    "no token": lambda: "token",
    "three dots": lambda: "...",
    "a nest of brackets": lambda: base64.urlsafe_b64encode(b"[" * 1200).decode() + ".e30.AA",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_token_that_is_not_ours_is_refused_without_a_query(api, method, forge):
    response = api(method, "/me", {} if method == "PATCH" else None, token=forge())
    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_no_token_is_refused_without_a_query(api):
    assert_problem(api("GET", "/me"), 401, "not_authenticated")
    assert_problem(api("GET", "/me", token=""), 401, "not_authenticated")


@pytest.mark.parametrize("forge", [FORGERIES[name] for name in FORGERIES if name != "a refresh token"])
def test_a_refresh_token_is_verified_as_closely(forge):
    with pytest.raises(NotAuthenticatedError):
        read_refresh_token(forge())


@pytest.mark.parametrize("token", ["ü.ü.ü", "\ud800", "\x00", ""])
def test_what_is_no_text_of_a_token_is_refused(token):
    with pytest.raises(NotAuthenticatedError):
        authenticate(token)


def test_the_type_is_verified_even_where_simplejwt_does_not(monkeypatch):
    monkeypatch.setattr(simplejwt.api_settings, "TOKEN_TYPE_CLAIM", None)
    with pytest.raises(NotAuthenticatedError):
        authenticate(forged(token_type="refresh"))


@pytest.mark.parametrize("role", Role)
def test_a_good_token_is_its_actor_without_a_query(role):
    actor = Actor(id=str(uuid4()), role=role)
    assert authenticate(issue_tokens(actor).access) == actor


@pytest.mark.parametrize("mine", Role)
@pytest.mark.parametrize("wanted", Role)
def test_a_role_opens_its_own_routes_only(mine, wanted, rf):
    from asgiref.sync import async_to_sync
    from rest_framework.request import Request

    actor = Actor(id=str(uuid4()), role=mine)
    request = rf.get("/", headers={"Authorization": f"Bearer {issue_tokens(actor).access}"})
    doors = [
        lambda: bearer(wanted)().authenticate(Request(request))[1],
        lambda: async_to_sync(Bearer(wanted))(request),
    ]
    for door in doors:
        if mine is wanted:
            assert door() == actor
        else:
            with pytest.raises(NotAuthenticatedError) as refusal:
                door()
            assert refusal.value.code == "wrong_audience"


def test_a_changed_key_ends_every_token(settings):
    token = issue_tokens(VENDOR).access
    settings.FASHIONISTAR_AUTH = {"SIGNING_KEY": "a new key for everybody, 32 bytes or more"}
    with pytest.raises(NotAuthenticatedError):
        authenticate(token)
    assert authenticate(issue_tokens(VENDOR).access) == VENDOR
