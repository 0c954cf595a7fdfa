"""The admin: every page opens, in as many queries for many rows as for one, and nothing is edited past a service."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from fashionistar_auth.testing import make_user
from fashionistar_common.types import Role
from fashionistar_orders import services
from fashionistar_orders.models import Cart, CartLine, Order, OrderLine, VendorOrder
from fashionistar_orders.testing import FakeCatalog, make_cart, make_client, make_order

pytestmark = pytest.mark.django_db

MODELS = [Cart, CartLine, Order, OrderLine, VendorOrder]


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(role=Role.STAFF, is_staff=True, is_superuser=True))
    return client


def list_of(model: Any) -> str:
    return reverse(f"admin:fashionistar_orders_{model._meta.model_name}_changelist")


def page_of(row: Any) -> str:
    return reverse(f"admin:fashionistar_orders_{row._meta.model_name}_change", args=[row.pk])


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("model", MODELS)
def test_lists_cost_the_same_for_one_row_and_for_many(staff: Client, shop: FakeCatalog, model: Any) -> None:
    shop.offer("DRESS", available=1000)
    shop.offer("BELT", available=1000, vendor="bonwire-loom")
    make_order({"DRESS": 1})
    make_cart({"DRESS": 1}, customer_id="bob")
    queries(staff, list_of(model))  # fills the caches of content types and permissions
    few = queries(staff, list_of(model))
    for number in range(10):
        make_order({"DRESS": 1, "BELT": 1})
        make_cart({"DRESS": 1}, customer_id=f"client-{number}")
    assert queries(staff, list_of(model)) == few


@pytest.mark.parametrize("model", MODELS)
def test_a_row_opens_and_nothing_in_it_can_be_edited(staff: Client, shop: FakeCatalog, model: Any) -> None:
    shop.offer("DRESS")
    make_order({"DRESS": 1})
    make_cart({"DRESS": 1})
    row = model.objects.first()
    page = staff.get(page_of(row))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert staff.post(page_of(row), {}).status_code == 403
    add = reverse(f"admin:fashionistar_orders_{model._meta.model_name}_add")
    assert staff.get(add).status_code == 403


def test_an_order_page_costs_the_same_for_one_vendor_and_for_many(staff: Client, shop: FakeCatalog) -> None:
    for number in range(10):
        shop.offer(f"SKU-{number}", vendor=f"vendor-{number}")
        shop.offer(f"OWN-{number}", vendor="vendor-0")
    small = make_order({"SKU-0": 1})
    large = make_order({f"SKU-{n}": 1 for n in range(10)} | {f"OWN-{n}": 1 for n in range(10)})
    parts = [order.vendor_orders.first() for order in (small, large)]
    for page in (page_of(small), page_of(parts[0])):
        queries(staff, page)  # fills the cache of content types
    assert queries(staff, page_of(small)) == queries(staff, page_of(large))
    assert queries(staff, page_of(parts[0])) == queries(staff, page_of(parts[1]))


def cancel(client: Client, *orders: Order) -> str:
    body = {"action": "cancel", "_selected_action": [order.pk for order in orders]}
    return client.post(list_of(Order), body, follow=True).content.decode()


def test_cancelling_goes_through_the_service(staff: Client, shop: FakeCatalog) -> None:
    shop.offer("DRESS", available=5)
    placed, paid = make_order({"DRESS": 2}), make_order({"DRESS": 1})
    services.mark_order_paid(paid.number, amount=paid.total, payment_id="pay-1")
    page = cancel(staff, placed, paid)
    assert "1 order is cancelled." in page
    assert f"Order {paid.number} is paid and can no longer be cancelled." in page
    placed.refresh_from_db()
    assert (placed.status, placed.cancellation_reason, shop.stock("DRESS")) == ("cancelled", "staff", 4)


def test_who_may_only_look_may_not_cancel(shop: FakeCatalog) -> None:
    from django.contrib.auth.models import Permission

    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    user = make_user(role=Role.STAFF, is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_order"))
    client = Client()
    client.force_login(user)
    assert "Cancel the selected" not in client.get(list_of(Order)).content.decode()
    cancel(client, order)
    order.refresh_from_db()
    assert order.status == "placed"


def test_what_was_paid_after_it_was_cancelled_is_found(staff: Client, shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    due, cancelled, paid = (make_order({"DRESS": 1}) for _ in range(3))
    for order in (due, cancelled):
        services.cancel_order(order.number, actor=make_client())
    for order in (due, paid):
        services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")
    page = staff.get(list_of(Order), {"refund": "due"}).content.decode()
    assert [order.number in page for order in (due, cancelled, paid)] == [True, False, False]
