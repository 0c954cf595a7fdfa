"""Preferences, browsers and the link to unsubscribe: the same in both versions."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import ModuleType
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.core import signing
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import include, path
from fashionistar_common.exceptions import NotAuthenticatedError
from fashionistar_common.http.ninja import install_problem_handlers
from fashionistar_common.models import NotificationDelivery, NotificationPreference, PushSubscription
from fashionistar_common.notifications import Category, Channel, NotificationKind, kinds, subscriptions
from fashionistar_common.notifications.preferences import (
    Preference,
    channels_switched_on,
    set_preferences,
    unsubscribe_url,
)
from fashionistar_common.notifications.rendering import compose
from fashionistar_common.router import create_router
from fashionistar_common.testing import assert_problem
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI

pytestmark = pytest.mark.django_db(transaction=True)

ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc"
P256DH = base64.urlsafe_b64encode(b"\x04" + b"k" * 64).decode().rstrip("=")
AUTH = base64.urlsafe_b64encode(b"a" * 16).decode().rstrip("=")
BROWSER = {"endpoint": ENDPOINT, "keys": {"p256dh": P256DH, "auth": AUTH}}
SALT = "fashionistar_common.notifications.unsubscribe"
OFF = {"category": "updates", "channel": "email", "enabled": False}


def authenticate(token):
    if token not in ("ada", "bo"):
        raise NotAuthenticatedError
    return Actor(id=token, role=Role.CLIENT)


@pytest.fixture(scope="module")
def urls():
    api = NinjaAPI(urls_namespace="notifications-test", docs_url=None)
    install_problem_handlers(api)
    api.add_router("", create_router())
    module = ModuleType("urls_of_notifications")
    module.urlpatterns = [
        path("", include("fashionistar_common.urls")),
        path("api/v1", include("fashionistar_common.api.v1.urls")),
        path("api/v2/", api.urls),
    ]
    return module


@pytest.fixture(autouse=True)
def project(settings, urls, monkeypatch):
    monkeypatch.setattr("fashionistar_common.http.security.import_string", lambda path: authenticate)
    settings.ROOT_URLCONF = urls
    settings.FASHIONISTAR_COMMON = {
        "AUTHENTICATOR": "tests.authenticate",
        "PUBLIC_URL": "https://shop.example/",
        "NOTIFICATION_PROVIDERS": {channel: {"BACKEND": "x"} for channel in Channel.values},
    }


@pytest.fixture(params=["v1", "v2"])
def call(request):
    client = Client() if request.param == "v1" else AsyncClient()

    def ask(method, path, body=None, *, token="ada"):
        send = getattr(client, method)
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        send = send if request.param == "v1" else async_to_sync(send)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return send(f"/api/{request.param}/notifications/{path}", headers=headers, **content)

    return ask


def enabled(response):
    assert response.status_code == 200, response.content
    found = json.loads(response.content)["preferences"]
    return {(item["category"], item["channel"]): item["enabled"] for item in found}


def test_the_defaults_are_shown_and_what_cannot_be_changed(call):
    response = call("get", "preferences")
    found = json.loads(response.content)["preferences"]
    assert found[0] == {"category": "transactional", "channel": "email", "enabled": True, "locked": True}
    assert {item["category"]: (item["enabled"], item["locked"]) for item in found} == {
        "transactional": (True, True),
        "updates": (True, False),
        "marketing": (False, False),
    }
    assert len(found) == 9


def test_only_channels_that_the_site_has_are_shown(call, settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "NOTIFICATION_PROVIDERS": {"email": {}}}
    assert {channel for _, channel in enabled(call("get", "preferences"))} == {"email"}


def test_what_is_put_holds_and_what_is_left_out_returns_to_its_default(call):
    on = {"category": "marketing", "channel": "sms", "enabled": True}
    assert enabled(call("put", "preferences", {"preferences": [OFF, on]}))["updates", "email"] is False
    assert channels_switched_on("ada", Category.UPDATES) == {Channel.SMS, Channel.WEBPUSH}
    assert channels_switched_on("ada", Category.MARKETING) == {Channel.SMS}
    assert channels_switched_on("bo", Category.UPDATES) == set(Channel)
    first = enabled(call("get", "preferences"))
    assert enabled(call("put", "preferences", {"preferences": [OFF, on]})) == first
    assert enabled(call("put", "preferences", {"preferences": []}))["updates", "email"] is True


def test_what_somebody_must_be_told_stays_on(call):
    locked = {"category": "transactional", "channel": "email", "enabled": False}
    problem = assert_problem(call("put", "preferences", {"preferences": [OFF, locked]}), 422, "preference_locked")
    assert [error["pointer"] for error in problem["errors"]] == ["/preferences/1/enabled"]
    assert not NotificationPreference.objects.exists()
    assert call("put", "preferences", {"preferences": [{**locked, "enabled": True}]}).status_code == 200


BAD = {
    "nothing": ({}, "/preferences"),
    "no list": ({"preferences": "all"}, "/preferences"),
    "an unknown category": ({"preferences": [{**OFF, "category": "spam"}]}, "/preferences/0/category"),
    "an unknown channel": ({"preferences": [{**OFF, "channel": "fax"}]}, "/preferences/0/channel"),
    "a category that is no text": ({"preferences": [{**OFF, "category": ["updates"]}]}, "/preferences/0/category"),
    "no answer": ({"preferences": [{**OFF, "enabled": None}]}, "/preferences/0/enabled"),
    "too much": ({"preferences": [OFF] * 101}, "/preferences"),
}


@pytest.mark.parametrize(("body", "pointer"), BAD.values(), ids=BAD)
def test_bad_preferences_are_refused(call, body, pointer):
    problem = assert_problem(call("put", "preferences", body), 422, "invalid")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_nobody_has_no_preferences(call):
    for method, place, body in (("get", "preferences", None), ("post", "push-subscriptions", BROWSER)):
        assert_problem(call(method, place, body, token=""), 401, "not_authenticated")


@pytest.mark.postgresql
def test_of_two_answers_at_once_one_is_whole():
    barrier = Barrier(8)

    def put(number):
        barrier.wait(20)
        on = bool(number % 2)
        wanted = [
            Preference(category=category, channel=channel, enabled=on)
            for category in (Category.UPDATES, Category.MARKETING)
            for channel in Channel
        ]
        try:
            set_preferences("ada", wanted)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as executor:
        list(executor.map(put, range(8)))
    assert len(set(NotificationPreference.objects.values_list("enabled", flat=True))) == 1
    assert NotificationPreference.objects.count() == 6


def subscribe(call, **options):
    response = call("post", "push-subscriptions", BROWSER, **options)
    assert response.status_code == 201, response.content
    return json.loads(response.content)["id"]


def test_a_browser_is_subscribed_once_and_belongs_to_who_came_last(call):
    first = subscribe(call)
    assert subscribe(call) == first == subscribe(call, token="bo")
    assert PushSubscription.objects.get().user_id == "bo"
    assert_problem(call("delete", f"push-subscriptions/{first}"), 404, "not_found")
    assert call("delete", f"push-subscriptions/{first}", token="bo").status_code == 204
    assert not PushSubscription.objects.exists()
    assert_problem(call("delete", f"push-subscriptions/{uuid4()}"), 404, "not_found")


def test_a_user_has_so_many_browsers_and_no_more(monkeypatch, call):
    monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 2)
    for number in range(4):
        call("post", "push-subscriptions", {**BROWSER, "endpoint": f"{ENDPOINT}{number}"})
    found = PushSubscription.objects.order_by("pk").values_list("endpoint", flat=True)
    assert list(found) == [f"{ENDPOINT}2", f"{ENDPOINT}3"]


ELSEWHERE = [
    "http://fcm.googleapis.com/send",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://fcm.googleapis.com@127.0.0.1/",
    "https://fcm.googleapis.com:8443/send",
    "https://fcm.googleapis.com.evil.example/send",
    "https://evil.example/?https://fcm.googleapis.com",
    "https://evil.example#.notify.windows.com",
    "https://notify.windows.com/",
    "https://fcm.googleapis.com\\@127.0.0.1/",
    "file:///etc/passwd",
    "https://[::1/",
]


@pytest.mark.parametrize("endpoint", ELSEWHERE)
def test_we_call_no_address_but_those_of_push_services(call, endpoint):
    response = call("post", "push-subscriptions", {**BROWSER, "endpoint": endpoint})
    problem = assert_problem(response, 422, "invalid_push_subscription")
    assert [error["pointer"] for error in problem["errors"]] == ["/endpoint"]


def test_a_push_service_may_have_many_hosts(call):
    endpoint = "https://db5p.wns2.notify.windows.com/w/?token=abc"
    assert call("post", "push-subscriptions", {**BROWSER, "endpoint": endpoint}).status_code == 201


@pytest.mark.parametrize("keys", [{"p256dh": "AAAA", "auth": "!"}, {"p256dh": "é", "auth": AUTH + "AAAA"}])
def test_keys_that_are_none_are_refused(call, keys):
    problem = assert_problem(
        call("post", "push-subscriptions", {**BROWSER, "keys": keys}), 422, "invalid_push_subscription"
    )
    assert [error["pointer"] for error in problem["errors"]] == ["/keys/p256dh", "/keys/auth"]


def link():
    url = unsubscribe_url("ada", Category.UPDATES, Channel.EMAIL)
    assert url.startswith("https://shop.example/notifications/unsubscribe/")
    return url.removeprefix("https://shop.example")


def test_a_mail_program_unsubscribes_with_one_request(settings):
    """RFC 8058: POST, no cookie, no login; what follows links to scan them changes nothing."""
    client = Client(enforce_csrf_checks=True)
    for response in (client.get(link()), client.head(link())):
        assert response.status_code == 200
        assert (response["Cache-Control"], response["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert channels_switched_on("ada", Category.UPDATES) == set(Channel)
    for _ in range(2):
        assert client.post(link(), {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert channels_switched_on("ada", Category.UPDATES) == {Channel.SMS, Channel.WEBPUSH}
    assert channels_switched_on("ada", Category.TRANSACTIONAL) == set(Channel)


def test_the_page_has_a_button_and_no_more():
    page = Client().get(link()).content.decode()
    assert '<form method="post"><button>Unsubscribe</button></form>' in page
    assert "<script" not in page
    assert "ada" not in page


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "x:y:z",
        signing.Signer(salt="another").sign_object(["ada", "updates", "email"]),
        signing.Signer(salt=SALT).sign_object(["ada", "spam", "email"]),
        signing.Signer(salt=SALT).sign_object("ada"),
    ],
    ids=["word", "like a link", "of another kind", "of no category", "of another form"],
)
def test_a_link_that_we_have_not_made_leads_nowhere(token):
    for method in ("get", "post"):
        assert getattr(Client(), method)(f"/notifications/unsubscribe/{token}").status_code == 404
    assert not NotificationPreference.objects.exists()


def test_there_is_no_link_where_there_is_nothing_to_refuse(settings):
    assert unsubscribe_url("ada", Category.TRANSACTIONAL, Channel.EMAIL) == ""
    assert unsubscribe_url("", Category.UPDATES, Channel.EMAIL) == ""
    settings.FASHIONISTAR_COMMON = {}
    assert unsubscribe_url("ada", Category.UPDATES, Channel.EMAIL) == ""


def test_mail_that_can_be_refused_says_how(settings, tmp_path, monkeypatch):
    """The headers, the text and the page all lead to the same switch."""
    (tmp_path / "news.html").write_text(
        "{% partialdef subject %}S{% endpartialdef %}{% partialdef text %}T{% endpartialdef %}"
        "{% partialdef html %}<p>H</p>{% endpartialdef %}"
    )
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path], "APP_DIRS": True}
    settings.TEMPLATES = [engine]
    monkeypatch.delitem(kinds, "shop.news", raising=False)
    news = NotificationKind(
        name="shop.news", category=Category.UPDATES, channels=(Channel.EMAIL,), template="news.html", description=""
    )
    ada = NotificationDelivery(
        kind=news.name, key="k", channel="email", user_id="ada", address="ada@example.com", locale="en"
    )
    message = compose(ada, kinds.pop("shop.news"))
    assert message.headers == {
        "List-Unsubscribe": f"<https://shop.example{link()}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert message.text == f"T\n\n--\nUnsubscribe: https://shop.example{link()}"
    assert f'<a href="https://shop.example{link()}"' in message.html
    Client().post(link())
    assert Channel.EMAIL not in channels_switched_on("ada", Category.UPDATES)
