"""What the apps write into the audit log, each in the transaction of what it tells."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from fashionistar_auth.models import User
from fashionistar_auth.testing import make_user, tokens_for
from fashionistar_catalog.models import Variant
from fashionistar_catalog.testing import make_product
from fashionistar_common import audit
from fashionistar_common.models import AuditEntry
from fashionistar_common.testing import deliver_events
from fashionistar_common.types import Role

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = {"name": "Ada", "line1": "12 Marina Road", "city": "Lagos", "country": "NG"}


def told():
    return list(AuditEntry.objects.order_by("id").values_list("action", "object_id", "actor_role"))


@pytest.fixture
def buyer(client):
    user = make_user()
    client.defaults |= {
        "HTTP_AUTHORIZATION": f"Bearer {tokens_for(user).access}",
        "HTTP_USER_AGENT": "Loom/1.0",
        "REMOTE_ADDR": "198.51.100.9",
        "HTTP_X_REQUEST_ID": "the-request",
    }
    client.user_id = str(user.public_id)
    return client


def post(client, path, body):
    response = client.post(path, body, content_type="application/json")
    assert response.status_code < 300, response.content
    return response.json()


def test_an_order_from_cart_to_refusal_leaves_its_trail(buyer):
    sku = make_product().variants.get().sku
    post(buyer, "/api/v1/orders/cart/lines", {"sku": sku, "quantity": 1})
    before = len(told())
    order = post(buyer, "/api/v1/orders", {"shipping_address": ADDRESS, "email": "ada@example.com"})
    number = order["number"]
    payment = post(buyer, "/api/v1/payments", {"order_number": number})
    post(buyer, f"/api/v1/orders/{number}/cancel", {})
    deliver_events()
    assert told()[before:] == [
        ("orders.order_placed", number, "client"),
        ("payments.payment_created", payment["id"], "client"),
        ("orders.order_cancelled", number, "client"),
        ("payments.payment_cancelled", payment["id"], "client"),  # in a handler, for whoever cancelled the order
    ]
    placed = AuditEntry.objects.get(action="orders.order_placed")
    assert (placed.actor_id, placed.ip, placed.browser) == (buyer.user_id, "198.51.100.9", "Loom/1.0")
    assert set(AuditEntry.objects.order_by("id").values_list("request_id", flat=True)[before:]) == {"the-request"}
    call_command("relay_events", "--once")
    assert audit.verify().findings == []
    assert not AuditEntry.objects.filter(sequence=None).exists()


def test_a_price_and_a_stock_that_staff_change_in_the_admin_are_told_with_who_did_it():
    variant = make_product(stock=5).variants.get()
    staff = User.objects.create_superuser(email="root@example.com", password="long enough 1")
    client = Client()
    client.force_login(staff)
    before = len(told())
    form = {
        "title": variant.title, "options": "{}", "price_minor": variant.price_minor + 5, "compare_at_minor": "",
        "barcode": "", "position": 0, "is_active": "on", "stock_change": -1, "stock_note": "torn",
    }  # fmt: skip
    assert client.post(reverse("admin:fashionistar_catalog_variant_change", args=[variant.pk]), form).status_code == 302
    assert told()[before:] == [
        ("catalog.price_changed", variant.sku, "staff"),
        ("catalog.stock_adjusted", variant.sku, "staff"),
    ]
    price, stock = AuditEntry.objects.order_by("id")[before:]
    assert price.actor_id == stock.actor_id == str(staff.public_id)
    assert price.changes == {"price_minor": [variant.price_minor, variant.price_minor + 5]}
    assert stock.changes == {"stock": [5, 4], "reference": [None, "torn"]}
    assert Variant.objects.get().stock == 4


def test_a_registration_is_told_without_its_secrets(client):
    account = {"email": "eve@example.com", "password": "a good long pass phrase"}
    post(client, "/api/v1/auth/register", account)
    user = User.objects.get()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_id) == ("auth.user_registered", str(user.public_id))
    assert entry.actor_role == Role.CLIENT
    assert account["password"] not in str(vars(entry))
    assert account["email"] not in str(vars(entry))
