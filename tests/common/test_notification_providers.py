"""The providers against real servers on this machine; e-mail has its own file."""

import base64
import json
import logging
import os
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.exceptions import ImproperlyConfigured
from fashionistar_common.models import NotificationDelivery
from fashionistar_common.notifications import Category, Channel, NotificationKind, Recipient, kinds, notify, providers
from fashionistar_common.notifications.providers import (
    GoneError,
    Message,
    PermanentDeliveryError,
    provider_for,
)
from fashionistar_common.notifications.providers.log import LogProvider
from fashionistar_common.notifications.providers.sms import SnsProvider
from fashionistar_common.notifications.providers.webpush import WebPushProvider
from fashionistar_common.notifications.sending import deliver
from fashionistar_common.notifications.subscriptions import subscribe_browser
from py_vapid import Vapid02

NAME = "0123456789abcdef" * 2
MESSAGE = Message(id=NAME, to="+2348012345678", text="Hi Ada")


@contextmanager
def served(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# SMS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sns():
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


def sns_provider(url, **options):
    return SnsProvider(
        region_name="eu-west-1", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", **options
    )


def test_sms_goes_by_sns(sns):
    from moto.sns.models import sns_backends

    name = sns_provider(sns, sender_id="Shop").send(Message(id=NAME, to="+2348012345678", text="Hi Ada"))
    taken = sns_backends["123456789012"]["eu-west-1"].sms_messages
    assert tuple(taken[name])[:2] == ("+2348012345678", "Hi Ada")


def test_a_number_that_is_none_is_told_from_a_service_that_is_down(sns):
    with pytest.raises(PermanentDeliveryError, match="InvalidParameter"):
        sns_provider(sns).send(Message(id=NAME, to="nobody", text="Hi"))
    with pytest.raises(Exception, match="Could not connect"):
        sns_provider("http://127.0.0.1:1", timeout=1).send(Message(id=NAME, to="+2348012345678", text="Hi"))


# Web push --------------------------------------------------------------------------------------------------------


class PushService(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.received.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/message")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def push_service():
    with served(ThreadingHTTPServer(("127.0.0.1", 0), PushService)) as server:
        server.received, server.status = [], 201
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield server


def base64url(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class Browser:
    """What a browser makes of a subscription, and reads with it."""

    def __init__(self):
        self.key, self.secret = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.keys = {"p256dh": base64url(point), "auth": base64url(self.secret)}

    def read(self, body):
        return json.loads(http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm"))


@pytest.fixture(scope="module")
def vapid():
    key = Vapid02()
    key.generate_keys()
    return base64url(key.private_key.private_numbers().private_value.to_bytes(32, "big"))


def test_a_browser_reads_what_it_was_sent_and_the_service_knows_who_sent_it(push_service, vapid):
    browser = Browser()
    provider = WebPushProvider(private_key=vapid, subject="mailto:ops@shop.example", ttl=60)
    message = Message(
        id=NAME, to=f"{push_service.url}/send/1", keys=browser.keys, subject="Paid", text="Grüße", url="/orders/1"
    )
    assert provider.send(message) == "http://127.0.0.1:1/message"
    ((headers, body),) = push_service.received
    assert browser.read(body) == {"title": "Paid", "body": "Grüße", "url": "/orders/1", "tag": NAME}
    headers = {name.lower(): value for name, value in headers.items()}
    assert (headers["ttl"], headers["topic"], headers["content-encoding"]) == ("60", NAME, "aes128gcm")
    assert Vapid02.verify(headers["authorization"])
    claims = headers["authorization"].split("t=")[1].split(",")[0].split(".")[1]
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (read["aud"], read["sub"]) == (push_service.url, "mailto:ops@shop.example")


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, GoneError), (410, GoneError), (413, PermanentDeliveryError), (429, Exception), (500, Exception)],
)
def test_the_answers_of_a_push_service(push_service, vapid, status, error):
    push_service.status = status
    provider = WebPushProvider(private_key=vapid, subject="mailto:ops@shop.example")
    with pytest.raises(error) as raised:
        provider.send(Message(id=NAME, to=push_service.url, keys=Browser().keys, text="x"))
    assert isinstance(raised.value, PermanentDeliveryError) is (status in {404, 410, 413})


def test_a_push_service_cannot_send_us_elsewhere(push_service, vapid):
    push_service.status = 307
    provider = WebPushProvider(private_key=vapid, subject="mailto:ops@shop.example")
    with pytest.raises(Exception, match="redirect"):
        provider.send(Message(id=NAME, to=push_service.url, keys=Browser().keys, text="x"))
    assert len(push_service.received) == 1


@pytest.fixture
def shop(settings, tmp_path, monkeypatch, push_service, vapid):
    """A site that writes to browsers."""
    (tmp_path / "push.html").write_text(
        "{% partialdef subject %}Paid{% endpartialdef %}{% partialdef push %}Order {{ number }}{% endpartialdef %}"
    )
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [str(tmp_path)]}]
    options = {"private_key": vapid, "subject": "mailto:ops@shop.example"}
    backend = f"{WebPushProvider.__module__}.WebPushProvider"
    settings.FASHIONISTAR_COMMON = {
        "NOTIFICATION_PROVIDERS": {"webpush": {"BACKEND": backend, "OPTIONS": options}},
        "PUSH_ORIGINS": [push_service.url],
    }
    monkeypatch.setattr("fashionistar_common.notifications.notifying.enqueue", lambda *args, **kwargs: None)
    made = NotificationKind(
        name="shop.paid",
        category=Category.UPDATES,
        channels=(Channel.WEBPUSH,),
        template="push.html",
        description="",
    )
    yield made
    kinds.pop("shop.paid")


