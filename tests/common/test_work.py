"""Events and tasks: one span each in the trace of whoever caused them, and a log that says whose they are."""

import logging
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from django.db import transaction
from fashionistar_common.context import Origin, origin, request_id
from fashionistar_common.events import Event, event_bus
from fashionistar_common.observability.logs import ContextFilter
from fashionistar_common.observability.tracing import configure_tracing, span
from fashionistar_common.tasks import task
from fashionistar_common.testing import deliver_events, run_tasks
from opentelemetry.trace import SpanKind, StatusCode

pytest.importorskip("opentelemetry.sdk")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

pytestmark = pytest.mark.django_db(transaction=True)
exporter = InMemorySpanExporter()
logger = logging.getLogger("shop")


@dataclass(frozen=True, kw_only=True)
class HatSold(Event, name="tests_watch.hat_sold", version=1, aggregate="hat"):
    hat: str


@dataclass(frozen=True)
class Sold:
    hat: str


@event_bus.subscribe("tests_watch.hat_sold", version=1)
def wrap_sold_hat(event: Sold) -> None:
    logger.info("wrapping")
    wrap.enqueue(event.hat)


@task(max_attempts=1)
def wrap(hat: str) -> None:
    logger.info("wrapped")
    if hat == "torn":
        raise ValueError("ada@mail.example.com")


@pytest.fixture
def spans():
    if not getattr(exporter, "plugged_in", False):
        configure_tracing(processor=SimpleSpanProcessor(exporter))
        exporter.plugged_in = True
    exporter.clear()
    return exporter.get_finished_spans


@pytest.fixture
def lines(caplog):
    caplog.handler.addFilter(annotate := ContextFilter())
    with caplog.at_level(logging.DEBUG):
        yield lambda: [record for record in caplog.records if record.name == "shop" or "fashionistar" in record.name]
    caplog.handler.removeFilter(annotate)


@contextmanager
def a_request():
    tokens = request_id.set("r-1"), origin.set(Origin(user_id="u-1"))
    with span("request", kind=SpanKind.SERVER):
        yield
    request_id.reset(tokens[0])
    origin.reset(tokens[1])


def test_what_a_request_causes_is_of_its_trace(spans, lines):
    with a_request(), transaction.atomic():
        event_bus.publish(HatSold(hat="panama"))
    deliver_events()
    run_tasks()
    consumed = [span for span in spans() if span.kind is SpanKind.CONSUMER]
    [request] = [span for span in spans() if span.kind is SpanKind.SERVER]
    event, done = (next(span for span in consumed if span.name.startswith(kind)) for kind in ("event", "task"))
    assert event.name == f"event tests_watch.hat_sold -> {__name__}.wrap_sold_hat"
    assert done.name == f"task {__name__}.wrap"
    assert {span.context.trace_id for span in consumed} == {request.context.trace_id}
    assert (event.parent.span_id, done.parent.span_id) == (request.context.span_id, event.context.span_id)
    assert event.attributes["subscriber"].endswith("wrap_sold_hat")
    said = {line.getMessage(): line for line in lines()}
    for message, inside in (("wrapping", event), ("wrapped", done)):
        line = said[message]
        assert (line.request_id, line.user_id) == ("r-1", "u-1")
        assert line.trace_id == f"{request.context.trace_id:032x}"
        assert line.span_id == f"{inside.context.span_id:016x}"
    assert (said["wrapping"].event, said["wrapped"].task) == ("tests_watch.hat_sold", "wrap")


def test_what_fails_is_told_within_the_trace(spans, lines):
    with a_request(), transaction.atomic():
        event_bus.publish(HatSold(hat="torn"))
    deliver_events()
    run_tasks()
    [done] = [span for span in spans() if span.name.startswith("task ")]
    assert (done.status.status_code, done.attributes["error.type"]) == (StatusCode.ERROR, "ValueError")
    [gave_up] = [line for line in lines() if line.getMessage() == "task gave up"]
    assert (gave_up.request_id, gave_up.span_id) == ("r-1", f"{done.context.span_id:016x}")
    assert "ada@" not in done.to_json()
