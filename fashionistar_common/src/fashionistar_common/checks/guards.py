"""What can be wrong with rate limits and cached answers."""

from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - its name in Django
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, router

from .. import optional_redis
from ..conf import conf
from ..models import RateLimit
from ..ratelimits.database import DIALECTS
from ..ratelimits.rates import rate_of


@register()
def check_rate_limits(**kwargs: Any) -> list[CheckMessage]:
    """E040: a rate or its name. E042: a store that is not there. W040: counts that a rollback would undo."""
    messages: list[CheckMessage] = []
    for name in conf.RATE_LIMITS if isinstance(conf.RATE_LIMITS, dict) else ():
        try:
            rate_of(str(name), "")
        except (ImproperlyConfigured, TypeError) as error:
            messages.append(Error(f"FASHIONISTAR_COMMON: {error}", id="fashionistar_common.E040"))
    if conf.RATE_LIMIT_STORE == "redis" and not optional_redis.is_there():
        hint = "Set REDIS there, or let CACHES['default'] be Django's RedisCache."
        message = "FASHIONISTAR_COMMON['RATE_LIMIT_STORE'] is redis, and this project has none."
        messages.append(Error(message, hint=hint, id="fashionistar_common.E042"))
    database = connections[router.db_for_write(RateLimit)]
    if database.vendor not in DIALECTS:
        message = f"Rate limits are counted in PostgreSQL or SQLite, not in {database.vendor}."
        messages.append(Error(message, id="fashionistar_common.E043"))
    if database.settings_dict.get("ATOMIC_REQUESTS") and not optional_redis.is_there():
        message = "With ATOMIC_REQUESTS, rate limits in the database do not count requests that fail."
        messages.append(Warning(message, hint="Give the project a Redis.", id="fashionistar_common.W040"))
    return messages


@register()
def check_cached_answers(**kwargs: Any) -> list[CheckMessage]:
    """E044: a lock that is open before it is shut."""
    seconds = conf.CACHE_LOCK_SECONDS
    if isinstance(seconds, (int, float)) and seconds < 0.001:
        message = "FASHIONISTAR_COMMON['CACHE_LOCK_SECONDS'] is more than 0.001."
        return [Error(message, id="fashionistar_common.E044")]
    return []


@register()
def check_redis(**kwargs: Any) -> list[CheckMessage]:
    """E041: REDIS names no servers, two kinds of them, or a package that is not installed."""
    if not isinstance(conf.REDIS, dict) or not conf.REDIS:
        return []
    known = {"URL", "SENTINELS", "SERVICE", "CLUSTER", "CLIENT", "SENTINEL_CLIENT"}
    if unknown := conf.REDIS.keys() - known:
        message = f"FASHIONISTAR_COMMON['REDIS']: {', '.join(sorted(unknown))} is not known."
        return [Error(message, hint=f"Known: {', '.join(sorted(known))}.", id="fashionistar_common.E041")]
    try:
        from ..redis_servers import redis_servers

        redis_servers(conf.REDIS)
    except (ImproperlyConfigured, ValueError, TypeError) as error:
        return [Error(f"FASHIONISTAR_COMMON['REDIS']: {error}", id="fashionistar_common.E041")]
    return []
