"""Rate limits in Redis: one script, so nothing comes in between; one key, so a Cluster will do."""

from typing import Any

from .. import optional_redis
from .rates import Rate

#: KEYS: the key. ARGV: interval (microseconds), limit. Answers whether it is allowed, and the debt in microseconds.
#: The time is the server's. A number of this size is written with its digits, which `tostring` would round.
SPEND = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or '') or 0, now)
if paid + interval - now > interval * limit then
    return {0, paid - now}
end
paid = paid + interval
redis.call('SET', KEYS[1], string.format('%.0f', paid), 'PX', math.ceil((paid - now) / 1000))
return {1, paid - now}
"""


def spend(digest: str, rate: Rate) -> tuple[bool, int]:
    """Count a call; whether it is allowed, and the debt after it in microseconds.

    Raises:
        RedisAwayError: when Redis does not answer. The call may have been counted all the same.
    """
    key = _key(digest)
    allowed, debt = optional_redis.call(key, lambda client: client.eval(SPEND, 1, key, rate.interval, rate.limit))
    return bool(allowed), int(debt)


async def aspend(digest: str, rate: Rate) -> tuple[bool, int]:
    """See spend()."""
    key = _key(digest)

    async def work(client: Any) -> Any:
        return await client.eval(SPEND, 1, key, rate.interval, rate.limit)

    allowed, debt = await optional_redis.acall(key, work)
    return bool(allowed), int(debt)


def forget(digest: str) -> None:
    key = _key(digest)
    try:
        optional_redis.call(key, lambda client: client.delete(key))
    except optional_redis.RedisAwayError:
        return


def _key(digest: str) -> str:
    return optional_redis.prefixed(f"ratelimit:{digest}")
