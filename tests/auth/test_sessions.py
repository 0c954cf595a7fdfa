import jwt
import pytest
from fashionistar_auth import services
from fashionistar_auth.exceptions import InvalidTokenError
from fashionistar_auth.models import SpentRefreshToken, User
from fashionistar_auth.selectors import user_of
from fashionistar_auth.testing import PASSWORD, make_user, tokens_for
from fashionistar_auth.tokens import authenticate
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", Role)
def test_logging_in_gives_a_pair_for_the_role(api, role):
    user = make_user(email="ada@example.com", role=role)
    response = api.post("/login", {"email": " ADA@example.com", "password": PASSWORD})

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert body.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
    assert authenticate(body["access"]) == Actor(id=str(user.public_id), role=role)
    for name, seconds in {"access": 900, "refresh": 7 * 86400}.items():
        claims = jwt.decode(body[name], options={"verify_signature": False})
        assert claims.keys() == {"iss", "sub", "aud", "token_type", "jti", "iat", "exp"}
        assert (claims["aud"], claims["sub"]) == (role.value, str(user.public_id))
        assert (claims["token_type"], claims["exp"] - claims["iat"]) == (name, seconds)
    user.refresh_from_db()
    assert user.last_login is not None


CREDENTIALS = {
    "a wrong password": ({"email": "ada@example.com", "password": "wrong"}, 401, "invalid_credentials"),
    "a password with blanks around": (
        {"email": "ada@example.com", "password": f" {PASSWORD} "},
        401,
        "invalid_credentials",
    ),
    "an unknown address": ({"email": "bo@example.com", "password": PASSWORD}, 401, "invalid_credentials"),
    "not verified": ({"email": "new@example.com", "password": PASSWORD}, 403, "email_not_verified"),
    "not verified, wrong": ({"email": "new@example.com", "password": "wrong"}, 401, "invalid_credentials"),
    "switched off": ({"email": "off@example.com", "password": PASSWORD}, 403, "account_inactive"),
    "switched off, wrong": ({"email": "off@example.com", "password": "wrong"}, 401, "invalid_credentials"),
    "no password": ({"email": "ada@example.com"}, 422, "invalid"),
    "half a surrogate pair": ({"email": "ada@example.com", "password": "\ud800"}, 422, "invalid"),
    "a list": ({"email": ["ada@example.com"], "password": PASSWORD}, 422, "invalid"),
}


@pytest.mark.parametrize(("body", "status", "code"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_who_may_not_log_in_is_told_why_only_with_the_right_password(api, body, status, code):
    make_user(email="ada@example.com")
    make_user(email="new@example.com", verified=False)
    make_user(email="off@example.com", is_active=False)
    assert_problem(api.post("/login", body), status, code)


def test_an_unknown_address_costs_a_password_hash_as_well(api, monkeypatch):
    from fashionistar_auth.services import sessions

    hashed = []
    monkeypatch.setattr(sessions, "make_password", hashed.append)
    api.post("/login", {"email": "nobody@example.com", "password": "whatever"})
    assert hashed == ["whatever"]


def test_refreshing_gives_the_next_pair_and_spends_the_token(api):
    user = make_user(role=Role.VENDOR)
    first = tokens_for(user).refresh
    response = api.post("/refresh", {"refresh": first})

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    second = response.json()
    assert second.keys() == {"access", "refresh", "token_type", "expires_in"}
    assert authenticate(second["access"]) == user.actor
    assert_problem(api.post("/refresh", {"refresh": first}), 401, "invalid_token")
    assert api.post("/refresh", {"refresh": second["refresh"]}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_many_refreshes_with_one_token_at_once_are_one_success(api, together):
    token = tokens_for(make_user()).refresh
    statuses = together(lambda: api.post("/refresh", {"refresh": token}).status_code, 12)
    assert sorted(statuses) == [200] + [401] * 11
    assert SpentRefreshToken.objects.count() == 1


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "vendor"}, None], ids=["off", "role", "gone"])
def test_a_refresh_token_dies_with_what_its_account_was(api, change):
    token = tokens_for(make_user()).refresh
    User.objects.update(**change) if change else User.objects.all().delete()
    assert_problem(api.post("/refresh", {"refresh": token}), 401, "invalid_token")


