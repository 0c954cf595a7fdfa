"""Every operation of both versions against hostile input: nothing crashes, nobody gets in, errors are problems."""

import base64
import json
import logging
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from config.management.commands.export_openapi import documents
from django.core.signals import got_request_exception
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from fashionistar_auth.testing import make_user, tokens_for
from fashionistar_catalog.tasks import audit_stock
from fashionistar_catalog.testing import make_category, make_product
from fashionistar_common.types import Role
from fashionistar_orders.models import Order
from fashionistar_payments.models import Payment

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = {"name": "Ada", "line1": "12 Marina Road", "city": "Lagos", "country": "NG"}
#: What is right for each property of a body; a new property needs its line here.
RIGHT: dict[str, Any] = {
    "email": "eve@example.com",
    "password": "a good long pass phrase",
    "role": "client",
    "code": "123456",
    "refresh": "a.b.c",
    "first_name": "Eve",
    "last_name": "Obi",
    "sku": "COAT",
    "quantity": 1,
    "shipping_address": ADDRESS,
    "cart_id": "0" * 32,
    "order_number": "FS-000000000000",
    "provider": "dummy",
    "preferences": [{"category": "updates", "channel": "email", "enabled": False}],
    "endpoint": "https://fcm.googleapis.com/fcm/send/abc",
    "keys": {"p256dh": "BA" + "A" * 85, "auth": "A" * 22},
}
TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "x" * 5000,
    "٣",
    "'; --",
    "{0}%s%(a)s",
    "../..",
    "\r\nX: y",
    "\U0001f9e5" * 90,
]
NESTED: Any = []
for _ in range(90):
    NESTED = [NESTED]
