"""Every page of the admin, of every app, for those who may and those who may not."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from fashionistar_auth.models import User
from fashionistar_auth.services import login, refresh, register_user
from fashionistar_auth.testing import PASSWORD, make_user
from fashionistar_catalog.testing import make_category, make_product
from fashionistar_common.models import (
    DeadTask,
    IdempotencyRecord,
    NotificationPreference,
    PeriodicTask,
    PushSubscription,
    TaskKey,
)
from fashionistar_common.testing import deliver_events
from fashionistar_common.types import Actor, Role
from fashionistar_orders.testing import make_cart, make_order
from fashionistar_payments.services import create_payment, receive_webhook
from fashionistar_payments.testing import signed_webhook

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = sorted(site._registry, key=lambda model: model._meta.label)
#: What is written by services, events, gateways and tasks, and only looked at here; the rest is Django's.
ADDED_HERE = {"auth.Group", "fashionistar_auth.User"} | {
    f"fashionistar_catalog.{name}" for name in ("Category", "Product", "ProductImage", "Vendor")
}


def fill(number: int) -> None:
    """One more row of everything, made as the shop makes it."""
    email = f"client{number}@example.com"
    register_user(email=email, password=PASSWORD)
    User.objects.filter(email=email).update(email_verified_at="2026-01-01T00:00:00Z")
    refresh(refresh=login(email=email, password=PASSWORD).refresh)
    sku, customer = f"SKU-A-{number}", f"customer-{number}"
    make_product(sku=sku, images=1, category=make_category())
    order = make_order({sku: 1}, customer_id=customer)
    make_cart({sku: 1}, customer_id=customer)
    payment = create_payment(order_number=order.number, actor=Actor(id=customer, role=Role.CLIENT))
    body, headers = signed_webhook(payment)
    receive_webhook(provider="dummy", body=body, headers=headers)
    deliver_events()
    IdempotencyRecord.objects.create(scope="x", key=str(number), fingerprint="")
    NotificationPreference.objects.create(user_id=customer, category="updates", channel="email", enabled=False)
    PushSubscription.objects.create(user_id=customer, endpoint_hash=customer)
    DeadTask.objects.create(task_id=str(number), task="shop.tasks.iron", backend="default", attempts=1, queue_name="x")
    PeriodicTask.objects.create(task=f"shop.tasks.iron_{number}", schedule="0 0 * * *", next_run_at=timezone.now())
    TaskKey.objects.create(task="shop.tasks.iron", key=str(number), backend="default")
    Group.objects.create(name=str(number))


@pytest.fixture
def shop() -> None:
    for number in range(2):
        fill(number)


def page(model: type[Model], kind: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}", args=args)


def of_superuser() -> Client:
    client = Client()
    client.force_login(make_user(role=Role.STAFF, is_staff=True, is_superuser=True))
    return client


def test_every_page_of_every_model_opens(shop: None) -> None:
    client = of_superuser()
    assert client.get(reverse("admin:index")).status_code == 200
    for model in MODELS:
        rows = model._default_manager.all()
        assert rows.count() >= 2, f"fill() makes no {model._meta.label}"
        search = {"q": "a"} if site.get_model_admin(model).search_fields else {}
        assert client.get(page(model, "changelist"), search).status_code == 200, model
        row = rows[0]
        for kind in ("change", "history"):
            assert client.get(page(model, kind, row.pk)).status_code == 200, (model, kind)
        assert client.get(page(model, "add")).status_code == (200 if model._meta.label in ADDED_HERE else 403), model


def test_every_list_costs_the_same_for_many_rows(shop: None) -> None:
    client = of_superuser()

    def queries(model: type[Model]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page(model, "changelist")).status_code == 200
        return len(captured)

    for model in MODELS:
        queries(model)  # fills the cache of content types
    few = {model: queries(model) for model in MODELS}
    for number in range(2, 20):
        fill(number)
    assert {model: queries(model) for model in MODELS} == few


def test_without_a_right_no_page_opens_and_no_action_runs(shop: None) -> None:
    client = Client()
    client.force_login(make_user(role=Role.STAFF, is_staff=True))
    for model in MODELS:
        row = model._default_manager.all()[0]
        actions = [name for name in site.get_model_admin(model).actions if isinstance(name, str)]
        for address in (page(model, "changelist"), page(model, "add"), page(model, "change", row.pk)):
            assert client.get(address).status_code == 403, address
        for action in [*actions, "delete_selected"]:
            body = {"action": action, "_selected_action": [row.pk]}
            assert client.post(page(model, "changelist"), body).status_code == 403, (model, action)


@pytest.mark.parametrize("who", [None, Role.CLIENT, Role.VENDOR])
def test_who_is_not_staff_is_sent_to_the_login(who: Role | None) -> None:
    client = Client()
    if who:
        client.force_login(make_user(role=who))
    for model in MODELS:
        assert client.get(page(model, "changelist")).status_code == 302


def test_nobody_edits_what_only_services_write(shop: None) -> None:
    client = of_superuser()
    for model in MODELS:
        admin, row = site.get_model_admin(model), model._default_manager.all()[0]
        request = client.get("/admin/").wsgi_request
        if admin.has_change_permission(request, row):
            continue
        assert client.post(page(model, "change", row.pk), {"status": "paid"}).status_code == 403, model
