"""How fast events are, and how late: publishers, one relay and PostgreSQL as separate processes on this machine.

    python tests/benchmarks/events.py [--rate 200] [--seconds 20] [--subscribers 3]

PostgreSQL is durable (fsync on). First a steady rate: each event is a transaction of its own with a row of business
data; the lag is the time from its commit to its effect in each subscriber's transaction.
Then a heap of events that wait for a relay: how many a second it works off.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.services import services

BAR_MS = 100
PUBLISHERS = 4
TABLES = """
    CREATE TABLE sale (id bigserial PRIMARY KEY, number integer);
    CREATE TABLE effect (subscriber integer, number integer, at double precision, PRIMARY KEY (subscriber, number));
"""


def set_up(subscribers: int) -> Any:
    """Configure Django around fashionistar_common alone; returns the event class."""
    import django
    from django.conf import settings

    url = urlsplit(os.environ["DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": str(url.port),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 20}},
    }
    apps = ["fashionistar_common", "django.contrib.contenttypes", "django.contrib.auth"]
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=apps, USE_TZ=True, SECRET_KEY="benchmark")
    django.setup()
    from django.db import connection
    from fashionistar_common.events import Event, event_bus

    @dataclass(frozen=True, kw_only=True)
    class SaleMade(Event, name="benchmark.sale_made", version=1, aggregate="number"):
        number: int

    @dataclass(frozen=True)
    class Seen:
        number: int

    def subscribe(subscriber: int) -> None:
        def see(event: Seen) -> None:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO effect VALUES (%s, %s, %s)", [subscriber, event.number, time.time()])

        see.__qualname__ = f"subscriber_{subscriber}"
        event_bus.subscribe("benchmark.sale_made", version=1)(see)

    for subscriber in range(subscribers):
        subscribe(subscriber)
    return SaleMade


def publish(event: Any, first: int, count: int, rate: float) -> dict[int, float]:
    """Publish from several threads, `rate` a second in all (0: as fast as they can); when each was committed."""
    from django.db import connection, connections, transaction
    from fashionistar_common.events import event_bus

    committed: dict[int, float] = {}
    began = time.monotonic()

    def run(publisher: int) -> None:
        for number in range(first + publisher, first + count, PUBLISHERS):
            if rate:
                time.sleep(max(0.0, began + (number - first) / rate - time.monotonic()))
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("INSERT INTO sale (number) VALUES (%s)", [number])
                event_bus.publish(event(number=number))
                transaction.on_commit(lambda: committed.__setitem__(number, time.time()))  # noqa: B023 - runs at once
        connections.close_all()

    with ThreadPoolExecutor(PUBLISHERS) as publishers:
        for done in [publishers.submit(run, publisher) for publisher in range(PUBLISHERS)]:
            done.result()
    return committed


def wait_for(effects: int, seconds: float) -> None:
    """Return when there are so many effects."""
    from django.db import connection

    deadline = time.monotonic() + seconds
    while True:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM effect")
            if (count := cursor.fetchone()[0]) >= effects:
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"only {count} of {effects} effects after {seconds} s")
        time.sleep(0.02)


def effects() -> list[tuple[int, float]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT number, at FROM effect")
        return cursor.fetchall()


def start_relay(options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, __file__, "--relay", "--subscribers", str(options.subscribers)])


def measure(options: argparse.Namespace) -> bool:
    """Run both parts and print them; whether the bar holds."""
    event = set_up(options.subscribers)
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
    was = resource.getrusage(resource.RUSAGE_CHILDREN)
    before = was.ru_utime + was.ru_stime
    relay = start_relay(options)
    try:
        publish(event, 0, 20, 20)  # everything is warm, and the subscribers are registered
        publish(event, 20, 20, 20)
        time.sleep(2)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM effect")
            warm = cursor.fetchone()[0]
        count = int(options.rate * options.seconds)
        committed = publish(event, 1000, count, options.rate)
        wait_for(warm + count * options.subscribers, 60)
        lags = [(at - committed[number]) * 1000 for number, at in effects() if number in committed]
        took = max(committed.values()) - min(committed.values())
        q = statistics.quantiles(lags, n=100)
        print(
            f"{count} events in {took:.1f} s ({count / took:.0f}/s) to {options.subscribers} subscribers each: "
            f"lag p50 {q[49]:.1f} ms, p95 {q[94]:.1f} ms, p99 {q[98]:.1f} ms, max {max(lags):.0f} ms"
        )
    finally:
        relay.terminate()
        status = relay.wait(30)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    share = (used.ru_utime + used.ru_stime - before) / (count * options.subscribers)
    print(f"the relay ended with {status}; it took {share * 1000:.2f} ms of a processor for each delivery")
    heap = 3000
    began = time.monotonic()
    publish(event, 1_000_000, heap, 0)
    print(f"published without a relay: {heap / (time.monotonic() - began):.0f} events/s")
    relay = start_relay(options)
    try:
        wait_for(warm + count * options.subscribers + 1, 60)
        began = time.monotonic()
        wait_for(warm + (count + heap) * options.subscribers, 120)
        took = time.monotonic() - began
    finally:
        relay.terminate()
        relay.wait(30)
    print(f"worked off: {heap / took:.0f} events/s, {heap * options.subscribers / took:.0f} deliveries/s")
    return q[94] < BAR_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=200.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--subscribers", type=int, default=3)
    parser.add_argument("--relay", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.relay:
        set_up(options.subscribers)
        from django.core.management import call_command

        call_command("relay_events")
        return 0
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    os.environ.pop("DATABASE_URL", None)  # a server of its own, which is durable
    os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")  # none is needed
    with tempfile.TemporaryDirectory(prefix="fashionistar-benchmark-") as folder, services(Path(folder)) as environment:
        os.environ |= environment
        holds = measure(options)
    print(f"p95 under {BAR_MS} ms: {'yes' if holds else 'NO'}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
