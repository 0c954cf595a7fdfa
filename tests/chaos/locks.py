"""`make chaos CHAOS=locks`: 16 threads buy, cancel, pay, restock and reprice the same few things, all at once.

Each does what requests, webhooks and clerks do, through the services, with carts and SKUs in random orders. Ends with 1
when PostgreSQL had to break a deadlock, when anything fails that should not, when locks were taken in two orders, or
when afterwards a counter differs from its ledger or from what the orders say.
"""

import argparse
import logging
import os
import random
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.services import services

SKUS = [f"SOAK-{number}" for number in range(12)]
CUSTOMERS = [f"customer-{number}" for number in range(10)]
STOCK = 100_000


def shop():  # noqa: C901 - a list of deeds
    """The things that people do at the same time: functions of a thread's own dice."""
    from fashionistar_catalog import services as catalog
    from fashionistar_catalog.models import Variant
    from fashionistar_common.money import Money
    from fashionistar_common.testing import deliver_events
    from fashionistar_common.types import Actor, Role
    from fashionistar_orders import services as orders
    from fashionistar_orders.models import Order
    from fashionistar_orders.testing import ADDRESS
    from fashionistar_payments import services as payments
    from fashionistar_payments.testing import signed_webhook

    clerk = Actor(id="clerk", role=Role.STAFF)

    def some_order(dice: random.Random) -> Order:
        newest = Order.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return Order.objects.filter(pk__gt=dice.randint(max(0, newest - 60), newest)).first() or buy(dice)

    def buy(dice: random.Random) -> Order:
        actor = Actor(id=dice.choice(CUSTOMERS), role=Role.CLIENT)
        for sku in dice.sample(SKUS, dice.randint(1, 4)):
            orders.add_line(actor=actor, sku=sku, quantity=dice.randint(1, 3))
        return orders.place_order(actor=actor, email="soak@example.com", shipping_address=ADDRESS)

    def cancel(dice: random.Random) -> None:
        orders.cancel_order(some_order(dice).number, actor=clerk)

    def pay(dice: random.Random) -> None:
        order = some_order(dice)
        payment = payments.create_payment(
            actor=Actor(id=order.customer_id, role=Role.CLIENT), order_number=order.number
        )
        body, headers = signed_webhook(payment, dice.choice(["payment.succeeded", "payment.failed"]))
        for _ in range(2):  # gateways repeat themselves
            payments.receive_webhook(provider=payment.provider, body=body, headers=headers)

    def settle(dice: random.Random) -> None:
        order = some_order(dice)
        orders.mark_order_paid(order.number, amount=order.total, payment_id=f"pay-{order.number}")

    def restock(dice: random.Random) -> None:
        catalog.receive_stock(dice.choice(SKUS), 5, reference="soak")

    def move(dice: random.Random) -> None:
        skus, reference = dice.sample(SKUS, 5), f"move-{dice.random()}"
        catalog.take_stock(dict.fromkeys(skus, 1), reference=reference)
        dice.shuffle(skus)
        catalog.return_stock(dict.fromkeys(skus, 1), reference=reference)

    def reprice(dice: random.Random) -> None:
        variant = Variant.objects.get(sku=dice.choice(SKUS))
        catalog.change_price(variant, price=Money(dice.randint(100, 900) * 100, variant.currency))

    def deliver(dice: random.Random) -> None:
        deliver_events()

    return {buy: 8, cancel: 4, pay: 4, settle: 2, restock: 3, move: 4, reprice: 2, deliver: 1}


def soak(seconds: float, threads: int) -> Counter[str]:
    """Let the threads loose; what was done, refused and failed, by name."""
    from django.db import connections
    from fashionistar_common.exceptions import ConflictError, InvalidError
    from fashionistar_payments.exceptions import WebhookNotProcessedError

    deeds, done, lock = shop(), Counter[str](), threading.Lock()
    end = time.monotonic() + seconds

    def work(seed: int) -> None:
        dice, mine = random.Random(seed), Counter[str]()
        while time.monotonic() < end:
            (deed,) = dice.choices(list(deeds), list(deeds.values()))
            try:
                deed(dice)
                mine[deed.__name__] += 1
            except (ConflictError, InvalidError) as error:
                refused = "failed" if isinstance(error, WebhookNotProcessedError) else "refused"
                mine[f"{deed.__name__} {refused}"] += 1
            except Exception as error:  # noqa: BLE001 - counted and shown
                state = getattr(error.__cause__, "sqlstate", "") or ""
                mine[f"{deed.__name__} failed: {type(error).__name__} {state} {error}"[:200]] += 1
            finally:
                connections.close_all()
        with lock:
            done.update(mine)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return done


def wrong() -> list[str]:
    """What does not agree afterwards."""
    from django.db import connection
    from django.db.models import Sum
    from fashionistar_catalog.models import StockMovement, Variant
    from fashionistar_catalog.services import audit_stock
    from fashionistar_orders.models import OrderLine
    from fashionistar_orders.types import OrderStatus

    found = [f"counter and ledger differ: {difference}" for difference in audit_stock()]
    for variant in Variant.objects.filter(sku__in=SKUS):
        sold = OrderLine.objects.filter(sku=variant.sku).exclude(vendor_order__order__status=OrderStatus.CANCELLED)
        received = StockMovement.objects.filter(variant=variant, reason=StockMovement.Reason.RECEIVED)
        expected = received.aggregate(all=Sum("quantity"))["all"] - (sold.aggregate(all=Sum("quantity"))["all"] or 0)
        if variant.stock != expected:
            found.append(f"{variant.sku}: {variant.stock} in stock, {expected} by the orders")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        if deadlocks := cursor.fetchone()[0]:
            found.append(f"{deadlocks} deadlocks")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=16)
    arguments = parser.parse_args()
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # a database of its own, which nobody minds being filled
    with services() as environment:
        os.environ |= environment | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_POOL_SIZE": str(arguments.threads + 4),
        }
        import django
        from django.core.management import call_command

        django.setup()
        logging.disable(logging.ERROR)  # money for cancelled orders is refused, loudly
        call_command("migrate", verbosity=0)
        from django.db import connections
        from fashionistar_catalog.testing import make_product, make_variant
        from fashionistar_common.testing.locks import LockWatch, watch_locks

        product = make_product(sku=SKUS[0], stock=STOCK)
        for sku in SKUS[1:]:
            make_variant(product, sku=sku, stock=STOCK)
        with watch_locks(watch := LockWatch()):
            done = soak(arguments.seconds, arguments.threads)
        problems = wrong()
        connections.close_all()
        for connection in connections.all():
            connection.close_pool()
    for name, count in sorted(done.items()):
        print(f"{count:7} {name}")
    problems += [name for name in done if "failed" in name]
    print(f"{done.total()} deeds of {arguments.threads} threads in {arguments.seconds:g} s, {watch.statements} locking")
    print("\n".join(problems) or "no deadlock, and every counter is right")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
