"""Many threads at once, and both stores of rate limits."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import pytest
from django.db import connections
from fashionistar_common import optional_redis


@pytest.fixture(autouse=True)
def no_outage_is_known(monkeypatch):
    """What another test has seen of a server that is away is not what this one sees."""
    monkeypatch.setattr(optional_redis, "_away_until", WeakKeyDictionary())


@pytest.fixture
def common_settings(settings):
    """`common_settings(PAGE_SIZE=3)`: on top of what is set."""

    def change(**values):
        settings.FASHIONISTAR_COMMON = {**getattr(settings, "FASHIONISTAR_COMMON", {}), **values}

    return change


@pytest.fixture
def at_once():
    """`at_once([work, ...])`: all at the same time, each in a thread with connections of its own; what they return."""

    def run_all(works):
        start = threading.Barrier(len(works))

        def run(work):
            start.wait()
            try:
                return work()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(works)) as threads:
            return [future.result() for future in [threads.submit(run, work) for work in works]]

    return run_all


@pytest.fixture
def redis_url():
    """Of a server that is shared with other tests: use keys of your own."""
    if "REDIS_URL" not in os.environ:
        pytest.skip("needs Redis: REDIS_URL names none")
    return os.environ["REDIS_URL"]


@pytest.fixture(params=["redis", "database"])
def limit_store(request, common_settings):
    """Both stores of rate limits."""
    if request.param == "redis":
        common_settings(REDIS={"URL": request.getfixturevalue("redis_url")})
    common_settings(RATE_LIMIT_STORE=request.param)
    return request.param
