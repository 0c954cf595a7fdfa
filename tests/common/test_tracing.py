"""Spans: what is recorded, what continues what, and what stays out."""

import http.server
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from fashionistar_common.context import carried, carrier, request_id
from fashionistar_common.observability import tracing
from fashionistar_common.observability.tracing import configure_tracing, span
from opentelemetry.trace import SpanKind, StatusCode

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
exporter = InMemorySpanExporter()


@pytest.fixture
def spans():
    """The spans that end during the test; a provider can be set once in a process."""
    if not getattr(exporter, "plugged_in", False):
        configure_tracing(processor=SimpleSpanProcessor(exporter))
        exporter.plugged_in = True
    exporter.clear()
    return exporter.get_finished_spans


async def here(request, number):
    await sync_to_async(query)()
    return HttpResponse()


def there(request, number):
    query()
    return HttpResponse()


def query():
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", ["ada@mail.example.com"])


def crash(request):
    raise RuntimeError("ada@mail.example.com")


urlpatterns = [path("async/<int:number>", here), path("sync/<int:number>", there), path("crash", crash)]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        "fashionistar_common.http.middleware.RequestIDMiddleware",
        "fashionistar_common.http.middleware.OriginMiddleware",
        "fashionistar_common.http.observe.ObserveMiddleware",
    ]


def get(address, *, through="async", **headers):
    if through == "async":
        return async_to_sync(AsyncClient(raise_request_exception=False).get)(address, headers=headers)
    return Client(raise_request_exception=False).get(address, headers=headers)


def place_of(parent):
    return (parent.context.trace_id, parent.context.span_id)


@pytest.mark.parametrize("through", ["async", "sync"])
@pytest.mark.parametrize("view", ["async", "sync"])
def test_a_request_continues_its_callers_trace(spans, site, db, view, through):
    get(f"/{view}/7?token=s3cr3t", through=through, traceparent=CALLER, **{"X-Request-ID": "r-3"})
    [request] = [span for span in spans() if span.kind is SpanKind.SERVER]
    assert request.name == f"GET /{view}/<int:number>"
    assert f"{request.context.trace_id:032x}" == CALLER.split("-")[1]
    assert f"{request.parent.span_id:016x}" == CALLER.split("-")[2]
    assert dict(request.attributes) == {
        "http.request.method": "GET",
        "http.route": f"/{view}/<int:number>",
        "http.response.status_code": 200,
        "request_id": "r-3",
    }


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("view", ["async", "sync"])
def test_a_query_is_a_span_of_its_request_and_has_no_values(spans, site, view):
    connection.close()
    connection.close_pool()  # what it holds is older than the instrumentation
    get(f"/{view}/7")
    [request] = [span for span in spans() if span.kind is SpanKind.SERVER]
    calls = [span for span in spans() if span.kind is SpanKind.CLIENT]
    queries = [span for span in calls if span.attributes["db.statement"] == "SELECT %s"]
    assert [(query.context.trace_id, query.parent.span_id) for query in queries] == [place_of(request)]
    assert "ada@" not in str([span.to_json() for span in spans()])


def test_made_up_traces_begin_new_ones(spans, site):
    for made_up in ("00-0-0-00", "x" * 10_000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\x00"):
        get("/crash", traceparent=made_up, baggage="userId=1")
    found = spans()
    assert len({span.context.trace_id for span in found}) == len(found) == 4
    assert {span.parent for span in found} == {None}


def test_a_crash_marks_the_span_and_its_text_stays_out(spans, site):
    get("/crash")
    [request] = spans()
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes["http.response.status_code"] == 500
    with pytest.raises(ValueError, match="ada"), span("work"):
        raise ValueError("ada@mail.example.com")
    work = spans()[-1]
    assert (work.status.status_code, work.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "ada@" not in str([span.to_json() for span in spans()])


def test_what_is_carried_continues_the_trace_elsewhere(spans):
    token = request_id.set("r-5")
    try:
        with span("request", kind=SpanKind.SERVER):
            facts = carrier()
    finally:
        request_id.reset(token)
    seen = []

    def elsewhere():
        with carried(facts), span("event shop.sold", kind=SpanKind.CONSUMER):
            seen.append(request_id.get())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    request, event = spans()
    assert seen == ["r-5"]
    assert (event.context.trace_id, event.parent.span_id) == place_of(request)


def test_a_call_that_belongs_to_nothing_is_no_trace(spans, db):
    with span("SELECT", kind=SpanKind.CLIENT):
        query()
    assert spans() == ()
    with span("relay"), span("SELECT", kind=SpanKind.CLIENT):
        pass
    assert [span.name for span in spans()] == ["SELECT", "relay"]


@pytest.fixture
def provider():
    """Somebody else's server, which notes what it is asked."""
    received = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            received.append(dict(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_a_call_to_a_provider_carries_the_trace_and_its_query_stays_out(spans, provider, kind):
    httpx = pytest.importorskip("httpx")
    address, received = provider

    async def call():
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(f"{address}/pay?key=s3cr3t")

    with span("request", kind=SpanKind.SERVER) as request:
        if kind == "AsyncClient":
            async_to_sync(call)()
        else:
            with httpx.Client(trust_env=False) as client:
                client.get(f"{address}/pay?key=s3cr3t")
    [outgoing] = [span for span in spans() if span.kind is SpanKind.CLIENT]
    assert outgoing.parent.span_id == request.get_span_context().span_id
    context = outgoing.context
    assert received[0]["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert "s3cr3t" not in outgoing.to_json()


def test_without_a_place_to_send_to_nothing_is_set_up(monkeypatch):
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert configure_tracing() is False
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv(tracing.ENDPOINTS[0], "http://127.0.0.1:1")
    assert configure_tracing() is False
