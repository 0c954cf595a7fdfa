"""What rate limits cost, in Redis and in PostgreSQL, and what cached answers save.

    python tests/benchmarks/guards.py [--calls 3000]

One process, one call after the other, on this machine's loopback; microseconds for each call. The view whose answers
are cached reads 24 of 2,000 rows and writes them as JSON. PostgreSQL is durable (fsync on).
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch.services import services


def set_up() -> None:
    """Configure Django around fashionistar_common alone, and fill a table to read from."""
    import django
    from django.conf import settings

    url = urlsplit(os.environ["DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": str(url.port),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 4}},
    }
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": database},
        CACHES={
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]}
        },
        INSTALLED_APPS=["fashionistar_common", "django.contrib.contenttypes", "django.contrib.auth"],
        USE_TZ=True,
        SECRET_KEY="benchmark",
    )
    django.setup()
    from django.core.management import call_command
    from fashionistar_common.models import IdempotencyRecord

    call_command("migrate", verbosity=0)
    IdempotencyRecord.objects.bulk_create(
        IdempotencyRecord(scope=f"scope {number}", key=f"key {number}", fingerprint="x" * 64) for number in range(2000)
    )


def timed(name: str, calls: int, work: Callable[[], Any]) -> float:
    for _ in range(50):
        work()
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return told(name, calls, start)


async def atimed(name: str, calls: int, work: Callable[[], Awaitable[Any]]) -> float:
    for _ in range(50):
        await work()
    start = time.perf_counter()
    for _ in range(calls):
        await work()
    return told(name, calls, start)


def told(name: str, calls: int, start: float) -> float:
    each = (time.perf_counter() - start) / calls * 1_000_000
    print(f"  {name:<50} {each:8.0f}")
    return each


def limits(calls: int) -> None:
    from django.conf import settings
    from fashionistar_common.ratelimits import RateLimitExceededError, alimit, limit

    def refused() -> None:
        try:
            limit("refused", key="ada", rate="1/d")
        except RateLimitExceededError:
            return

    print("rate limits, microseconds for each call")
    settings.FASHIONISTAR_COMMON = {"RATE_LIMIT_STORE": "redis"}
    redis = timed("Redis", calls, lambda: limit("bench", key="ada", rate="1000000/s"))
    timed("Redis, refused", calls, refused)
    ours = asyncio.run(atimed("Redis, async", calls, lambda: alimit("bench", key="ada", rate="1000000/s")))
    settings.FASHIONISTAR_COMMON = {"RATE_LIMIT_STORE": "database"}
    database = timed("PostgreSQL", calls, lambda: limit("bench", key="ada", rate="1000000/s"))
    timed("PostgreSQL, refused", calls, refused)
    hop = asyncio.run(atimed("PostgreSQL, async", calls, lambda: alimit("bench", key="ada", rate="1000000/s")))
    print(f"  PostgreSQL costs {database / redis:.1f} times as much, async {hop / ours:.1f} times\n")
    settings.FASHIONISTAR_COMMON = {}


def cached_answers(calls: int) -> None:
    from asgiref.sync import sync_to_async
    from django.http import HttpRequest, HttpResponse
    from django.test import RequestFactory
    from fashionistar_common.http.cache import cached
    from fashionistar_common.models import IdempotencyRecord

    def rows() -> list[dict[str, Any]]:
        return list(
            IdempotencyRecord.objects.order_by("scope").values("scope", "key", "fingerprint", "claimed_at")[:24]
        )

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(json.dumps(rows(), default=str), content_type="application/json")

    async def aview(request: HttpRequest) -> HttpResponse:
        return HttpResponse(json.dumps(await sync_to_async(rows)(), default=str), content_type="application/json")

    request = RequestFactory().get("/rows?limit=24")
    print("answers of a view, microseconds for each request (without the framework around it)")
    kept = cached(3600, tags=["rows"])
    plain = timed("computed", calls, lambda: view(request))
    hit = timed("kept", calls, lambda: kept(view)(request))
    etag = kept(view)(request)["ETag"]
    again = RequestFactory().get("/rows?limit=24", headers={"If-None-Match": etag})
    timed("kept, and the caller has it (304)", calls, lambda: kept(view)(again))
    aplain = asyncio.run(atimed("computed, async", calls, lambda: aview(request)))
    ahit = asyncio.run(atimed("kept, async", calls, lambda: kept(aview)(request)))
    print(f"  what is kept takes {hit / plain:.2f} of the time, async {ahit / aplain:.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=3000)
    options = parser.parse_args()
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="fashionistar-bench-") as folder, services(Path(folder)) as environment:
        os.environ |= environment
        set_up()
        limits(options.calls)
        cached_answers(options.calls)
        from django.db import connections

        connections.close_all()
        for connection in connections.all():
            connection.close_pool()  # type: ignore[attr-defined]
    return 0


if __name__ == "__main__":
    sys.exit(main())
