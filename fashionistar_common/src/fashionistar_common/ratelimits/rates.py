"""The arithmetic of rate limits: the generic cell rate algorithm (GCRA).

Known from ATM networks (ITU-T I.371, 1996) and, for requests, from Brandur Leach's "Rate Limiting, Cells, and GCRA"
(https://brandur.org/rate-limiting). A key owes `interval` for each call and pays back one microsecond in each. It may
owe `limit * interval` at most. All that is kept is the moment at which everything is paid, the "theoretical arrival
time": one number for a key, whatever the limit. So after a silence `limit` calls may come at once, and each further one
when one is paid back. It is counted in whole microseconds on the clock of the store: servers' clocks may differ.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from django.core.exceptions import ImproperlyConfigured

from ..conf import conf
from ..exceptions import RateLimitedError

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SECOND = 1_000_000
_RATE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,5})?([smhd])", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


class RateLimitExceededError(RateLimitedError):
    """Too many requests. The next one may come in {retry_after} seconds."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls (`limit`) in so many `seconds`."""

    limit: int
    seconds: int

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Self:
        """Read `"10/m"` or `"100/2h"`; s, m, h and d are seconds, minutes, hours and days.

        Raises:
            ValueError: when it is no rate.
        """
        found = _RATE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no rate; one is written as '10/m' or '100/2h'.")
        limit, number, period = found.groups()
        rate = cls(int(limit), int(number or 1) * PERIODS[period])
        if not rate.interval:
            raise ValueError(f"{text!r} is more than a million each second.")
        return rate

    @property
    def interval(self) -> int:
        """Microseconds that one call costs."""
        return self.seconds * SECOND // self.limit


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a key may still do.

    Attributes:
        name: of the limit.
        rate: what it is.
        allowed: whether this call was within it.
        debt: microseconds until everything is paid back.
    """

    name: str
    rate: Rate
    allowed: bool
    debt: int

    @property
    def remaining(self) -> int:
        """Calls that may follow at once."""
        return max(0, self.rate.limit - math.ceil(self.debt / self.rate.interval))

    @property
    def wait(self) -> int:
        """Seconds until there is one more than those."""
        owed = self.debt - (self.rate.limit - self.remaining - 1) * self.rate.interval
        return max(1, math.ceil(owed / SECOND))

    def granted(self) -> Self:
        """Itself.

        Raises:
            RateLimitExceededError: when the call was one too many.
        """
        if not self.allowed:
            raise RateLimitExceededError(limit=self.name, retry_after=self.wait, headers=headers([self]))
        return self


def headers(allowances: list[Allowance]) -> dict[str, str]:
    """`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11), one item for each.

    `r` is what remains, `t` the seconds in which no more than that may come.
    """
    return {
        "RateLimit-Policy": ", ".join(
            f'"{each.name}";q={each.rate.limit};w={each.rate.seconds}' for each in allowances
        ),
        "RateLimit": ", ".join(f'"{each.name}";r={each.remaining};t={each.wait}' for each in allowances),
    }


def rate_of(name: str, default: str) -> Rate | None:
    """The rate of this name; None: no limit."""
    if not _NAME.fullmatch(name):
        raise ImproperlyConfigured(f"{name!r} cannot name a rate limit: letters, digits, '.', '_' and '-' only.")
    text = conf.RATE_LIMITS.get(name, default or None)
    if text is None:
        raise ImproperlyConfigured(f"There is no rate for {name!r}: give one, or set RATE_LIMITS[{name!r}].")
    try:
        return Rate.parse(text) if text else None
    except ValueError as error:
        raise ImproperlyConfigured(f"RATE_LIMITS[{name!r}]: {error}") from error


def digest_of(name: str, key: str) -> str:
    """What a key is stored under: of one length, harmless everywhere, and nobody's e-mail address."""
    return hashlib.sha256(f"{name}\0{key}".encode(errors="surrogatepass")).hexdigest()
