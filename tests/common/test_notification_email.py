"""E-mail by a real mail server on this machine; a worker that is really killed."""

import email
import email.policy
import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager

import django
import pytest
from django.db import connection
from django.utils import timezone
from fashionistar_common.models import NotificationDelivery
from fashionistar_common.notifications import Category, Channel, NotificationKind, Recipient, kinds, notify
from fashionistar_common.notifications.providers import (
    DeliveryError,
    Message,
    PermanentDeliveryError,
)
from fashionistar_common.notifications.providers.email import EmailProvider
from fashionistar_common.notifications.sending import deliver

NAME = "0123456789abcdef" * 2


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


def mailers(backend, **options):
    """Django's settings of mail, in the form that this version reads."""
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend, **{f"EMAIL_{name.upper()}": value for name, value in options.items()}}


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as smtplib speaks."""

    def handle(self):
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.split()[0].upper()
            if verb == "RCPT" and "refused" in line:
                self.say("550 nobody <refused@example.com>")
            elif verb == "RCPT" and "busy" in line:
                self.say("451 later")
            elif verb == "DATA":
                self.say("354 go on")
                body = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.received.append(email.message_from_bytes(body, policy=email.policy.default))
                self.say("554 spam" if b"spam" in body else "250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def mailbox(settings):
    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)) as server:
        server.received = []
        host, port = server.server_address
        for name, value in mailers(
            "django.core.mail.backends.smtp.EmailBackend", host=host, port=port, timeout=10
        ).items():
            setattr(settings, name, value)
        yield server.received


def letter(to="ada@example.com", **changes):
    return Message(**{"id": NAME, "to": to, "subject": "Grüße", "text": "Dear Ada", "html": "<p>Ada</p>"} | changes)


def test_mail_goes_by_smtp(mailbox, settings):
    settings.FASHIONISTAR_COMMON = {"MAIL_DOMAIN": "shop.example"}
    headers = {"List-Unsubscribe": "<https://shop.example/x>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    name = EmailProvider(from_email="Shop <shop@example.com>").send(letter(headers=headers))
    (got,) = mailbox
    assert got["Message-ID"] == name == f"<{NAME}@shop.example>"
    assert (got["From"], got["To"], got["Subject"]) == ("Shop <shop@example.com>", "ada@example.com", "Grüße")
    assert {key: got[key] for key in headers} == headers
    assert got.get_body(("plain",)).get_content().strip() == "Dear Ada"
    assert got.get_body(("html",)).get_content().strip() == "<p>Ada</p>"


def test_a_mailbox_that_does_not_exist_is_told_from_one_that_is_busy(mailbox):
    with pytest.raises(PermanentDeliveryError, match="refuses it: 550") as refused:
        EmailProvider().send(letter("refused@example.com"))
    assert "@" not in str(refused.value)
    with pytest.raises(PermanentDeliveryError, match="refuses it: 554"):
        EmailProvider().send(letter(text="spam"))
    with pytest.raises(DeliveryError, match="refuses it: 451") as busy:
        EmailProvider().send(letter("busy@example.com"))
    assert not isinstance(busy.value, PermanentDeliveryError)
    assert "@" not in str(busy.value)


def test_a_mail_server_that_is_down_is_tried_again(mailbox, settings):
    down = mailers("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=1, timeout=1)
    for name, value in down.items():
        setattr(settings, name, value)
    with pytest.raises(OSError, match="refused"):
        EmailProvider().send(letter())


KILLED = """
import json, os, signal
from django.conf import settings
for name, value in json.loads(os.environ["CHANGES"]).items():
    setattr(settings, name, value)
import django
django.setup()
from django.db import connection
connection.settings_dict["NAME"] = os.environ["DATABASE_NAME"]
from fashionistar_common.notifications import Category, Channel, NotificationKind, sending
NotificationKind(name="shop.killed", category=Category.TRANSACTIONAL, channels=(Channel.EMAIL,),
                 template="killed.html", description="")
sending._record = lambda *args, **kwargs: os.kill(os.getpid(), signal.SIGKILL)
sending.deliver(os.environ["DELIVERY"])
"""


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_sending_and_noting_it_makes_no_second_message(settings, tmp_path, monkeypatch):
    """At least once: the mail server gets it twice, under one Message-ID, which here is one file."""
    (tmp_path / "killed.html").write_text(
        "{% partialdef subject %}S{% endpartialdef %}{% partialdef text %}T{% endpartialdef %}"
    )
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [str(tmp_path)], "APP_DIRS": True}
    changes = {
        "TEMPLATES": [engine],
        "FASHIONISTAR_COMMON": {"MAIL_DIRECTORY": str(tmp_path / "mail")},
        **mailers("fashionistar_common.mail.DirectoryEmailBackend"),
    }
    for name, value in changes.items():
        setattr(settings, name, value)
    monkeypatch.delitem(kinds, "shop.killed", raising=False)
    kind = NotificationKind(
        name="shop.killed",
        category=Category.TRANSACTIONAL,
        channels=(Channel.EMAIL,),
        template="killed.html",
        description="",
    )
    monkeypatch.setattr("fashionistar_common.notifications.notifying.enqueue", lambda *args, **kwargs: None)
    notify(kind, to=Recipient(email="ada@example.com"), key="k")
    kinds.pop("shop.killed")
    delivery_id = str(NotificationDelivery.objects.get().public_id)
    environment = {
        "CHANGES": json.dumps(changes),
        "DATABASE_NAME": connection.settings_dict["NAME"],
        "DELIVERY": delivery_id,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", KILLED], env=os.environ | environment, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    (first,) = (tmp_path / "mail").iterdir()
    row = NotificationDelivery.objects.get()
    assert (row.status, row.attempts, row.address) == ("pending", 1, "ada@example.com")

    kinds["shop.killed"] = kind
    NotificationDelivery.objects.update(claimed_until=timezone.now())  # the time of the dead worker's task is over
    deliver(delivery_id)
    assert [*(tmp_path / "mail").iterdir()] == [first]
    assert NotificationDelivery.objects.get().status == "sent"
    kinds.pop("shop.killed")
