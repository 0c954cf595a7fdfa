"""`make chaos`: customers buy while server, worker and relay are killed with SIGKILL at random points, and restarted.

Customers do as real clients do: they repeat what got no answer, with the same Idempotency-Key. Gateways repeat their
webhooks. Some orders must fail: there is not enough stock. Afterwards every committed order has its events and its one
mail, nothing that was rolled back has any, and stock and ledger agree. Ends with 1 where that is not so.
"""

import argparse
import email
import email.policy
import http.client
import itertools
import json
import os
import random
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.running import Platform, running_platform

ADDRESS = {"name": "Amara Obi", "line1": "12 Marina", "city": "Lagos", "country": "NG"}
PLENTY, SCARCE = "CHAOS-PLENTY", "CHAOS-SCARCE"
STOCK = 100_000
SETTLE_SECONDS = 90
# Short, so that what a killed process held is free again within the run.
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "config.settings.development",
    "IDEMPOTENCY_LEASE": "2",
    "TASK_TIME_LIMIT": "3",
    "LOG_LEVEL": "ERROR",
    "DEBUG": "0",
}


class Customer:
    """One customer with one purchase; every request is repeated until it is answered."""

    def __init__(self, port: int, token: str, version: str) -> None:
        self.port, self.version = port, version
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                connection.request(method, f"/api/{self.version}{path}", data, self.headers | named)
                answer = connection.getresponse()
                status, text = answer.status, answer.read()
                answer_body = json.loads(text)
            except (OSError, http.client.HTTPException, ValueError):
                status, answer_body = 599, {}
            finally:
                connection.close()
            if status < 500 and answer_body.get("code") != "request_in_progress":
                return status, answer_body
            time.sleep(0.2)

    def buy(self, sku: str, quantity: int, address: str, pay: Any) -> tuple[int, str]:
        """Fill the cart, order, pay; the status of the order's answer and its number."""
        _, cart = self.call("GET", "/orders/cart")
        if not cart["lines"]:
            self.call("POST", "/orders/cart/lines", {"sku": sku, "quantity": quantity})
        self.call("PATCH", f"/orders/cart/lines/{sku}", {"quantity": quantity})  # whoever adds again may add twice
        _, cart = self.call("GET", "/orders/cart")
        body = {"email": address, "shipping_address": ADDRESS, "cart_id": cart["id"]}
        status, order = self.call("POST", "/orders", body, Idempotency_Key=uuid.uuid4().hex)
        if status != 201:
            return status, ""
        status, payment = self.call(
            "POST", "/payments", {"order_number": order["number"]}, Idempotency_Key=uuid.uuid4().hex
        )
        if status != 201:
            raise AssertionError(f"the payment of {order['number']} was answered {status}: {payment}")
        notice = pay(payment)
        for _ in range(2):
            self.call("POST", "/payments/webhooks/dummy", notice, Dummy_Signature=sign_now(notice))
        return 201, str(order["number"])


def sign_now(notice: bytes) -> str:
    from django.conf import settings
    from fashionistar_payments.providers.dummy import sign

    secret = settings.FASHIONISTAR_PAYMENTS["PROVIDERS"]["dummy"]["OPTIONS"]["SECRET"]
    return sign(notice, secret, int(time.time()))


def paid_notice(payment: dict[str, Any]) -> bytes:
    from fashionistar_common.money import Money
    from fashionistar_payments.providers.dummy import webhook_body

    return webhook_body(
        "payment.succeeded",
        payment_id=payment["id"],
        amount=Money.from_json(payment["amount"]),
        event_id=f"evt_{payment['id']}",
        created=int(time.time()),
    )


def shop(port: int, running: threading.Event, number: int, results: list[tuple[str, int, str]]) -> None:
    """One customer after the other, each with an order of their own; every fourth asks for too much."""
    from fashionistar_auth.tokens import issue_tokens
    from fashionistar_common.types import Actor, Role

    for turn in itertools.count():
        if not running.is_set():
            return
        customer_id = uuid.uuid4().hex
        token = issue_tokens(Actor(id=customer_id, role=Role.CLIENT)).access
        doomed = turn % 4 == 3
        customer = Customer(port, token, "v2" if (turn + number) % 2 else "v1")
        sku, quantity = (SCARCE, 2) if doomed else (PLENTY, 1)
        status, order = customer.buy(sku, quantity, f"{customer_id}@example.com", paid_notice)
        results.append((customer_id, status, order))


