"""The e-mail backends: files for developers, and the queue in front of the real one."""

import email
import email.policy
from email.message import EmailMessage as MimeMessage

import django
import pytest
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.db import transaction
from django.utils.translation import gettext_lazy
from fashionistar_common.mail import (
    DirectoryEmailBackend,
    MailTooLargeError,
    QueuedEmailBackend,
    mail_connection,
)
from fashionistar_common.mail.carrying import packed, unpacked
from fashionistar_common.mail.queued import send_queued_email

LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


def message(**changes):
    made = EmailMultiAlternatives(
        **{
            "subject": gettext_lazy("Password reset"),
            "body": "Grüße, Ada",
            "from_email": "shop@example.com",
            "to": ["ada@example.com", "Bo Obi <bo@example.com>"],
            "cc": ["cc@example.com"],
            "bcc": ["hidden@example.com"],
            "reply_to": ["help@example.com"],
            "headers": {"X-Shop": "yes"},
        }
        | changes
    )
    made.attach_alternative("<p>Grüße</p>", "text/html")
    made.attach("notes.txt", "Grüße", "text/plain")
    made.attach("logo.png", b"\x89PNG\x00\xff", "image/png")
    part = MimeMessage()
    part.set_content(b"%PDF-1.7", maintype="application", subtype="pdf", filename="bill.pdf")
    made.attach(part)
    return made


def test_the_directory_keeps_a_message_once(settings, tmp_path):
    settings.FASHIONISTAR_COMMON = {"MAIL_DIRECTORY": str(tmp_path / "mail")}
    for _ in range(2):
        assert DirectoryEmailBackend().send_messages([message(headers={"Message-ID": "<k@example.com>"})]) == 1
    (kept,) = (tmp_path / "mail").iterdir()
    read = email.message_from_bytes(kept.read_bytes(), policy=email.policy.default)
    assert read["Cc"] == "cc@example.com"
    assert "<p>Grüße</p>" in read.get_body(("html",)).get_content()


def test_the_directory_has_to_be_named(settings):
    settings.FASHIONISTAR_COMMON = {}
    with pytest.raises(ImproperlyConfigured, match="MAIL_DIRECTORY"):
        DirectoryEmailBackend().send_messages([EmailMessage()])


def test_a_message_comes_out_of_the_queue_as_it_went_in():
    carried = packed(message())
    first, second = unpacked(carried), unpacked(carried)
    # The boundaries between the parts are random.
    whole, same = (
        [
            (part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
            for part in sent.message().walk()
        ]
        for sent in (first, message())
    )
    assert whole == same
    given, taken = message().message(), first.message()
    for name in ("Subject", "From", "To", "Cc", "Reply-To", "X-Shop"):
        assert given[name] == taken[name], name
    assert first.recipients() == message().recipients()
    assert taken["Message-ID"] == second.message()["Message-ID"]
    assert taken["Date"] == second.message()["Date"]


@pytest.mark.parametrize("field", ["subject", "from_email"])
def test_a_line_break_in_a_header_is_refused_before_it_is_queued(field):
    with pytest.raises(ValueError, match="line break"):
        packed(message(**{field: "shop@example.com\r\nBcc: all@example.com"}))
    with pytest.raises(ValueError, match="line break"):
        packed(message(headers={"X-Shop": "yes\nBcc: all@example.com"}))


def test_what_is_too_large_for_a_queue_is_refused_by_name(settings):
    settings.FASHIONISTAR_COMMON = {"MAIL_QUEUE_BYTES": 2000}
    large = message()
    large.attach("film.mp4", b"0" * 2000, "video/mp4")
    with pytest.raises(MailTooLargeError, match=r"MAIL_QUEUE_BYTES.*allows 2000.*send a link"):
        packed(large)


def test_a_class_that_may_mean_more_than_its_fields_is_refused():
    class Templated(EmailMessage):
        template_id = "welcome"

    with pytest.raises(TypeError, match="not Templated"):
        packed(Templated(to=["ada@example.com"]))


@pytest.fixture
def queue(settings):
    """Django's own mail goes through the queue; what is behind it is memory."""
    if django.VERSION >= (6, 1):
        settings.MAILERS = {
            "default": {"BACKEND": "fashionistar_common.mail.QueuedEmailBackend", "OPTIONS": {"mailer": "memory"}},
            "memory": {"BACKEND": LOCMEM},
            "loop": {"BACKEND": "fashionistar_common.mail.QueuedEmailBackend", "OPTIONS": {"mailer": "default"}},
            "nowhere": {"BACKEND": "fashionistar_common.mail.QueuedEmailBackend"},
        }
    else:
        settings.EMAIL_BACKEND = "fashionistar_common.mail.QueuedEmailBackend"
        settings.FASHIONISTAR_COMMON = {"MAIL_BACKEND": LOCMEM}
    mail.outbox = []
    return mail.outbox


@pytest.fixture
def queued(monkeypatch):
    """What is enqueued, as the JSON that any backend would keep."""
    found = []
    monkeypatch.setattr(type(send_queued_email), "enqueue", lambda task, *args: found.append((task.queue_name, args)))
    return found


def test_djangos_own_mail_leaves_through_the_queue(queue, queued):
    assert mail.send_mail("Hello", "Ada", "shop@example.com", ["ada@example.com"], html_message="<p>Ada</p>") == 1
    assert mail.send_mail("Nobody", "", None, []) == 0
    assert queue == []
    ((name, arguments),) = queued
    assert name == "emails"
    for _ in range(2):
        send_queued_email.func(*arguments)
    first, second = queue
    assert (first.subject, first.to, first.alternatives[0].content) == ("Hello", ["ada@example.com"], "<p>Ada</p>")
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]


@pytest.mark.django_db(transaction=True)
def test_the_queue_is_part_of_the_transaction(queue):
    pytest.importorskip("django_tasks_db")
    from fashionistar_common.testing import run_tasks

    with pytest.raises(RuntimeError), transaction.atomic():
        mail.send_mail("Never", "", None, ["ada@example.com"])
        raise RuntimeError
    mail.send_mail("Hello", "", None, ["ada@example.com"])
    run_tasks()
    assert [sent.subject for sent in queue] == ["Hello"]


def test_none_of_several_messages_is_queued_when_one_cannot_be(queue, queued, settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "MAIL_QUEUE_BYTES": 1000}
    small, large = (EmailMessage(body="x" * size, to=["ada@example.com"]) for size in (1, 1000))
    with pytest.raises(MailTooLargeError):
        mail_backend().send_messages([small, large])
    assert queued == []


def mail_backend():
    return mail.mailers.default if django.VERSION >= (6, 1) else mail.get_connection()


def test_behind_the_queue_is_what_really_sends(queue):
    assert isinstance(mail_backend(), QueuedEmailBackend)
    assert type(mail_connection()).__module__ == "django.core.mail.backends.locmem"


@pytest.mark.skipif(django.VERSION < (6, 1), reason="needs MAILERS")
@pytest.mark.parametrize(("mailer", "why"), [("loop", "through itself"), ("nowhere", "need a mailer")])
def test_a_queue_that_leads_nowhere_is_an_error(queue, mailer, why):
    with pytest.raises(ImproperlyConfigured, match=why):
        mail_connection(mailer)