@pytest.mark.parametrize("refresh", ["", "a.b.c", "\ud800", "ü", "x" * 10_000])
def test_what_is_no_refresh_token_is_refused(api, refresh):
    response = api.post("/refresh", {"refresh": refresh})
    assert response.status_code in {401, 422}
    assert_problem(response, response.status_code, "invalid_token" if response.status_code == 401 else "invalid")


def test_an_access_token_does_not_refresh(api):
    assert_problem(api.post("/refresh", {"refresh": tokens_for(make_user()).access}), 401, "invalid_token")


def test_me_is_who_the_token_says(api):
    user = make_user(email="ada@example.com", role=Role.VENDOR, first_name="Ada", last_name="Obi")
    response = api("GET", "/me", user=user)
    assert response.status_code == 200
    assert response.json() == {
        "id": str(user.public_id),
        "email": "ada@example.com",
        "role": "vendor",
        "first_name": "Ada",
        "last_name": "Obi",
        "email_verified": True,
        "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
    }


CHANGES = {
    "both": ({"first_name": "Bo", "last_name": "Ade"}, ("Bo", "Ade")),
    "one": ({"last_name": " Ade "}, ("Ada", "Ade")),
    "to nothing": ({"first_name": ""}, ("", "Obi")),
    "nothing": ({}, ("Ada", "Obi")),
    "what is not ours to change": ({"email": "x@example.com", "role": "staff"}, ("Ada", "Obi")),
}


@pytest.mark.parametrize(("body", "names"), CHANGES.values(), ids=CHANGES)
def test_changing_my_names_changes_what_is_sent(api, body, names):
    user = make_user(email="ada@example.com", first_name="Ada", last_name="Obi")
    response = api("PATCH", "/me", body, user=user)
    assert response.status_code == 200
    assert (response.json()["first_name"], response.json()["last_name"]) == names
    user.refresh_from_db()
    assert (user.first_name, user.last_name, user.email, user.role) == (*names, "ada@example.com", "client")


@pytest.mark.parametrize("name", [None, 5, "x" * 101, "a\x00", "\ud800"])
def test_what_is_no_name_is_refused(api, name):
    problem = assert_problem(api("PATCH", "/me", {"first_name": name}, user=make_user()), 422, "invalid")
    assert [error["pointer"] for error in problem["errors"]] == ["/first_name"]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_token_outlives_its_account_but_opens_nothing(api, method):
    user = make_user()
    token = tokens_for(user).access
    user.is_active = False
    user.save()
    assert_problem(api(method, "/me", {} if method == "PATCH" else None, token=token), 401, "invalid_token")


def test_an_actor_of_another_kind_has_no_account():
    with pytest.raises(InvalidTokenError):
        user_of(Actor(id="5", role=Role.CLIENT))


QUERIES = {
    "login": (lambda api, user: api.post("/login", {"email": user.email, "password": PASSWORD}), 2),
    "refresh": (lambda api, user: api.post("/refresh", {"refresh": tokens_for(user).refresh}), 7),
    "me": (lambda api, user: api("GET", "/me", user=user), 1),
    "update me": (lambda api, user: api("PATCH", "/me", {"first_name": "Bo"}, user=user), 4),
}


@pytest.mark.parametrize(("call", "queries"), QUERIES.values(), ids=QUERIES)
def test_the_number_of_queries_does_not_grow(api, call, queries, django_assert_num_queries):
    for _ in range(20):
        services.refresh(refresh=tokens_for(make_user()).refresh)
    user = make_user()
    with django_assert_num_queries(queries):
        assert call(api, user).status_code == 200