VALUES = [*TEXTS, None, True, False, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**400, [], {}, [None], {"": ""}, NESTED]
# fmt: off
BODIES = [
    b"", b"{", b"null", b"true", b"1", b'"x"', b"[]", b"[{}]", b"NaN", b"-Infinity", b"1e999", b"9" * 5000,
    b"\xff\xfe{}", b'\xef\xbb\xbf{"email": "a"}', b'{"email": "\xed\xa0\x80"}', '{"email": "a"}'.encode("utf-16"),
    b'{"quantity": NaN}', b'{"quantity": 1e999}', b'{"email": 1, "email": null}',
    b"[" * 200_000, b'{"email":' * 100_000, b"x" * 3_000_000,
]
# fmt: on
TYPES = [
    "",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-16",
    "application/json; charset=unicode_escape",
]
QUERIES = [
    "",
    "%00",
    "a%00b",
    "%FF",
    "%ED%A0%80",
    "-1",
    "9" * 30,
    "NaN",
    "1e999",
    "%D9%A3",
    "x" * 5000,
    "%5B%5D",
    "'--",
    "a%20OR%20-%22" * 2000,
]
PATHS = ["%00", "a%00b", "%FF", "%ED%A0%80", "x" * 5000, "..%2F..", "%0D%0A", "%20", "%F0%9F%A7%A5", "{0}", "-1"]
HEADERS = [
    {"Authorization": "Bearer"},
    {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer x"},
    {"Authorization": "Bearer é"},
    {"Authorization": "Bearer " + "a." * 4000},
    {"Authorization": "Bearer " + base64.urlsafe_b64encode(b"[" * 1400).decode().rstrip("=") + ".e30.e30"},
    {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiYXVkIjoiY2xpZW50In0."},
]
KEYS = ["", "x" * 256, "é", "a\tb"]


@dataclass
class Operation:
    """One operation of an OpenAPI document."""

    method: str
    path: str
    queries: list[str]
    body: dict[str, Any] | None
    secured: bool
    #: Whether only one role may come here.
    one_audience: bool = False
    right_path: dict[str, str] = field(default_factory=dict)

    def address(self, **replaced: str) -> str:
        return self.path.format(**{**self.right_path, **replaced})

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def resolve(document: dict[str, Any], schema: Any) -> Any:
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        schema = (
            document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            if "$ref" in schema
            else schema["allOf"][0]
        )
    return schema


def operations(version: str, names: dict[str, str]) -> list[Operation]:
    """Every operation of a version, as its document tells."""
    document = json.loads(documents()[version])
    found = []
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {}).get("application/json")
            schema = resolve(document, content["schema"]) if content else {}
            parameters = told.get("parameters", [])
            found.append(
                Operation(
                    method=method,
                    path=path,
                    queries=[each["name"] for each in parameters if each["in"] == "query"],
                    body={name: RIGHT[name] for name in schema.get("properties", {})} if content else None,
                    secured=bool(told.get("security")),
                    one_audience=bool(told.get("security")) and not re.search("/(auth|notifications|tasks)/", path),
                    right_path={each["name"]: names[each["name"]] for each in parameters if each["in"] == "path"},
                )
            )
    return found


class Attacker:
    """Calls one version of the API and notes what must not be."""

    def __init__(self, version: str, tokens: dict[str, str]) -> None:
        self.version, self.tokens = version, tokens
        self.wrong: list[str] = []
        self.errors: list[str] = []
        self.calls = 0
        client = Client if version == "v1" else AsyncClient
        self.client: Any = client(raise_request_exception=False)

    def note_exception(self, sender: Any, **facts: Any) -> None:
        self.errors.append(repr(sys.exc_info()[1])[:300])

    def report(self) -> str:
        return "\n".join([f"{len(self.wrong)} of {self.calls} calls", *self.wrong[:60]])

    async def __call__(
        self,
        operation: Operation,
        *,
        path: str = "",
        body: Any = ...,
        kind: str = "application/json",
        token: str | None = "client",
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> Any:
        raw = b"" if body is ... else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.tokens[token]}"} if token else {}
        call: Any = self.client.generic
        if self.version == "v1":
            call = sync_to_async(call)
        self.errors.clear()
        self.calls += 1
        response = await call(
            operation.method.upper(),
            (path or operation.address()) + (f"?{query}" if query else ""),
            raw,
            content_type=kind,
            headers={**sent, **(headers or {})},
        )
        about = f"{operation} {path[-40:]!r} ?{query[:60]} {raw[:80]!r} {kind} {headers or ''}"
        if response.status_code >= 500:
            self.wrong.append(f"{response.status_code}: {about}: {self.errors}")
        elif response.status_code >= 400 and response["Content-Type"] != "application/problem+json":
            self.wrong.append(f"{response.status_code} is {response['Content-Type']}: {about}")
        return response


@pytest.fixture(params=["v1", "v2"])
def version(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def attacker(version: str) -> Iterator[Attacker]:
    client, vendor = make_user(email="client@example.com"), make_user(email="vendor@example.com", role=Role.VENDOR)
    found = Attacker(version, {"client": tokens_for(client).access, "vendor": tokens_for(vendor).access})
    got_request_exception.connect(found.note_exception)
    logging.disable(logging.CRITICAL)
    yield found
    logging.disable(logging.NOTSET)
    got_request_exception.disconnect(found.note_exception)


@pytest.fixture
def shop(attacker: Attacker, version: str) -> list[Operation]:
    """A shop in which every address leads somewhere, and the operations on it."""
    category = make_category()
    products = [
        make_product(name, sku=sku, stock=1000, category=category) for name, sku in (("Coat", "COAT"), ("Hat", "HAT"))
    ]
    names = {"slug": products[0].slug, "sku": "COAT", "number": "x", "public_id": "x", "provider": "dummy"}
    names["subscription_id"] = str(uuid4())
    names["task_id"] = audit_stock.enqueue().id
    by_name = {(each.method, each.path.removeprefix(f"/api/{version}")): each for each in operations(version, names)}

    async def fill() -> None:
        for _ in range(2):
            await attacker(by_name["post", "/orders/cart/lines"], body={"sku": "COAT", "quantity": 1})
            order = await attacker(
                by_name["post", "/orders"], body={"email": "eve@example.com", "shipping_address": ADDRESS}
            )
            paid = {"order_number": order.json()["number"]}
            assert (await attacker(by_name["post", "/payments"], body=paid)).status_code == 201

    async_to_sync(fill)()
    assert not attacker.wrong, attacker.report()
    payment, order = Payment.objects.earliest("pk"), Order.objects.earliest("pk")
    for each in by_name.values():
        right = {"number": order.number, "public_id": payment.public_id, "slug": products[0].slug}
        if "/categories/" in each.path:
            right["slug"] = category.slug
        if "/vendors/" in each.path:
            right["slug"] = products[0].vendor.slug
        each.right_path |= {name: value for name, value in right.items() if name in each.right_path}
    return list(by_name.values())


def routes(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, route)
        elif isinstance(entry, URLPattern):
            yield route, entry.callback


def test_the_documents_name_every_route_that_there_is() -> None:
    """What the tests below do not know, they cannot attack."""
    names = dict.fromkeys(("slug", "sku", "number", "public_id", "provider", "subscription_id", "task_id"), "x")
    told = [each for version in ("v1", "v2") for each in operations(version, names)]
    pages = {"schema", "docs", "openapi.json", ""}
    served = {
        route for route, _ in routes(get_resolver()) if route.startswith("api/") and route.split("/", 2)[2] not in pages
    }
    plain = {"/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route) for route in served}
    assert plain == {each.path for each in told}


def attempts(operation: Operation) -> Iterator[dict[str, Any]]:
    """Every hostile call of one operation."""
    right: Any = ... if operation.body is None else operation.body
    for name in operation.right_path:
        for value in PATHS:
            yield {"path": operation.address(**{name: value}), "body": right}
    for name in operation.queries:
        for value in QUERIES:
            yield {"query": f"{name}={value}"}
        yield {"query": f"{name}=a&{name}=b&{name}[]=c"}
        for kind in TYPES:
            yield {"query": f"{name}=\\ud800", "kind": kind, "body": b" "}
    yield {"query": "a=1&" * 1200, "body": right}
    yield {"query": "format=xml", "body": right, "headers": {"Accept": "text/html"}}
    yield {"headers": {"Host": "evil.example"}, "body": right}
    if operation.method != "get":
        yield from attempts_to_write(operation, right)


def attempts_to_write(operation: Operation, right: Any) -> Iterator[dict[str, Any]]:
    for key in KEYS:
        yield {"headers": {"Idempotency-Key": key}, "body": right}
    for kind in TYPES:
        yield {"kind": kind, "body": right}
    for body in bodies(operation.body or {}):
        yield {"body": body}
        if isinstance(body, bytes):
            yield {"body": body, "headers": {"Idempotency-Key": quote(body[:20])[:200] or "none"}}


def bodies(right: dict[str, Any]) -> Iterator[Any]:
    """What is no body, and the right body with each of its values exchanged, also one level below."""
    yield from BODIES
    for name, value in right.items():
        for hostile in VALUES:
            yield {**right, name: hostile}
            if isinstance(value, dict):
                yield from ({**right, name: {**value, inner: hostile}} for inner in value)


def cursors(cursor: str) -> Iterator[str]:
    """A cursor that a list has given, with each of its values exchanged."""
    parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    first = len(parts) // 2 + 1
    values = [
        *VALUES,
        float("inf"),
        float("-inf"),
        float("nan"),
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
    ]
    values += ["9999-99-99T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "1e999", "9" * 30]
    for place in range(first, len(parts)):
        for value in values:
            yield pack(json.dumps([*parts[:place], value, *parts[place + 1 :]]))
    for text in ("[" * 45_000, '{"a":' * 9000, "9" * 5000, "[" + "9," * 20_000 + "1]"):
        yield pack(text)


def pack(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_hostile_input_is_refused_and_never_crashes(attacker: Attacker, shop: list[Operation]) -> None:
    async def attack() -> None:
        for operation in shop:
            for attempt in attempts(operation):
                await attacker(operation, **attempt)
            for headers in HEADERS:
                await attacker(operation, token=None, headers=headers)

    async_to_sync(attack)()
    assert not attacker.wrong, attacker.report()


def test_made_up_cursors_are_refused_and_never_crash(attacker: Attacker, shop: list[Operation]) -> None:
    async def attack() -> None:
        for operation in (each for each in shop if "cursor" in each.queries):
            sorts = (
                ["", *(f"&sort={sort}" for sort in ("price", "-price", "name"))]
                if "sort" in operation.queries
                else [""]
            )
            for sort in [*sorts, "&q=coat"] if len(sorts) > 1 else sorts:
                page = await attacker(operation, query=f"limit=1{sort}")
                if cursor := page.json()["next_cursor"]:
                    for made_up in cursors(cursor):
                        await attacker(operation, query=f"cursor={made_up}{sort}")

    async_to_sync(attack)()
    assert not attacker.wrong, attacker.report()


def test_whoever_may_not_is_told_so_before_anything_is_read(attacker: Attacker, shop: list[Operation]) -> None:
    def queries(operation: Operation, **attempt: Any) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as captured:
            response = async_to_sync(attacker)(operation, **attempt)
        return response.status_code, len(captured)

    for operation in (each for each in shop if each.secured):
        for body in (operation.body or {}, b"{", b"\x00"):
            assert queries(operation, token=None, body=body) == (401, 0), operation
            for headers in HEADERS:
                assert queries(operation, token=None, body=body, headers=headers) == (401, 0), operation
            if operation.one_audience:
                assert queries(operation, token="vendor", body=body) == (401, 0), operation
    assert not attacker.wrong, attacker.report()
