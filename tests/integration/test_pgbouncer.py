"""The shop and its relay behind a real PgBouncer in transaction mode, with fewer connections than processes want."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from django.db import connection
from fashionistar_catalog.models import Variant
from fashionistar_catalog.testing import make_product
from fashionistar_common.models import EventDelivery, OutboxEvent
from fashionistar_orders.models import Order
from launch import processes
from launch.errors import LaunchError
from launch.pgbouncer import PgBouncer

SANDBOX = Path(__file__).parents[2] / "sandbox"
BUY = """
from concurrent.futures import ThreadPoolExecutor
from django.db import connections
from fashionistar_orders.services import cancel_order
from fashionistar_orders.testing import make_client, make_order

def buy(number):
    customer = f"customer-{number}"
    try:
        order = make_order({"DRESS": 1}, customer_id=customer)
        if number % 2:
            cancel_order(order.number, actor=make_client(customer))
    finally:
        connections.close_all()

list(ThreadPoolExecutor(8).map(buy, range(20)))
"""

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pooled() -> Iterator[dict[str, str]]:
    """An environment in which this run's test database is reached through PgBouncer."""
    with TemporaryDirectory(prefix="fashionistar-test-") as name:
        Path(name).chmod(0o755)  # as root, the program runs as somebody else
        try:
            bouncer = PgBouncer(Path(name), os.environ["DATABASE_URL"], port=processes.free_port(), pool_size=3)
        except LaunchError as error:
            pytest.skip(str(error))
        try:
            bouncer.wait()
            url = urlsplit(os.environ["DATABASE_URL"])
            user = (url.netloc.rpartition("@")[0] + "@").lstrip("@")
            address = f"{user}127.0.0.1:{bouncer.port}"
            database = url._replace(netloc=address, path=f"/{connection.settings_dict['NAME']}").geturl()
            yield {**os.environ, "DATABASE_URL": database, "DATABASE_POOL_SIZE": "10", "PYTHONPATH": str(SANDBOX)}
        finally:
            bouncer.stop()


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, str(SANDBOX / "manage.py"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_orders_are_placed_and_their_events_delivered(pooled: dict[str, str]) -> None:
    make_product(sku="DRESS", stock=30)
    manage(pooled, "shell", "--command", BUY)
    assert Order.objects.count() == 20
    assert Variant.objects.get(sku="DRESS").stock == 20
    manage(pooled, "relay_events", "--register")
    while not manage(pooled, "relay_events", "--once").startswith("0 deliveries"):
        pass
    assert not OutboxEvent.objects.filter(fanned_out_at=None).exists()
    assert EventDelivery.objects.filter(event__name="orders.order_cancelled").count() >= 10
    assert not EventDelivery.objects.exclude(status=EventDelivery.Status.DELIVERED).exists()
