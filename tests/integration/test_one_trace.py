"""One order over HTTP, and everything that tells of it: the same trace id and request id, in one tree of spans."""

import http.server
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test import AsyncClient, Client
from fashionistar_auth.tokens import issue_tokens
from fashionistar_catalog.testing import make_product
from fashionistar_common import outgoing
from fashionistar_common.events import event_bus
from fashionistar_common.models import AuditEntry, OutboxEvent
from fashionistar_common.observability.json_lines import JsonFormatter
from fashionistar_common.observability.logs import ContextFilter
from fashionistar_common.observability.tracing import configure_tracing
from fashionistar_common.tasks import task
from fashionistar_common.testing import deliver_events, run_tasks
from fashionistar_common.types import Actor, Role
from fashionistar_orders.testing import make_cart
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

ADA = Actor("ada", Role.CLIENT)
ADDRESS = {"name": "Ada Obi", "line1": "12 Awolowo Road", "city": "Lagos", "country": "NG"}
exporter = InMemorySpanExporter()
logger = logging.getLogger("shop")
plugged_in: list[bool] = []


@dataclass(frozen=True)
class OrderPlaced:
    """What a courier wants to know."""

    order_number: str


def tell_courier_on_order_placed(event: OrderPlaced) -> None:
    logger.info("in the handler")
    tell_courier.enqueue(event.order_number, COURIER["address"])


@task(max_attempts=1)
def tell_courier(number: str, address: str) -> None:
    logger.info("in the task")
    client = outgoing.Client("courier", base_url=address, trust_env=False)
    client.request("GET", f"/orders/{number}", params={"key": "s3cr3t"})
    client.close()


COURIER: dict[str, str] = {}


@pytest.fixture
def courier() -> Iterator[list[dict[str, str]]]:
    """Somebody else's server; yields the headers of what it is asked. Hears of every order while the test runs."""
    received: list[dict[str, str]] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    COURIER["address"] = f"http://127.0.0.1:{server.server_port}"
    event_bus.subscribe("orders.order_placed", version=1)(tell_courier_on_order_placed)
    yield received
    event_bus.subscriptions("orders.order_placed", 1).pop(f"{__name__}.{tell_courier_on_order_placed.__name__}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def spans() -> Callable[[], tuple[ReadableSpan, ...]]:
    if not plugged_in:  # a provider is set once in a process
        plugged_in.append(configure_tracing(processor=SimpleSpanProcessor(exporter)))
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined] # what it holds may be older than the instrumentation
    exporter.clear()
    return exporter.get_finished_spans


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What production's log would hold."""
    handler, root = logging.StreamHandler(io.StringIO()), logging.getLogger()
    handler.setFormatter(JsonFormatter())
    handler.addFilter(ContextFilter())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in handler.stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(level)


def place_order(version: str, request_id: str) -> str:
    """Order over HTTP; the order's number."""
    gown = make_product(name="Gown", price="125000.00", stock=3)
    make_cart({gown.variants.get().sku: 1}, customer_id=ADA.id)
    headers = {"Authorization": f"Bearer {issue_tokens(ADA).access}", "X-Request-ID": request_id}
    client = Client() if version == "v1" else AsyncClient()
    post: Any = client.post if version == "v1" else async_to_sync(client.post)
    body = {"email": "ada@mail.example.com", "shipping_address": ADDRESS}
    response = post(f"/api/{version}/orders", json.dumps(body), content_type="application/json", headers=headers)
    assert response.status_code == 201, response.content
    return str(response.json()["number"])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_one_trace_from_the_request_to_the_last_call(
    version: str,
    courier: list[dict[str, str]],
    spans: Callable[[], tuple[ReadableSpan, ...]],
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    number = place_order(version, request_id := f"order-by-{version}")
    while deliver_events() + run_tasks():
        pass

    # One tree: request -> handler -> task -> call.
    def named(name: str, kind: SpanKind) -> ReadableSpan:
        [found] = [span for span in spans() if span.name.startswith(name) and span.kind is kind]
        return found

    request = named(f"POST /api/{version}/orders", SpanKind.SERVER)
    handler = named(f"event orders.order_placed -> {__name__}", SpanKind.CONSUMER)
    work = named(f"task {__name__}.tell_courier", SpanKind.CONSUMER)
    [call] = [span for span in spans() if span.name == "GET" and span.kind is SpanKind.CLIENT]
    tree = [request, handler, work, call]
    assert request.parent is None
    for parent, child in pairwise(tree):
        assert parent.context is not None
        assert child.parent is not None
        assert (child.parent.trace_id, child.parent.span_id) == (parent.context.trace_id, parent.context.span_id)
    assert request.context is not None
    trace_id = f"{request.context.trace_id:032x}"
    if connection.vendor == "postgresql":
        inserts = [
            span for span in spans() if "fashionistar_orders_order" in str((span.attributes or {}).get("db.statement"))
        ]
        parents = {span.parent.span_id for span in inserts if span.parent and span.name.startswith("INSERT")}
        assert request.context.span_id in parents

    # Everything that tells of it names the same trace and the same request.
    told = {line["message"]: line for line in lines()}
    [event] = OutboxEvent.objects.filter(name="orders.order_placed", stream__endswith=number)
    audit = AuditEntry.objects.get(action="orders.order_placed", object_id=number)
    access = told[f"POST /api/{version}/orders 201"]
    names = {
        "request log": (access["trace_id"], access["request_id"]),
        "outbox row": (event.context["traceparent"].split("-")[1], event.request_id),
        "handler log": (told["in the handler"]["trace_id"], told["in the handler"]["request_id"]),
        "task log": (told["in the task"]["trace_id"], told["in the task"]["request_id"]),
        "log of the call": (told["outgoing call"]["trace_id"], told["outgoing call"]["request_id"]),
        "outgoing call": (courier[0]["traceparent"].split("-")[1], courier[0]["x-request-id"]),
        "audit row": (audit.trace_id, audit.request_id),
    }
    assert names == dict.fromkeys(names, (trace_id, request_id))
    assert {line["user_id"] for line in told.values() if line["trace_id"] == trace_id} == {ADA.id}

    # And none of it tells more than it should.
    everything = json.dumps(lines()) + "".join(span.to_json() for span in spans())
    for secret in ("ada@mail.example.com", "s3cr3t", "Awolowo", "Bearer ey"):
        assert secret not in everything
