"""What those who look after a site see: checks, the admin, figures, a preview."""

from datetime import timedelta

import django
import pytest
from django.apps import apps
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.checks import Error
from django.core.management import CommandError, call_command
from django.utils import timezone
from fashionistar_common.checks.notifications import check_notifications
from fashionistar_common.models import NotificationDelivery
from fashionistar_common.notifications import Category, Channel, NotificationKind, kinds, readings, sending
from fashionistar_common.production import messages as items

EMAIL = "fashionistar_common.notifications.providers.email.EmailProvider"
QUEUE = "fashionistar_common.mail.QueuedEmailBackend"


def found():
    return [message.id.removeprefix("fashionistar_common.") for message in check_notifications()]


@pytest.fixture(autouse=True)
def project(settings, tmp_path, monkeypatch):
    (tmp_path / "whole.html").write_text(
        "{% partialdef subject %}S{% endpartialdef %}{% partialdef text %}T{% endpartialdef %}"
    )
    (tmp_path / "broken.html").write_text("{% partialdef subject %}")
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [str(tmp_path)], "APP_DIRS": True}
    ]
    before = dict(kinds)
    kinds.clear()
    yield
    kinds.clear()
    kinds.update(before)


def kind(**options):
    return NotificationKind(
        **{
            "name": "shop.hello",
            "category": Category.TRANSACTIONAL,
            "channels": (Channel.EMAIL,),
            "template": "whole.html",
            "description": "",
        }
        | options
    )


def test_a_good_project_is_not_reported(settings):
    kind()
    assert found() == []


PROVIDERS = {
    "a channel that is none": {"fax": {"BACKEND": EMAIL}},
    "no backend": {"email": {}},
    "a key too many": {"email": {"BACKEND": EMAIL, "OPTION": {}}},
    "a path that leads nowhere": {"email": {"BACKEND": "fashionistar_nowhere.Provider"}},
    "an unknown option": {"email": {"BACKEND": EMAIL, "OPTIONS": {"colour": "red"}}},
}


@pytest.mark.parametrize("providers", PROVIDERS.values(), ids=PROVIDERS)
def test_a_provider_that_cannot_be_made_is_reported(settings, providers):
    settings.FASHIONISTAR_COMMON = {"NOTIFICATION_PROVIDERS": providers}
    assert found() == ["E070"]


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example", "https://shop.example/?a=1", "https://"])
def test_an_address_of_the_site_that_is_none_is_reported(settings, url):
    settings.FASHIONISTAR_COMMON = {"PUBLIC_URL": url}
    assert found() == ["E071"]


def test_a_site_without_the_page_to_unsubscribe_is_reported(settings):
    settings.ROOT_URLCONF = "fashionistar_common.api.v1.urls"
    settings.FASHIONISTAR_COMMON = {"PUBLIC_URL": "https://shop.example"}
    assert found() == ["E071"]


def test_a_queue_of_mail_that_leads_nowhere_is_reported(settings):
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": QUEUE, "OPTIONS": {"mailer": "default"}}}
    else:
        settings.EMAIL_BACKEND = QUEUE
        settings.FASHIONISTAR_COMMON = {"MAIL_BACKEND": QUEUE}
    assert found() == ["E072"]


@pytest.mark.skipif(django.VERSION < (6, 1), reason="needs MAILERS")
def test_a_mailer_that_is_not_there_is_reported(settings):
    settings.MAILERS = {"default": {"BACKEND": QUEUE, "OPTIONS": {"mailer": "smtp"}}}
    assert found() == ["E072"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"template": "nowhere.html"}, 2),
        ({"template": "broken.html"}, 2),
        ({"channels": (Channel.EMAIL, Channel.SMS, Channel.WEBPUSH)}, 2),
    ],
)
def test_a_template_that_lacks_a_partial_is_reported(options, count):
    kind(**options)
    assert found() == ["E073"] * count


def test_mail_without_a_way_to_refuse_it_is_warned_of(settings):
    kind(category=Category.MARKETING)
    assert found() == ["W070"]
    settings.FASHIONISTAR_COMMON = {"PUBLIC_URL": "https://shop.example"}
    assert not [message for message in check_notifications() if not isinstance(message, Error)]


