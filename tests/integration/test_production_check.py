"""What the apps contribute to `production_check`, each in a case where it fails and in one where it passes."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from fashionistar_catalog.models import Variant
from fashionistar_catalog.testing import make_product
from fashionistar_common import production
from fashionistar_common.production import Status, failed, passed
from fashionistar_orders.models import Order, OrderLine, VendorOrder
from fashionistar_orders.testing import fake_catalog, make_order
from fashionistar_payments.models import WebhookEvent
from fashionistar_payments.providers import BaseProvider
from fashionistar_payments.types import PaymentRequest, ProviderPayment

SANDBOX = Path(__file__).parents[2] / "sandbox"
LONG_KEY = "kV9!xq2Lr8#Tz5@Wm3$Jn7%Bd1^Gf4&Hs6*Pc0(Ry-Uo+Ea=Ii"
pytestmark = pytest.mark.django_db


class Gateway(BaseProvider):
    """A provider that is no double."""

    def create_payment(self, request: PaymentRequest) -> ProviderPayment:
        raise ConnectionError


def look(name: str) -> production.Result:
    [item] = [item for item in production.items() if item.id == name]
    return item.look()


def test_every_app_contributes() -> None:
    assert {item.app for item in production.items()} == {"auth", "catalog", "common", "orders", "payments"}


@pytest.mark.parametrize(
    ("key", "reason"),
    [(LONG_KEY, ""), ("", "SECRET_KEY"), ("short", "guessed"), (f"django-insecure-{LONG_KEY}", "guessed")],
)
def test_the_key_of_tokens(settings: Any, key: str, reason: str) -> None:
    settings.FASHIONISTAR_AUTH = {"SIGNING_KEY": key}
    result = look("auth.signing_key")
    assert (result == passed()) is (not reason)
    assert reason in result.reason


def test_the_ledger_of_stock() -> None:
    sku = make_product(name="Gown", price="1.00", stock=3).variants.get().sku
    assert look("catalog.stock_ledger") == passed()
    Variant.objects.filter(sku=sku).update(stock=4)
    assert look("catalog.stock_ledger") == failed(f"1 differ, such as {sku}: counter 4, ledger 3")


@pytest.fixture
def order(settings: Any) -> Order:
    settings.FASHIONISTAR_ORDERS = {"CATALOG": "fashionistar_orders.testing.fake_catalog"}
    fake_catalog.reset()
    fake_catalog.offer("HAT-1", price="129.00", available=9)
    return make_order({"HAT-1": 2})


def test_the_totals_of_orders(order: Order) -> None:
    wrong = failed(f"not so: {order.number}")
    assert look("orders.totals") == passed()
    for queryset, field in (
        (Order.objects.filter(pk=order.pk), "total_minor"),
        (VendorOrder.objects.filter(order=order), "subtotal_minor"),
    ):
        right = queryset.values_list(field, flat=True).get()
        queryset.update(**{field: right + 1})
        assert look("orders.totals") == wrong
        queryset.update(**{field: right})
    OrderLine.objects.filter(vendor_order__order=order).delete()
    assert look("orders.totals") == wrong


def test_unpaid_orders(order: Order) -> None:
    assert look("orders.unpaid_cancelled") == passed()
    Order.objects.filter(pk=order.pk).update(placed_at=timezone.now() - timedelta(minutes=121))
    assert look("orders.unpaid_cancelled") == failed("1 have waited for more than 120 minutes")


def test_the_ports(settings: Any) -> None:
    for app, item in (
        ("FASHIONISTAR_ORDERS", "orders.catalog_named"),
        ("FASHIONISTAR_PAYMENTS", "payments.orders_named"),
    ):
        assert look(item) == passed()
        setattr(settings, app, {})
        assert look(item).status is Status.FAIL


def test_the_provider(settings: Any) -> None:
    assert look("payments.real_provider") == failed("dummy moves no money")
    settings.FASHIONISTAR_PAYMENTS = {}
    assert look("payments.real_provider") == failed("no provider is configured: paying answers 503")
    real = {"BACKEND": f"{__name__}.Gateway"}
    settings.FASHIONISTAR_PAYMENTS = {"PROVIDERS": {"gateway": real}}
    assert look("payments.real_provider") == passed()


def test_webhooks() -> None:
    event = WebhookEvent.objects.create(provider="dummy", event_id="1", kind="payment_succeeded", body="", attempts=24)
    assert look("payments.webhooks_processed") == passed()
    event.attempts = 25
    event.save()
    assert look("payments.webhooks_processed") == failed("1 were given up after 25 attempts")


@pytest.mark.postgresql
def test_the_command_over_the_sandbox(django_db_setup: None) -> None:
    """In production's settings on this run's servers: what cannot be so on a developer's machine fails, by name."""
    from django.db import connection

    database = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "SECRET_KEY": LONG_KEY,
        "TOKEN_SIGNING_KEY": LONG_KEY[::-1],
        "ALLOWED_HOSTS": "shop.example",
        "DATABASE_URL": database,
        "REDIS_URL": os.environ["REDIS_URL"],
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "METRICS_TOKEN": "only-for-this-test",
        "DUMMY_PROVIDER_SECRET": "only-for-this-test-0123456789",
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, str(SANDBOX / "manage.py"), "production_check", "--format", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1, done.stderr
    outcomes = {item["id"]: (item["status"], item["reason"]) for item in json.loads(done.stdout)}
    failures = {name: reason for name, (status, reason) in outcomes.items() if status == "fail"}
    assert failures.pop("payments.real_provider") == "dummy moves no money"
    assert failures.pop("common.database_role", "") in {"", "postgres is a superuser"}
    failures.pop("common.relay_seen", None)  # whether one was there depends on the tests before this one
    assert failures == {}, done.stdout
    assert len(outcomes) > 25
