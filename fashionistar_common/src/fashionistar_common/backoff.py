import random
from datetime import timedelta


def backoff(attempt: int, *, base: float, cap: float = 3600.0) -> timedelta:
    """How long to wait after failed attempt number `attempt` (from 1).

    Exponential, at most `cap` seconds, with ten per cent of jitter: what failed together does not return together.
    """
    seconds = min(cap, base * 2 ** min(attempt - 1, 32))
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 - not a secret
