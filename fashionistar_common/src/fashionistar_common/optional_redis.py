"""The Redis of what goes on without it: rate limits and cached answers.

A call takes a fraction of a second at most. When Redis does not answer, that is logged once, and for `PAUSE` seconds
nobody waits for it again. Where it is comes from the setting `REDIS`, else from `CACHES["default"]`.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from django.conf import settings

from .conf import conf

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from .redis_servers import RedisServers

logger = logging.getLogger(__name__)

CACHE_BACKENDS = ("django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache")
#: Seconds that an answer may take, and a new connection: longer than TCP's second try, after one.
TIMEOUT, CONNECT_TIMEOUT = 1.0, 1.5
#: Seconds for which a call is repeated on a broken connection, and for which an outage is believed.
PATIENCE, PAUSE = 0.2, 2.0
#: Calls at the same time of this process's threads, and of each of its event loops. More would not be quicker, each on
#: a connection of its own.
CALLS = 16


class RedisAwayError(Exception):
    """Redis does not answer, or not with what was asked for."""


def options() -> dict[str, Any]:
    """What `redis_servers()` needs to know; empty: this project has no Redis."""
    if conf.REDIS:
        return dict(conf.REDIS)
    cache = settings.CACHES.get("default", {})
    location = cache.get("LOCATION")
    if cache.get("BACKEND") not in CACHE_BACKENDS or not location:
        return {}
    first = re.split("[;,]", location)[0] if isinstance(location, str) else location[0]
    given: Mapping[str, Any] = cache.get("OPTIONS", {})
    return {
        "URL": first,
        "CLIENT": {name: given[name] for name in given if re.match("(db|username|password|ssl)", name)},
    }


def prefixed(key: str) -> str:
    """The key among those of this project: behind the cache's `KEY_PREFIX`."""
    return f"{settings.CACHES.get('default', {}).get('KEY_PREFIX', '')}:{key}"


def is_there() -> bool:
    """Whether this project has a Redis; it may be away at the moment."""
    return bool(options())


def call[T](key: str, work: Callable[["redis.Redis"], T]) -> T:
    """Return `work(client)`, of a client that answers in bytes and reaches the key.

    Raises:
        RedisAwayError: when it does not answer, or this project has none.
    """
    with _slots, _answering() as servers:
        return servers.call(key, work, patience=PATIENCE)


async def acall[T](key: str, work: Callable[["redis.asyncio.Redis"], Awaitable[T]]) -> T:
    """See call(); without a thread hop."""
    async with _slots_of.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CALLS)):
        with _answering() as servers:
            return await servers.acall(key, work, patience=PATIENCE)


_slots = threading.BoundedSemaphore(CALLS)
_slots_of: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
#: By servers: when they may be asked again; the moment is kept until they have answered.
_away_until: "WeakKeyDictionary[RedisServers, float]" = WeakKeyDictionary()


@contextmanager
def _answering() -> "Iterator[RedisServers]":
    servers = _servers()
    if time.monotonic() < _away_until.get(servers, 0):
        raise RedisAwayError("Redis did not answer a moment ago.")
    from redis import RedisError

    try:
        yield servers
    except (RedisError, OSError) as error:
        if servers not in _away_until:
            logger.warning("redis does not answer, going on without it", extra={"error": str(error)[:200]})
        _away_until[servers] = time.monotonic() + PAUSE
        raise RedisAwayError(str(error)) from error
    if _away_until.pop(servers, None):
        logger.info("redis answers again")


def _servers() -> "RedisServers":
    found = options()
    if not found:
        raise RedisAwayError("This project has no Redis.")
    from .redis_servers import redis_servers

    quick = {"socket_timeout": TIMEOUT, "socket_connect_timeout": CONNECT_TIMEOUT}
    client = {**quick, **found.get("CLIENT", {}), "decode_responses": False}
    return redis_servers({**found, "CLIENT": client})