def kill_at_random(platform: Platform, kills: int, seed: int) -> Counter[str]:
    """Kill and restart, at random points, mostly the server and the worker."""
    chance, killed = random.Random(seed), Counter[str]()
    platform.stop("relay")  # what is committed meanwhile has no relay at all for a while
    time.sleep(1)
    platform.start("relay")
    for _ in range(kills):
        time.sleep(chance.uniform(0.3, 2.5))
        name = chance.choice(["server", "server", "worker", "worker", "relay"])
        platform.kill(name)
        platform.start(name)
        killed[name] += 1
        print(".", end="", flush=True)
    print()
    return killed


def settle() -> None:
    """Wait until nothing is left to do.

    Raises:
        AssertionError: when that takes longer than SETTLE_SECONDS.
    """
    from django_tasks_db.models import DBTaskResult
    from fashionistar_common.models import EventDelivery, OutboxEvent

    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        left = {
            "events to fan out": OutboxEvent.objects.filter(fanned_out_at__isnull=True).count(),
            "deliveries": EventDelivery.objects.filter(status="pending").count(),
            "tasks": DBTaskResult.objects.filter(status__in=["READY", "RUNNING"]).count(),
        }
        if not any(left.values()):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"not settled after {SETTLE_SECONDS} s: {left}")
        time.sleep(0.2)


def verify(results: list[tuple[str, int, str]], mail: Path) -> list[str]:
    """Everything that is not as it must be, a sentence each."""
    from django.db.models import Sum
    from fashionistar_catalog.models import Variant
    from fashionistar_common.models import EventDelivery, OutboxEvent
    from fashionistar_orders.models import Order

    orders = dict(Order.objects.values_list("number", "status"))
    events: dict[str, Counter[str]] = {}
    for name, payload in OutboxEvent.objects.filter(name__startswith="orders.").values_list("name", "payload"):
        events.setdefault(payload["order_number"], Counter())[name] += 1
    expected = Counter({"orders.order_placed": 1, "orders.order_paid": 1})
    mails = Counter(confirmed_order(path, orders) for path in mail.glob("*.eml"))
    answered = [number for _, status, number in results if status == 201]
    doomed = {customer for customer, status, _ in results if status != 201}
    wrong = [
        f"order {number} has the events {dict(events.get(number, {}))}"
        for number in orders
        if events.get(number) != expected
    ]
    wrong += [f"order {number} has {mails[number]} confirmations" for number in orders if mails[number] != 1]
    wrong += [f"order {number} is {status}" for number, status in orders.items() if status != "paid"]
    wrong += [f"there are events of order {number}, which does not exist" for number in events.keys() - orders.keys()]
    wrong += [f"order {number} was answered and is not there" for number in answered if number not in orders]
    wrong += [f"order {number} was answered {count} times" for number, count in Counter(answered).items() if count > 1]
    wrong += [f"{len(orders)} orders for {len(answered)} customers"] if len(orders) != len(answered) else []
    if Order.objects.filter(customer_id__in=doomed).exists():
        wrong.append("a refused order exists")
    if dead := EventDelivery.objects.exclude(status="delivered").count():
        wrong.append(f"{dead} deliveries did not succeed")
    for variant in Variant.objects.filter(sku__in=[PLENTY, SCARCE]).annotate(ledger=Sum("movements__quantity")):
        start = STOCK if variant.sku == PLENTY else 1
        sold = len(orders) if variant.sku == PLENTY else 0
        if not variant.stock == variant.ledger == start - sold:
            wrong.append(f"{variant.sku}: stock {variant.stock}, ledger {variant.ledger}, sold {sold} of {start}")
    return wrong


def confirmed_order(path: Path, orders: dict[str, str]) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return next((word for word in str(message["Subject"]).replace(".", " ").split() if word in orders), "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--customers", type=int, default=4, help="at the same time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    os.environ |= ENVIRONMENT
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # its own services: what it counts is its own
    print(f"{options.kills} kills, seed {options.seed}", flush=True)
    with running_platform() as platform:
        os.environ |= platform.environment
        import django

        django.setup()
        from fashionistar_catalog.testing import make_product

        make_product(sku=PLENTY, stock=STOCK)
        make_product(sku=SCARCE, stock=1)
        platform.commands["worker"] += ["--verbosity", "0"]
        running, results = threading.Event(), list[tuple[str, int, str]]()
        running.set()
        with ThreadPoolExecutor(options.customers) as customers:
            shopping = [
                customers.submit(shop, platform.port, running, number, results) for number in range(options.customers)
            ]
            try:
                killed = kill_at_random(platform, options.kills, options.seed)
            finally:
                running.clear()
            for customer in shopping:
                customer.result()
        settle()
        wrong = verify(results, platform.mail_directory)
    bought = sum(status == 201 for _, status, _ in results)
    print(f"killed: {dict(killed)}; orders: {bought} paid, {len(results) - bought} refused")
    print("\n".join(wrong[:20]) or "every order has its events and its one mail; nothing else has any")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
