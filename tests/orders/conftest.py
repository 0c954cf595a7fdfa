import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, Client
from fashionistar_common.types import Actor, Role

# pytest reads this file before Django's settings are known, so models are imported where they are used.
if TYPE_CHECKING:
    from fashionistar_orders.testing import FakeCatalog

VERSIONS = ("v1", "v2")
ADA = Actor("ada", Role.CLIENT)


@pytest.fixture
def orders_settings(settings: Any) -> Callable[..., None]:
    """`orders_settings(MAX_QUANTITY=2)` on top of those of the test project."""

    def change(**values: Any) -> None:
        settings.FASHIONISTAR_ORDERS = {**settings.FASHIONISTAR_ORDERS, **values}

    return change


@pytest.fixture
def shop(orders_settings: Callable[..., None]) -> "Iterator[FakeCatalog]":
    """An empty catalog in memory, which the app under test asks."""
    from fashionistar_orders.testing import fake_catalog

    orders_settings(CATALOG="fashionistar_orders.testing.fake_catalog")
    fake_catalog.reset()
    yield fake_catalog
    fake_catalog.reset()


@dataclass(frozen=True)
class Answer:
    """What both clients' responses have in common."""

    response: Any

    @property
    def status(self) -> int:
        return int(self.response.status_code)

    @property
    def body(self) -> Any:
        return json.loads(self.response.content)


@dataclass(frozen=True)
class Api:
    """The addresses below `/api/<version>/orders`, for one actor."""

    version: str
    actor: Actor | None = ADA

    def of(self, customer_id: str, role: Role = Role.CLIENT) -> "Api":
        return Api(self.version, Actor(customer_id, role))

    def call(self, method: str, path: str = "", body: Any = None, **headers: str) -> Answer:
        from fashionistar_auth.tokens import issue_tokens

        if self.actor:
            headers["Authorization"] = f"Bearer {issue_tokens(self.actor).access}"
        sent: dict[str, Any] = {"headers": headers}
        if body is not None:
            sent |= {"data": json.dumps(body), "content_type": "application/json"}
        address = f"/api/{self.version}/orders{path}"
        if self.version == "v1":
            return Answer(Client().generic(method, address, **sent))

        async def ask() -> Any:
            return await AsyncClient().generic(method, address, **sent)

        return Answer(async_to_sync(ask)())

    def get(self, path: str = "", **headers: str) -> Answer:
        return self.call("GET", path, **headers)

    def post(self, path: str = "", body: Any = None, **headers: str) -> Answer:
        return self.call("POST", path, body, **headers)


@pytest.fixture(params=VERSIONS)
def api(request: pytest.FixtureRequest) -> Api:
    """Each version of the API in turn."""
    return Api(request.param)


@pytest.fixture
def both() -> tuple[Api, Api]:
    return Api("v1"), Api("v2")


@pytest.fixture
def at_once() -> Callable[[list[Callable[[], object]]], list[object]]:
    """Start all calls at the same moment, each in its own thread and connection; their results or errors, in order."""

    def run_all(calls: list[Callable[[], object]]) -> list[object]:
        barrier = Barrier(len(calls))

        def run(call: Callable[[], object]) -> object:
            barrier.wait()
            try:
                return call()
            except Exception as error:  # noqa: BLE001 - the test looks at whatever came
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as threads:
            return list(threads.map(run, calls))

    return run_all


ORDER_BODY = {
    "email": "ada@example.com",
    "shipping_address": {
        "name": "Ada Obi",
        "line1": "12 Awolowo Road",
        "city": "Lagos",
        "country": "NG",
    },
}


@pytest.fixture
def order_body() -> dict[str, Any]:
    return json.loads(json.dumps(ORDER_BODY))
