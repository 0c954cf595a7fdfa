"""`make bench BENCH=gather`: reads one after the other, side by side, and what the threads cost."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.services import services


async def milliseconds(call: Callable[[], Awaitable[object]], rounds: int) -> float:
    """The mean time of a call, after two that open threads and connections."""
    for _ in range(2):
        await call()
    began = time.perf_counter()
    for _ in range(rounds):
        await call()
    return (time.perf_counter() - began) / rounds * 1000


async def measure() -> None:
    from asgiref.sync import sync_to_async
    from django.db import connection
    from fashionistar_common.concurrency import gather, in_thread
    from fashionistar_common.models import OutboxEvent

    def wait() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.1)")

    def trivial() -> list[OutboxEvent]:
        return list(OutboxEvent.objects.all()[:1])

    async def stock(read: Callable[[], object]) -> None:
        await asyncio.gather(*(sync_to_async(read)() for _ in range(3)))

    async def one_hop() -> None:
        await sync_to_async(lambda: [trivial() for _ in range(3)])()

    serial = await milliseconds(lambda: stock(wait), 5)
    parallel = await milliseconds(lambda: gather(wait, wait, wait), 5)
    print(f"3 reads of 100 ms: asyncio.gather over the stock ORM {serial:.0f} ms, gather() {parallel:.0f} ms", end=" ")
    print(f"({serial / parallel:.1f} times faster)")
    figures = {
        "3 trivial reads, one after the other in one hop": one_hop,
        "3 trivial reads, asyncio.gather over the stock ORM": partial(stock, trivial),
        "3 trivial reads, gather()": partial(gather, trivial, trivial, trivial),
        "1 trivial read, sync_to_async": sync_to_async(trivial),
        "1 trivial read, in_thread": partial(in_thread, trivial),
    }
    for name, call in figures.items():
        print(f"{name}: {await milliseconds(call, 300):.2f} ms")


def main() -> None:
    with services() as environment:
        os.environ |= environment | {"DJANGO_SETTINGS_MODULE": "config.settings.development"}
        import django
        from django.core.management import call_command
        from django.db import connection

        django.setup()
        call_command("migrate", verbosity=0)
        connection.close()
        asyncio.run(measure())
        connection.close_pool()


if __name__ == "__main__":
    main()
