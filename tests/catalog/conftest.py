import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

VERSIONS = ("v1", "v2")


@dataclass(frozen=True)
class Answer:
    """What both clients' responses have in common."""

    status: int
    headers: Any
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


type Get = Callable[..., Answer]


@pytest.fixture(params=VERSIONS)
def get(request: pytest.FixtureRequest) -> Get:
    """`get("/products", q="dress")` of the catalog, once in each API version."""
    return reader(request.param)


def reader(version: str) -> Get:
    def read(path: str, **query: Any) -> Answer:
        address = f"/api/{version}/catalog{path}"
        response = Client().get(address, query) if version == "v1" else async_to_sync(AsyncClient().get)(address, query)
        return Answer(response.status_code, response.headers, response.content)

    return read


@pytest.fixture
def get_both() -> tuple[Get, Get]:
    return reader("v1"), reader("v2")