@pytest.mark.django_db(transaction=True)
def test_the_admin_shows_no_address_and_sends_again_what_was_not_sent(rf, monkeypatch):
    if not apps.is_installed("django.contrib.admin"):
        pytest.skip("the admin is not installed here")
    from django.contrib.admin import site
    from fashionistar_common.admin.notifications import NotificationDeliveryAdmin

    queued = []

    def keep(ids, *, urgent):
        queued.extend(ids)

    monkeypatch.setattr(sending, "enqueue", keep)
    rows = {
        status: NotificationDelivery.objects.create(
            kind="shop.hello",
            key=status,
            channel="email",
            address="ada@example.com" if status in {"pending", "failed"} else "a***@example.com",
            address_hash="x",
            locale="en",
            status=status,
        )
        for status in NotificationDelivery.Status.values
    }
    admin = NotificationDeliveryAdmin(NotificationDelivery, site)
    assert {admin.masked_address(row) for row in rows.values()} == {"a***@example.com"}
    request = rf.get("/")
    request.session = {}
    request._messages = FallbackStorage(request)
    admin.send_again(request, NotificationDelivery.objects.all())
    assert set(queued) == {str(rows[status].public_id) for status in ("pending", "failed")}
    assert [str(message) for message in request._messages] == ["2 messages will be sent again."]


@pytest.mark.django_db(transaction=True)
def test_what_waits_and_what_has_failed_is_counted_by_channel(django_assert_num_queries):
    for number, (channel, status) in enumerate(
        [("email", "pending"), ("email", "pending"), ("email", "failed"), ("sms", "failed"), ("sms", "sent")]
    ):
        NotificationDelivery.objects.create(key=str(number), channel=channel, status=status)
    NotificationDelivery.objects.filter(key="0").update(created_at=timezone.now() - timedelta(minutes=5))
    with django_assert_num_queries(1):
        read = {(found.name, found.labels["channel"]): found.value for found in readings.messages()}
    assert read.pop(("notification_lag_seconds", "email")) >= 300
    assert read == {
        ("notifications_pending", "email"): 2,
        ("notifications_failed", "email"): 1,
        ("notifications_failed", "sms"): 1,
    }


@pytest.mark.django_db(transaction=True)
def test_a_message_can_be_seen_before_it_is_sent(capsys):
    def load(stored):
        NotificationDelivery.objects.create(key="written while it is rendered")
        return None if "gone" in stored else stored

    kind(context=load)
    call_command("preview_notification", "shop.hello", context="{}")
    assert capsys.readouterr().out == "S\n\nT\n"
    for arguments, why in [
        (["shop.nothing"], "Known: shop.hello"),
        (["shop.hello", "--context", "{"], "no JSON"),
        (["shop.hello", "--context", '{"gone": 1}'], "called off"),
    ]:
        with pytest.raises(CommandError, match=why):
            call_command("preview_notification", *arguments)
    assert not NotificationDelivery.objects.exists()


def test_a_site_whose_messages_go_to_a_log_is_not_fit(settings):
    assert items.messages_carried().status == "pass"
    log = "fashionistar_common.notifications.providers.log.LogProvider"
    settings.FASHIONISTAR_COMMON = {"NOTIFICATION_PROVIDERS": {"email": {"BACKEND": EMAIL}, "sms": {"BACKEND": log}}}
    assert (items.messages_carried().status, items.messages_carried().reason) == (
        "fail",
        "what goes by sms is only logged",
    )


def test_a_site_whose_mail_cannot_be_refused_is_not_fit(settings):
    assert items.messages_refusable().status == "not applicable"
    kind(category=Category.UPDATES)
    settings.FASHIONISTAR_COMMON = {"PUBLIC_URL": "http://shop.example"}
    assert items.messages_refusable().status == "fail"
    settings.FASHIONISTAR_COMMON = {"PUBLIC_URL": "https://shop.example"}
    assert items.messages_refusable().status == "pass"


@pytest.mark.django_db
def test_a_site_whose_messages_wait_is_not_fit():
    row = NotificationDelivery.objects.create(key="k", channel="email")
    assert items.messages_leave().status == "pass"
    NotificationDelivery.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(minutes=16))
    assert items.messages_leave().reason == "1 have waited for more than 15 minutes"
