"""What an operator has: the admin, a command, a task."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from fashionistar_auth.models import User
from fashionistar_common.money import Money
from fashionistar_common.testing import run_tasks
from fashionistar_payments import services, tasks
from fashionistar_payments.models import Payment, WebhookEvent
from fashionistar_payments.testing import make_payment, signed_webhook

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept() -> tuple[Payment, WebhookEvent]:
    """A webhook that did not fit when it came, and fits now."""
    payment = make_payment()
    body, headers = signed_webhook(payment, amount=Money(1, "NGN"))
    services.receive_webhook(provider="dummy", body=body, headers=headers)
    Payment.objects.update(amount_minor=1)
    return payment, WebhookEvent.objects.get()


@pytest.fixture
def office() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("chief@shop.example", "correct horse battery staple"))
    return client


@pytest.mark.parametrize("model", [Payment, WebhookEvent])
def test_the_admin_shows_and_does_not_edit(office: Client, kept: tuple[Payment, WebhookEvent], model: Any) -> None:
    row = model.objects.get()
    name = f"admin:fashionistar_payments_{model._meta.model_name}"
    listing = office.get(reverse(f"{name}_changelist"), {"q": "e"})
    assert (listing.status_code, str(row) in listing.content.decode()) == (200, True)
    page = office.get(reverse(f"{name}_change", args=[row.pk]))
    assert (page.status_code, b'name="_save"' in page.content) == (200, False)
    assert office.get(reverse(f"{name}_add")).status_code == 403
    assert office.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_the_admin_does_not_show_what_opens_a_payment_page(office: Client) -> None:
    payment = make_payment(next_action={"type": "sdk", "url": "", "data": {"client_secret": "very-secret"}})
    page = office.get(reverse("admin:fashionistar_payments_payment_change", args=[payment.pk]))
    assert b"very-secret" not in page.content


def test_the_list_of_payments_costs_the_same_for_any_number(office: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(30):
        make_payment(order_number=f"FS-{number}")
    with django_assert_max_num_queries(9):
        assert office.get(reverse("admin:fashionistar_payments_payment_changelist")).status_code == 200


def replay(office: Client, event: WebhookEvent) -> str:
    response = office.post(
        reverse("admin:fashionistar_payments_webhookevent_changelist"),
        {"action": "replay", "_selected_action": [event.pk]},
        follow=True,
    )
    return str(response.content.decode())


def test_the_admin_replays(office: Client, kept: tuple[Payment, WebhookEvent]) -> None:
    payment, event = kept
    Payment.objects.update(amount_minor=2)
    page = replay(office, event)
    assert "reports NGN 0.01 for a payment of NGN 0.02" in page
    assert "0 events are processed." in page
    Payment.objects.update(amount_minor=1)
    assert "1 event is processed." in replay(office, event)
    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_a_replay_that_cannot_work_is_told_and_no_crash(office: Client, kept: tuple[Payment, WebhookEvent]) -> None:
    _, event = kept
    for provider, body, told in (("gone", event.body, "no payment provider"), ("dummy", "{", "cannot be understood")):
        WebhookEvent.objects.update(provider=provider, body=body)
        assert told in replay(office, event)


def test_replaying_needs_the_right_to_change() -> None:
    client, reader = Client(), User.objects.create_user("reader@shop.example", "correct horse battery staple")
    admin = site.get_model_admin(WebhookEvent)
    request = client.get("/").wsgi_request
    request.user = reader
    assert not admin.has_replay_permission(request)  # type: ignore[attr-defined]


def test_the_command_lists_then_replays(kept: tuple[Payment, WebhookEvent]) -> None:
    payment, event = kept
    output = StringIO()
    call_command("payments_replay_webhooks", dry_run=True, stdout=output)
    assert output.getvalue().startswith(f"dummy {event.event_id} payment_succeeded: amount_mismatch: dummy reports")
    assert output.getvalue().endswith("1 to process\n")
    event.refresh_from_db()
    assert event.attempts == 1

    output = StringIO()
    call_command("payments_replay_webhooks", stdout=output)
    assert output.getvalue() == "1 of 1 processed\n"
    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_the_command_fails_while_something_fails(kept: tuple[Payment, WebhookEvent]) -> None:
    Payment.objects.update(amount_minor=2)
    output, errors = StringIO(), StringIO()
    with pytest.raises(CommandError, match="1 still fail"):
        call_command("payments_replay_webhooks", stdout=output, stderr=errors)
    assert output.getvalue() == "0 of 1 processed\n"
    assert "for a payment of NGN 0.02" in errors.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_task_replays(kept: tuple[Payment, WebhookEvent]) -> None:
    tasks.replay_webhooks.enqueue()
    assert run_tasks() == 1
    kept[1].refresh_from_db()
    assert kept[1].processed_at is not None
