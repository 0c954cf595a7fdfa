"""What may be kept, for whom, and what callers are told about it."""

import os
import threading

import pytest
from django.http import HttpResponse
from django.middleware.csp import get_nonce
from django.middleware.csrf import get_token
from django.test import Client
from django.urls import path
from fashionistar_common import optional_redis
from fashionistar_common.http.cache import cached

#: What middleware binds to who asks only when the view has answered; and what not everybody can read.
BOUND = ["token", "nonce", "session", "compressed"]
computed = []
before = []


def compute(request):
    computed.append(1)
    for work in before:
        work()
    return HttpResponse(request.headers.get("Accept", "hats"))


def odd(request, what):
    """Answers that must not be kept for others."""
    compute(request)
    response = HttpResponse("odd", status=404 if what == "missing" else 200)
    match what:
        case "cookie":
            response.set_cookie("who", "ada")
        case "private" | "no-store":
            response["Cache-Control"] = what
        case "varies":
            response["Vary"] = "Cookie"
        case "token":
            response.content += get_token(request).encode()
        case "nonce":
            response.content += str(get_nonce(request)).encode()
        case "session":
            request.session["hats"] = 1
        case "compressed":
            response["Content-Encoding"], response["Vary"] = "gzip", "Accept-Encoding"
    return response


class Urls:
    urlpatterns = [
        path("odd/<what>", cached(60)(odd)),
        path("everyone", cached(60, audience="everyone", browser=30)(compute)),
        path("by-header", cached(60, vary=["Accept"])(compute)),
    ]


@pytest.fixture(autouse=True)
def _views(settings, common_settings, redis_url, monkeypatch):
    settings.ROOT_URLCONF = Urls
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
    ]
    common_settings(REDIS={"URL": redis_url})
    prefix = os.urandom(6).hex()
    monkeypatch.setattr(optional_redis, "prefixed", lambda key: f"{prefix}:{key}")  # each test has entries of its own
    computed.clear()
    before.clear()


def get(address, **headers):
    return Client().get(f"/{address}", headers=headers)


def entries():
    keys = optional_redis.call("", lambda client: client.keys(optional_redis.prefixed("answer:*")))
    return [optional_redis.call("", lambda client, key=key: client.get(key)) for key in keys]


def test_a_named_header_is_part_of_the_key():
    assert [get("by-header", Accept=kind).content for kind in ("a", "b", "a")] == [b"a", b"b", b"a"]
    assert "Accept" in get("by-header", Accept="a")["Vary"]


def test_what_browsers_may_keep_is_told():
    assert set(get("everyone")["Cache-Control"].split(", ")) == {"public", "max-age=30"}


def test_what_cannot_be_kept_is_computed_by_all_at_once(at_once):
    meeting = threading.Barrier(10, timeout=10)
    get("odd/missing")
    before.append(meeting.wait)  # opens when ten compute at the same time
    assert {answer.status_code for answer in at_once([lambda: get("odd/missing")] * 10)} == {404}


def test_what_is_for_everyone_is_declared_so():
    assert [get("everyone", Authorization=who).content for who in ("Bearer ada", "", "Bearer bob")] == [b"hats"] * 3
    assert len(computed) == 1


@pytest.mark.parametrize("what", ["missing", "cookie", "private", "no-store", "varies", *BOUND])
def test_what_is_not_for_others_is_not_kept(what):
    for _ in range(3):
        answer = get(f"odd/{what}")
        assert "ETag" not in answer
    assert len(computed) == 3
    assert all(b"odd" not in entry for entry in entries())
