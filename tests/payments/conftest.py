"""What the tests of payments share. What touches a model is imported late: Django is set up after this file is read."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncClient, Client
from fashionistar_common.types import Actor, Role

CUSTOMER = Actor(id="customer-1", role=Role.CLIENT)
STRANGER = Actor(id="customer-2", role=Role.CLIENT)


@pytest.fixture
def orders(settings: Any) -> Iterator[Any]:
    """Payments on their own: the orders are a fake, the gateway is the dummy."""
    from fashionistar_payments.testing import fake_orders

    settings.FASHIONISTAR_PAYMENTS = settings.FASHIONISTAR_PAYMENTS | {
        "ORDERS": "fashionistar_payments.testing.fake_orders"
    }
    fake_orders.by_number.clear()
    yield fake_orders
    fake_orders.by_number.clear()


@pytest.fixture
def gateway() -> Any:
    """The configured dummy provider."""
    from fashionistar_payments.providers import payment_providers

    return payment_providers["dummy"]


class Face:
    """One version of the API, called the same way as the other."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __call__(
        self,
        method: str,
        path: str = "",
        *,
        actor: Actor | None = None,
        headers: Mapping[str, str] | None = None,
        **data: Any,
    ) -> Any:
        from fashionistar_auth.tokens import AccessToken

        sent = dict(headers or {})
        if actor:
            sent["Authorization"] = f"Bearer {AccessToken.for_actor(actor)}"
        client = Client() if self.version == "v1" else AsyncClient()
        call: Callable[..., Any] = getattr(client, method.lower())
        call = call if self.version == "v1" else async_to_sync(call)
        if "body" in data:
            body = data.pop("body")
            data = {"data": body if isinstance(body, bytes) else json.dumps(body), "content_type": "application/json"}
        return call(f"/api/{self.version}/payments{path}", headers=sent, **data)

    def pay(self, order_number: str, *, actor: Actor = CUSTOMER, headers: Mapping[str, str] | None = None) -> Any:
        return self("POST", actor=actor, headers=headers, body={"order_number": order_number})

    def webhook(self, body: bytes, headers: Mapping[str, str], provider: str = "dummy") -> Any:
        return self("POST", f"/webhooks/{provider}", headers=headers, body=body)


@pytest.fixture(params=["v1", "v2"])
def api(request: pytest.FixtureRequest) -> Face:
    return Face(request.param)


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Run calls in as many threads, all started at once; returns their results, an error as itself."""

    def run(*calls: Callable[[], Any]) -> list[Any]:
        barrier = Barrier(len(calls))

        def one(call: Callable[[], Any]) -> Any:
            barrier.wait(20)
            try:
                return call()
            except Exception as error:  # noqa: BLE001 - for the test to judge
                return error
            finally:
                connections.close_all()

        with ThreadPoolExecutor(len(calls)) as executor:
            return list(executor.map(one, calls))

    return run
