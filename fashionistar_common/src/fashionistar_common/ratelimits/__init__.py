"""At most so many, in such a time: atomic rate limits for views and services.

    limit("login", key=email, rate="10/m")        # counts this call, or raises RateLimitExceededError
    await alimit("login", key=email, rate="10/m")

`"10/m"` is ten at once and then one every six seconds (see `ratelimits.rates`). The setting `RATE_LIMITS` changes a
rate by its name. Calls are counted in Redis, or in the database where there is none or it does not answer. Call it
outside of transactions: in the database, a rollback takes the count with it, and until the end others wait.
"""

from asgiref.sync import sync_to_async

from .. import optional_redis
from ..conf import conf
from ..optional_redis import RedisAwayError
from . import database, redis
from .rates import Allowance, Rate, RateLimitExceededError, digest_of, rate_of

__all__ = ["Allowance", "Rate", "RateLimitExceededError", "aforget", "alimit", "forget", "limit"]


def limit(name: str, *, key: str, rate: str = "") -> Allowance | None:
    """Count one call, and say what is left.

    Args:
        name: of the limit: letters, digits, `.`, `_` and `-`; callers read it in the header `RateLimit`.
        key: whose calls are counted together, such as an address or an account. Any text; only its digest is stored.
        rate: such as `"10/m"` or `"100/2h"`; `RATE_LIMITS[name]` overrides it, where `""` means no limit.

    Returns:
        What is left; None where nothing is counted.

    Raises:
        RateLimitExceededError: when nothing is left. Such a call costs nothing.
        ImproperlyConfigured: when there is no rate, or it is none.
    """
    chosen = rate_of(name, rate)
    if chosen is None:
        return None
    digest = digest_of(name, key)
    if _in_redis():
        try:
            return Allowance(name, chosen, *redis.spend(digest, chosen)).granted()
        except RedisAwayError:
            if conf.RATE_LIMIT_FALLBACK == "allow":
                return None
    return Allowance(name, chosen, *database.spend(digest, chosen)).granted()


async def alimit(name: str, *, key: str, rate: str = "") -> Allowance | None:
    """See limit(). With Redis it costs no thread hop."""
    chosen = rate_of(name, rate)
    if chosen is None:
        return None
    digest = digest_of(name, key)
    if _in_redis():
        try:
            return Allowance(name, chosen, *await redis.aspend(digest, chosen)).granted()
        except RedisAwayError:
            if conf.RATE_LIMIT_FALLBACK == "allow":
                return None
    return Allowance(name, chosen, *await sync_to_async(database.spend)(digest, chosen)).granted()


def forget(name: str, *, key: str) -> None:
    """Give the key its full allowance back, as after the right password. A Redis that is away forgets nothing."""
    digest = digest_of(name, key)
    if _in_redis():
        redis.forget(digest)
    database.forget(digest)


async def aforget(name: str, *, key: str) -> None:
    """See forget()."""
    await sync_to_async(forget)(name, key=key)


def _in_redis() -> bool:
    return conf.RATE_LIMIT_STORE == "redis" or (conf.RATE_LIMIT_STORE == "auto" and optional_redis.is_there())
