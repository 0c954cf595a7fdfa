"""Traces: one from a request to the last handler and task it causes.

`span()` works always; it records once `configure_tracing()` has found where to send to. What crosses a process carries
the trace in `context.carrier()`.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

_tracer = trace.get_tracer("fashionistar_common")
_provider: "TracerProvider | None" = None

#: Where the collector is, in the variables that every OpenTelemetry SDK reads.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int | float | bool] | None = None,
    parent: context.Context | None = None,
) -> Iterator[Span]:
    """Run the block as a span of the present trace, or of the one that `parent` names.

    An error marks the span with its type and goes on. Its text stays out of the trace, as it may hold personal data;
    the log has it, with the span's id and redacted.
    """
    with _tracer.start_as_current_span(
        name,
        context=parent,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as present:
        try:
            yield present
        except BaseException as error:
            present.set_status(Status(StatusCode.ERROR))
            present.set_attribute("error.type", type(error).__qualname__)
            raise


def parent_of(headers: Mapping[str, str]) -> context.Context:
    """The trace that a request's headers continue. Baggage is not taken: with it, anybody could fill our outbox."""
    wanted = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    return TraceContextTextMapPropagator().extract(wanted, context=context.Context())


def configure_tracing(*, processor: "SpanProcessor | None" = None) -> bool:
    """Record traces in this process; call it once, before the first connection to a database is made.

    Does nothing unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) is set or a processor is given, or if
    `OTEL_SDK_DISABLED` is true. The SDK's own variables say the rest: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
    `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`. Instruments psycopg, redis and httpx, as far as installed.

    Args:
        processor: takes the finished spans in place of the OTLP/HTTP exporter. A second call adds one more.

    Returns:
        Whether traces are recorded.

    Raises:
        ImproperlyConfigured: an endpoint is set and the extra `observability` is not installed.
    """
    global _provider
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if disabled or (processor is None and not any(os.environ.get(name) for name in ENDPOINTS)):
        return False
    try:
        from .sdk import exporting, instrument, new_provider
    except ImportError as error:
        raise ImproperlyConfigured(
            "Traces need the extra: pip install 'fashionistar-common[observability]'."
        ) from error
    if _provider is None:
        _provider = new_provider()
        _provider.add_span_processor(processor or exporting())
        trace.set_tracer_provider(_provider)
        instrument()
    elif processor is not None:
        _provider.add_span_processor(processor)
    return True
