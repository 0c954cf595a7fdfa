"""The last ten units and fifty buyers, over HTTP against a real server of two processes."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection
from django.db.models import Sum
from fashionistar_auth.tokens import issue_tokens
from fashionistar_catalog.models import Variant
from fashionistar_catalog.services import audit_stock
from fashionistar_catalog.testing import make_product
from fashionistar_common.testing import published
from fashionistar_common.types import Actor, Role
from fashionistar_orders.models import Order, OrderLine
from fashionistar_orders.testing import make_cart
from launch import processes
from launch.running import Platform

BUYERS, UNITS = 50, 10
ADDRESS = {"name": "Ada Obi", "line1": "12 Awolowo Road", "city": "Lagos", "country": "NG"}
SETTINGS = """
from config.settings.test import *
FASHIONISTAR_ORDERS = {{**FASHIONISTAR_ORDERS, "CHECK_STOCK_BEFORE_LOCKING": {looks_first}}}
"""


@pytest.fixture(
    scope="module", params=[True, False], ids=["with an unlocked look first", "with the locked check alone"]
)
def server(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
) -> Iterator[str]:
    """The sandbox's server on this run's test database; yields its address."""
    if connection.vendor != "postgresql":
        pytest.skip("row locks are PostgreSQL's")
    folder: Path = tmp_path_factory.mktemp("settings")
    (folder / "last_units_settings.py").write_text(SETTINGS.format(looks_first=request.param))
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {
        **os.environ,
        "DATABASE_URL": database.geturl(),
        "DJANGO_SETTINGS_MODULE": "last_units_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[2] / "sandbox")]),
        "WEB_CONCURRENCY": "2",
    }
    platform = Platform(processes.free_port(), environment)
    try:
        platform.start("server")
        platform.wait()
        yield platform.url
    finally:
        platform.stop_all()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_fifty_buyers_and_ten_units_make_ten_orders(server: str, version: str) -> None:
    make_product(sku="LAST", stock=UNITS)
    buyers = [f"buyer-{number}" for number in range(BUYERS)]
    for buyer in buyers:
        make_cart({"LAST": 1}, customer_id=buyer)
    barrier = Barrier(BUYERS)

    def buy(buyer: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {issue_tokens(Actor(buyer, Role.CLIENT)).access}"}
        body = {"email": f"{buyer}@example.com", "shipping_address": ADDRESS}
        with httpx.Client(base_url=server, headers=headers, timeout=60, trust_env=False) as client:
            barrier.wait()
            return client.post(f"/api/{version}/orders", json=body)

    with ThreadPoolExecutor(BUYERS) as threads:
        answers = list(threads.map(buy, buyers))

    assert Counter(answer.status_code for answer in answers) == {201: UNITS, 409: BUYERS - UNITS}
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {problem["code"] for problem in refused} == {"out_of_stock"}
    sold = {answer.json()["number"] for answer in answers if answer.status_code == 201}
    assert set(Order.objects.values_list("number", flat=True)) == sold
    assert OrderLine.objects.aggregate(pieces=Sum("quantity"))["pieces"] == UNITS
    assert {told["order_number"] for told in published("orders.order_placed")} == sold
    variant = Variant.objects.annotate(ledger=Sum("movements__quantity")).get(sku="LAST")
    assert variant.stock == variant.ledger == 0
    assert audit_stock() == []