@pytest.mark.django_db(transaction=True)
def test_each_browser_gets_its_message_and_one_that_is_gone_is_forgotten(shop, push_service):
    browsers = [Browser(), Browser()]
    for number, browser in enumerate(browsers):
        subscribe_browser("ada", endpoint=f"{push_service.url}/{number}", **browser.keys)
    assert notify(shop, to=Recipient(user_id="ada"), key="k", context={"number": "FS-1", "url": "/orders/1"}) == 2
    first, second = NotificationDelivery.objects.order_by("pk")
    deliver(str(first.public_id))
    assert browsers[0].read(push_service.received[0][1])["body"] == "Order FS-1"
    push_service.status = 410
    deliver(str(second.public_id))
    second.refresh_from_db()
    assert (second.status, second.reason) == ("failed", "the push service has forgotten it: 410")
    assert notify(shop, to=Recipient(user_id="ada"), key="next", context={"number": "FS-2"}) == 1


# What they have in common ----------------------------------------------------------------------------------------


def test_developers_find_messages_in_a_file_or_in_the_log(tmp_path, caplog):
    path = tmp_path / "messages"
    for _ in range(2):
        LogProvider(path=str(path)).send(MESSAGE)
    assert [json.loads(line)["to"] for line in path.read_text().splitlines()] == ["+2348012345678"] * 2
    with caplog.at_level(logging.INFO):
        LogProvider().send(MESSAGE)
    assert "Hi Ada" in caplog.text


def test_a_provider_is_made_once_and_anew_when_the_settings_change(settings):
    def configure(**options):
        config = {"BACKEND": f"{LogProvider.__module__}.LogProvider", "OPTIONS": options}
        settings.FASHIONISTAR_COMMON = {"NOTIFICATION_PROVIDERS": {"sms": config}}

    configure(path="a")
    first = provider_for("sms")
    assert provider_for("sms") is first
    configure(path="b")
    assert provider_for("sms").path == "b"
    with pytest.raises(ImproperlyConfigured, match="no 'email'"):
        provider_for("email")
    configure(colour="red")
    with pytest.raises(ImproperlyConfigured, match="colour"):
        provider_for("sms")


@pytest.mark.parametrize(
    ("package", "kind", "options"),
    [
        ("boto3", SnsProvider, {"region_name": "eu-west-1"}),
        ("pywebpush", WebPushProvider, {"private_key": "x", "subject": "mailto:a@example.com"}),
    ],
)
def test_without_its_extra_a_provider_says_which(monkeypatch, package, kind, options):
    monkeypatch.setitem(sys.modules, package, None)
    providers._made.cache_clear()
    with pytest.raises(ImproperlyConfigured, match=r"fashionistar-common\[(sms|webpush)\]"):
        kind(**options)
