"""One message for each kind, key and address, in the language and by the channels that its reader wants."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone
from fashionistar_common.models import NotificationDelivery, NotificationPreference, PushSubscription
from fashionistar_common.notifications import (
    Category,
    Channel,
    NotificationKind,
    Recipient,
    erase_notifications,
    kinds,
    notify,
    providers,
    sending,
)
from fashionistar_common.notifications.preferences import Preference, set_preferences
from fashionistar_common.notifications.providers import PermanentDeliveryError
from fashionistar_common.notifications.providers.email import EmailProvider
from fashionistar_common.notifications.sending import DeliveryInProgressError, deliver, send_again
from fashionistar_common.testing import send_notifications

pytestmark = pytest.mark.django_db(transaction=True)

ADA = Recipient(user_id="ada", email="ada@example.com", phone="+2348012345678")
TEMPLATES = {
    "hello.html": "{% load i18n %}{% partialdef subject %}Hello\n {{ name }}{% endpartialdef %}"
    "{% partialdef text %}Dear {{ name }}, {% translate 'Yes' %}{% endpartialdef %}"
    "{% partialdef html %}<p>{{ name }}</p>{% endpartialdef %}{% partialdef sms %}Hi {{ name }}{% endpartialdef %}",
    "fr/hello.html": "{% partialdef subject %}Bonjour {{ name }}{% endpartialdef %}",
    "plain.html": "{% partialdef subject %}S{% endpartialdef %}{% partialdef text %}T{% endpartialdef %}",
}


class Carrier:
    """A provider in memory, which does what a test tells it to."""

    sent: list = []
    faults: list = []

    def send(self, message):
        if self.faults and (fault := self.faults.pop(0)):
            raise fault
        self.sent.append(message)
        return f"carrier-{len(self.sent)}"


EMAIL = "fashionistar_common.notifications.providers.email.EmailProvider"
CARRIER = "tests.Carrier"


@pytest.fixture(autouse=True)
def project(settings, tmp_path, monkeypatch):
    for name, text in TEMPLATES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    engine = {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path], "APP_DIRS": True}
    settings.TEMPLATES = [engine]
    carriers = {EMAIL: EmailProvider, CARRIER: Carrier}
    monkeypatch.setattr(providers, "import_string", carriers.__getitem__)
    providers._made.cache_clear()
    settings.FASHIONISTAR_COMMON = {
        "NOTIFICATION_PROVIDERS": {"email": {"BACKEND": EMAIL}, "sms": {"BACKEND": CARRIER}},
        "MAIL_DOMAIN": "shop.example",
    }
    before = dict(kinds)
    Carrier.sent, Carrier.faults = [], []
    yield carriers
    kinds.clear()
    kinds.update(before)
    providers._made.cache_clear()


@pytest.fixture
def waiting(monkeypatch):
    """Messages wait until `send_notifications()`, whatever the task backend."""
    queued = []
    monkeypatch.setattr(sending.send_notification.__class__, "enqueue", lambda task, *args: queued.append(args))
    return queued


def kind(name="shop.hello", **options):
    return NotificationKind(
        **{
            "name": name,
            "category": Category.TRANSACTIONAL,
            "channels": (Channel.EMAIL,),
            "template": "hello.html",
            "description": "",
        }
        | options
    )


def only():
    return NotificationDelivery.objects.get()


def test_a_message_has_text_html_and_one_line_of_subject(waiting):
    assert notify(kind(), to=ADA, key="k", context={"name": "Ada & <Bo>"}) == 1
    assert mail.outbox == []
    assert send_notifications() == 1
    (sent,) = mail.outbox
    assert (sent.subject, sent.body) == ("Hello Ada & <Bo>", "Dear Ada & <Bo>, Yes")
    assert "<p>Ada &amp; &lt;Bo&gt;</p>" in sent.alternatives[0][0]
    assert "<title>Hello Ada &amp; &lt;Bo&gt;</title>" in sent.alternatives[0][0]
    assert sent.extra_headers["Message-ID"].endswith("@shop.example>")


@pytest.mark.parametrize("breaks", ["\r\n", "\n", "\x85", "\u2028", "\x1c", "\0"])
def test_no_name_makes_a_header(waiting, breaks):
    stored = kind(context=lambda context: {"name": f"Ada{breaks}Bcc: all@example.com"})
    notify(stored, to=ADA, key="k")
    send_notifications()
    assert mail.outbox[0].subject == "Hello Ada Bcc: all@example.com"
    assert mail.outbox[0].message()["Bcc"] is None


def test_a_subject_keeps_what_belongs_together(waiting):
    notify(kind(), to=ADA, key="k", context={"name": "👩‍👩‍👧 नमस्ते"})
    send_notifications()
    assert mail.outbox[0].subject == "Hello 👩‍👩‍👧 नमस्ते"


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("ada@example.com\nBcc: all@example.com", "a***@example.com"),
        ("ada@example.com\0", "a***@example.com\\x00"),
        ("ada@exam\ud800ple.com", "a***@exam\\ud800ple.com"),
        ("call me", "***"),
        ("a@" + "x" * 400 + ".com", "a***@" + "x" * 315),
    ],
    ids=["a header", "NUL", "half a pair", "no address", "endless"],
)
def test_what_is_no_address_is_noted_and_not_written_to(waiting, address, mask):
    notify(kind(), to=Recipient(email=address), key="k", context={"name": "Ada"})
    assert send_notifications() == 0
    assert (only().status, only().reason, only().context) == ("failed", "not a valid address", {})
    assert only().address == mask


def test_a_message_is_sent_once_for_a_kind_key_and_address(waiting):
    hello, other = kind(), kind("shop.other")
    for recipient in (ADA, ADA, Recipient(email="ADA@example.com"), Recipient(email="bo@example.com")):
        notify(hello, to=recipient, key="k", context={"name": "Ada"})
    notify(hello, to=ADA, key="another", context={"name": "Ada"})
    notify(other, to=ADA, key="k", context={"name": "Ada"})
    assert send_notifications() == 4
    assert len({sent.extra_headers["Message-ID"] for sent in mail.outbox}) == 4


def at_once(call, times):
    barrier = Barrier(times)

    def one(_):
        barrier.wait(20)
        try:
            return call()
        except DeliveryInProgressError as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as executor:
        return list(executor.map(one, range(times)))


@pytest.mark.postgresql
def test_twenty_calls_at_once_are_one_message():
    hello = kind()
    assert sorted(at_once(lambda: notify(hello, to=ADA, key="k", context={"name": "Ada"}), 20)) == [0] * 19 + [1]
    if only().status == "pending":  # a worker would be next
        send_notifications()
    assert len(mail.outbox) == 1


@pytest.mark.postgresql
def test_of_workers_at_once_one_sends(waiting):
    notify(kind(), to=ADA, key="k", context={"name": "Ada"})
    delivery_id = str(only().public_id)
    results = at_once(lambda: deliver(delivery_id), 8)
    assert len(mail.outbox) == 1
    assert {type(result) for result in results} <= {type(None), DeliveryInProgressError}


def test_it_is_part_of_the_callers_transaction():
    with pytest.raises(RuntimeError), transaction.atomic():
        notify(kind(), to=ADA, key="k", context={"name": "Ada"})
        raise RuntimeError
    assert not NotificationDelivery.objects.exists()
    assert mail.outbox == []


def test_nothing_is_sent_inside_a_transaction(waiting):
    notify(kind(), to=ADA, key="k", context={"name": "Ada"})
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        deliver(str(only().public_id))
    assert mail.outbox == []


def test_with_the_immediate_backend_it_is_sent_after_the_commit(settings):
    backend = "django.tasks.backends.immediate.ImmediateBackend"
    settings.TASKS = {"default": {"BACKEND": backend, "QUEUES": ["critical", "emails", "default", "analytics"]}}
    with transaction.atomic():
        notify(kind(urgent=True), to=ADA, key="k", context={"name": "Ada"})
        assert mail.outbox == []
    assert len(mail.outbox) == 1


def test_a_worker_that_dies_before_it_notes_so_sends_the_same_message_again(waiting, monkeypatch):
    """At least once, and a double is the same message to its reader."""
    notify(kind(), to=ADA, key="k", context={"name": "Ada"})
    delivery_id = str(only().public_id)
    with monkeypatch.context() as dying:
        dying.setattr(sending, "_record", lambda *args, **kwargs: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(delivery_id)
    with pytest.raises(DeliveryInProgressError):  # the claim of the dead stands until its task is run again
        deliver(delivery_id)
    NotificationDelivery.objects.update(claimed_until=timezone.now())
    deliver(delivery_id)
    deliver(delivery_id)
    first, second = mail.outbox
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]
    assert (only().status, only().attempts) == ("sent", 2)


@pytest.mark.postgresql
def test_a_claim_is_committed_before_the_provider_is_called(waiting, project):
    """So that no lock is held, and no connection kept, while a mail server thinks."""
    called, go_on = Event(), Event()

    class Slow:
        def send(self, message):
            called.set()
            go_on.wait(20)
            return ""

    project[CARRIER] = Slow
    notify(kind(channels=(Channel.SMS,)), to=ADA, key="slow", context={"name": "Ada"})
    delivery_id = str(only().public_id)
    with ThreadPoolExecutor(1) as executor:
        sent = executor.submit(lambda: (deliver(delivery_id), connections.close_all()))
        assert called.wait(20)
        assert only().attempts == 1
        with transaction.atomic():
            assert NotificationDelivery.objects.select_for_update(nowait=True).count() == 1
        go_on.set()
        sent.result(20)
    assert only().status == "sent"


def test_a_provider_that_fails_is_tried_again_and_in_the_end_given_up(waiting):
    notify(kind(channels=(Channel.SMS,)), to=ADA, key="k", context={"name": "Ada"})
    delivery_id = str(only().public_id)
    Carrier.faults = [ConnectionError("no \x00 route")] * sending.MAX_ATTEMPTS
    for attempt in range(1, sending.MAX_ATTEMPTS + 1):
        with pytest.raises(ConnectionError):
            deliver(delivery_id)
        row = only()
        assert (row.attempts, row.reason) == (attempt, r"ConnectionError: no \x00 route")
        assert row.status == ("failed" if attempt == sending.MAX_ATTEMPTS else "pending")
    assert send_again(NotificationDelivery.objects.all()) == 1
    assert waiting[-1] == (delivery_id,)
    deliver(delivery_id)
    row = only()
    assert (row.status, row.reason, row.provider_id, row.attempts) == ("sent", "", "carrier-1", 1)
    assert send_again(NotificationDelivery.objects.all()) == 0


def test_a_bad_address_is_not_tried_again(waiting, caplog):
    notify(kind(channels=(Channel.SMS,)), to=ADA, key="k", context={"name": "Ada"})
    Carrier.faults = [PermanentDeliveryError("opted out")]
    with caplog.at_level(logging.WARNING):
        send_notifications()
    assert (only().status, only().reason) == ("failed", "opted out")
    assert "+234" not in caplog.text


def test_what_was_sent_keeps_no_address_and_no_context(waiting):
    notify(kind(channels=(Channel.EMAIL, Channel.SMS)), to=ADA, key="k", context={"name": "Ada"})
    assert send_notifications() == 2
    rows = NotificationDelivery.objects.order_by("pk")
    assert [(row.address, row.context) for row in rows] == [("a***@example.com", {}), ("***678", {})]
    assert Carrier.sent[0].text == "Hi Ada"


def test_a_kind_loads_its_context_when_it_is_sent_or_calls_it_off(waiting):
    secrets = {"code": "123456"}
    loads = kind(context=lambda stored: {"name": secrets.get(stored["id"])} if stored["id"] in secrets else None)
    notify(loads, to=ADA, key="k", context={"id": "code"})
    assert "123456" not in json.dumps(list(NotificationDelivery.objects.values()), default=str)
    send_notifications()
    assert mail.outbox[0].subject == "Hello 123456"
    notify(loads, to=ADA, key="gone", context={"id": "other"})
    send_notifications()
    row = NotificationDelivery.objects.get(key="gone")
    assert (row.status, row.reason) == ("suppressed", "no longer worth sending")


@pytest.mark.parametrize(
    ("locale", "subject", "text"),
    [
        ("fr", "Bonjour Ada", "Dear Ada, Oui"),
        ("fr-ca", "Bonjour Ada", "Dear Ada, Oui"),
        ("de", "Hello Ada", "Dear Ada, Ja"),
        ("", "Hello Ada", "Dear Ada, Yes"),
        ("tlh", "Hello Ada", "Dear Ada, Yes"),
        ("../../fr", "Hello Ada", "Dear Ada, Yes"),
    ],
)
def test_a_message_is_in_its_readers_language_as_far_as_there_is_one(waiting, locale, subject, text):
    notify(kind(), to=Recipient(email="ada@example.com", locale=locale), key="k", context={"name": "Ada"})
    send_notifications()
    assert (mail.outbox[0].subject, mail.outbox[0].body) == (subject, text)


def test_mail_without_html_is_plain(waiting):
    notify(kind(template="plain.html"), to=ADA, key="k")
    send_notifications()
    assert (mail.outbox[0].body, mail.outbox[0].alternatives) == ("T", [])


@pytest.mark.parametrize(
    ("category", "choice", "user_id", "status"),
    [
        (Category.TRANSACTIONAL, None, "", "pending"),
        (Category.UPDATES, None, "ada", "pending"),
        (Category.UPDATES, False, "ada", "suppressed"),
        (Category.UPDATES, None, "", "suppressed"),
        (Category.MARKETING, None, "ada", "suppressed"),
        (Category.MARKETING, True, "ada", "pending"),
        (Category.MARKETING, True, "bo", "suppressed"),
    ],
)
def test_what_somebody_switched_off_is_not_sent(waiting, category, choice, user_id, status):
    if choice is not None:
        set_preferences("ada", [Preference(category=category, channel=Channel.EMAIL, enabled=choice)])
    notify(kind(category=category), to=Recipient(user_id=user_id, email="ada@example.com"), key="k")
    assert only().status == status
    assert (only().address == "ada@example.com") is (status == "pending")


@pytest.mark.parametrize("browsers", [1, 9])
def test_the_queries_are_as_many_for_many_addresses_as_for_one(waiting, settings, browsers, django_assert_num_queries):
    settings.FASHIONISTAR_COMMON = {"NOTIFICATION_PROVIDERS": {channel: {} for channel in Channel.values}}
    for number in range(browsers):
        PushSubscription.objects.create(user_id="ada", endpoint_hash=str(number))
    every = kind(channels=tuple(Channel), category=Category.UPDATES)
    with transaction.atomic(), django_assert_num_queries(6):  # two are the savepoint's; two ask, one writes, one reads
        assert notify(every, to=ADA, key="k") == 2 + browsers


def test_a_channel_without_a_provider_or_an_address_is_left_out(waiting, settings):
    every = kind(channels=tuple(Channel))
    assert notify(every, to=Recipient(user_id="ada"), key="k") == 0
    settings.FASHIONISTAR_COMMON = {"NOTIFICATION_PROVIDERS": {}}
    assert notify(every, to=ADA, key="k") == 0
    assert not NotificationDelivery.objects.exists()


def test_mistakes_are_found_where_they_are_made():
    with pytest.raises(TypeError):
        notify(kind(), to=ADA, key="k", context={"order": object()})
    with pytest.raises(ValueError, match="1 to 200"):
        notify(kinds["shop.hello"], to=ADA, key="")
    with pytest.raises(ValueError, match="already"):
        kind()
    with pytest.raises(ValueError, match=r"app\.what"):
        kind("hello")


def test_the_log_is_forgotten_in_time_and_on_request(waiting, capsys):
    for recipient in (ADA, Recipient(user_id="bo", email="bo@example.com")):
        notify(kinds.get("shop.hello") or kind(), to=recipient, key="k")
        set_preferences(recipient.user_id, [])
        PushSubscription.objects.create(user_id=recipient.user_id, endpoint_hash=recipient.user_id)
    erase_notifications("ada")
    with pytest.raises(ValueError, match="Whose"):
        erase_notifications("")
    for table in (NotificationDelivery, NotificationPreference, PushSubscription):
        assert set(table.objects.values_list("user_id", flat=True)) == {"bo"}, table

    NotificationDelivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    call_command("purge_notifications", "--dry-run")
    assert NotificationDelivery.objects.count() == 1
    call_command("purge_notifications")
    assert NotificationDelivery.objects.count() == 0
    assert capsys.readouterr().out.split("\n")[:2] == ["1 messages would be deleted.", "1 messages deleted."]
