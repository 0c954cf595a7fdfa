"""A stranger becomes a customer with a paid order, and one mail says so."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core import mail
from django.test import AsyncClient, Client
from fashionistar_catalog.testing import make_product
from fashionistar_common.money import Money
from fashionistar_common.testing import deliver_events, published, run_tasks
from fashionistar_payments.models import Payment
from fashionistar_payments.testing import signed_webhook

EMAIL, PASSWORD = "ada@example.com", "a good long pass phrase"
ADDRESS = {"name": "Ada Obi", "line1": "12 Marina Road", "city": "Lagos", "country": "NG"}


class Shopper:
    """A browser that knows one version of the API."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.headers: dict[str, str] = {}

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send one request and return the answer's body; the status has to be the expected one."""
        client = Client() if self.version == "v1" else AsyncClient()
        call: Any = getattr(client, method.lower())
        if self.version == "v2":
            call = async_to_sync(call)
        content: dict[str, Any] = {}
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body)
            content = {"data": raw, "content_type": "application/json"}
        response = call(f"/api/{self.version}/{path}", headers={**self.headers, **(headers or {})}, **content)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.content!r}"
        return json.loads(response.content)


def settle_down() -> None:
    """Let everything happen that follows: events are delivered, tasks run, until nothing is left."""
    while deliver_events() + run_tasks():
        pass


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_first_sale(version: str) -> None:
    shop = Shopper(version)
    gown, shirt = (
        make_product(name="Aso-oke Wedding Gown", price="125000.00", stock=3),
        make_product(name="Linen Shirt", price="18500.00", stock=10),
    )

    # Register; the code comes by mail and opens the door.
    shop("POST", "auth/register", {"email": EMAIL, "password": PASSWORD}, status=201)
    shop("POST", "auth/login", {"email": EMAIL, "password": PASSWORD}, status=403)
    settle_down()
    (welcome,) = mail.outbox
    assert welcome.to == [EMAIL]
    (code,) = re.findall(r"\b\d{6}\b", str(welcome.body))
    shop("POST", "auth/verify-email", {"email": EMAIL, "code": code})
    tokens = shop("POST", "auth/login", {"email": EMAIL, "password": PASSWORD})
    shop.headers["Authorization"] = f"Bearer {tokens['access']}"

    # Search, and put what was found into the cart.
    found = shop("GET", "catalog/products?q=wedding")["results"]
    assert [product["name"] for product in found] == ["Aso-oke Wedding Gown"]
    detail = shop("GET", f"catalog/products/{found[0]['slug']}")
    sku = detail["variants"][0]["sku"]
    shop("POST", "orders/cart/lines", {"sku": sku, "quantity": 2}, status=201)
    other = shirt.variants.get().sku
    cart = shop("POST", "orders/cart/lines", {"sku": other, "quantity": 1}, status=201)
    assert cart["total"] == {"amount": "268500.00", "currency": "NGN"}

    # Order: the stock is taken, the vendors' parts add up.
    request = {"email": EMAIL, "shipping_address": ADDRESS}
    key = {"Idempotency-Key": "checkout-1"}
    order = shop("POST", "orders", request, status=201, headers=key)
    assert shop("POST", "orders", request, status=201, headers=key) == order
    assert order["total"] == cart["total"]
    parts = [Money.from_json(part["subtotal"]) for part in order["vendor_orders"]]
    assert Money.sum(parts, "NGN").to_json() == order["total"]
    assert (gown.variants.get().stock, shirt.variants.get().stock) == (1, 9)

    # Pay: the gateway reports three times, which is once.
    payment = shop("POST", "payments", {"order_number": order["number"]}, status=201)
    assert (payment["status"], payment["amount"]) == ("pending", order["total"])
    assert payment["next_action"]["type"] == "redirect"
    body, signature = signed_webhook(Payment.objects.get(public_id=payment["id"]))
    shop("POST", "payments/webhooks/dummy", body + b" ", headers=signature, status=400)
    for _ in range(3):
        answer = shop("POST", "payments/webhooks/dummy", body, headers=signature)
        assert answer == {"received": 1, "processed": 1}
        settle_down()

    # Paid, told once, and not to be paid again.
    assert shop("GET", f"payments/{payment['id']}")["status"] == "succeeded"
    paid = shop("GET", f"orders/{order['number']}")
    assert (paid["status"], paid["paid_at"] is not None) == ("paid", True)
    shop("POST", "payments", {"order_number": order["number"]}, status=409)
    confirmation = [message for message in mail.outbox if message is not welcome]
    assert [message.to for message in confirmation] == [[EMAIL]]
    assert order["number"] in confirmation[0].subject
    for event in ("orders.order_placed", "payments.payment_succeeded", "orders.order_paid"):
        assert len(published(event)) == 1, event
