"""The OpenTelemetry SDK, set up; imported only by `tracing.configure_tracing()`, for it needs the extra.

Django itself is traced by `http.observe.ObserveMiddleware` and not by opentelemetry-instrumentation-django: the
middleware of that is synchronous, so it costs every asynchronous request a thread hop, and under ASGI it records
nothing without a second package.
"""

import importlib.util
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, get_current_span
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes


class NoLonelyCalls(Sampler):
    """Samples as another does, but never a call that belongs to nothing.

    An idle relay or worker asks its database and Redis a few times a second; each question would be a trace of its own.
    """

    def __init__(self, inner: Sampler) -> None:
        self.inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is SpanKind.CLIENT and not get_current_span(parent_context).get_span_context().is_valid:
            return SamplingResult(Decision.DROP)
        return self.inner.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"NoLonelyCalls({self.inner.get_description()})"


def new_provider() -> TracerProvider:
    """A provider with the sampler and the resource that the environment names."""
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": "fashionistar"}))
    provider = TracerProvider(resource=resource)
    provider.sampler = NoLonelyCalls(provider.sampler)
    return provider


def exporting() -> SpanProcessor:
    """Spans leave in batches by OTLP over HTTP, from a thread of their own."""
    return BatchSpanProcessor(OTLPSpanExporter())


def instrument() -> None:
    """Trace the calls of psycopg, redis and httpx, as far as installed."""
    if importlib.util.find_spec("psycopg"):
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

        PsycopgInstrumentor().instrument()
    if importlib.util.find_spec("redis"):
        from opentelemetry.instrumentation.redis import RedisInstrumentor

        RedisInstrumentor().instrument()
    if importlib.util.find_spec("httpx"):
        from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

        HTTPXClientInstrumentor().instrument(request_hook=_without_query, async_request_hook=_a_without_query)


def _without_query(span: Span, request: Any) -> None:
    """A provider's URL may hold a key, and its query a person's data."""
    parts = urlsplit(str(request.url))
    host = parts.netloc.rpartition("@")[2]
    for name in ("http.url", "url.full"):
        if name in (getattr(span, "attributes", None) or {}):
            span.set_attribute(name, urlunsplit((parts.scheme, host, parts.path, "", "")))


async def _a_without_query(span: Span, request: Any) -> None:
    _without_query(span, request)
