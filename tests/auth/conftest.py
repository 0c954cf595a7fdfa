import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, Client


class Face:
    """One version of the API, called the same way as the other."""

    def __init__(self, version):
        self.version = version

    def __call__(self, method, path, body=None, *, user=None, token=None):
        from fashionistar_auth.testing import bearer_header  # models: not before Django is set up

        headers = bearer_header(user) if user else {"Authorization": f"Bearer {token}"} if token is not None else {}
        client = Client() if self.version == "v1" else AsyncClient()
        call = getattr(client, method.lower())
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        call = call if self.version == "v1" else async_to_sync(call)
        return call(f"/api/{self.version}/auth{path}", headers=headers, **content)

    def post(self, path, body, **options):
        return self("POST", path, body, **options)


@pytest.fixture(params=["v1", "v2"])
def api(request):
    return Face(request.param)


@pytest.fixture
def together():
    """Run a call in many threads that all start at once; returns the results."""

    def run(call, times):
        barrier = Barrier(times)

        def one(_):
            barrier.wait(10)
            try:
                return call()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(times) as executor:
            return list(executor.map(one, range(times)))

    return run
