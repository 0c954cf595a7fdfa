"""What each request leaves behind: a span, a log line, its numbers. Without a thread hop, for both kinds of handler."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch
from opentelemetry.trace import SpanKind, StatusCode

from ..context import request_id
from ..observability.logs import bound
from ..observability.metrics import gauge, histogram
from ..observability.pool import sample_pools
from ..observability.queries import counted
from ..observability.redaction import REMOVED, is_secret
from ..observability.tracing import parent_of, span
from .middleware import _Middleware

logger = logging.getLogger("fashionistar_common.requests")

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
#: The route of a request that no route matches, so that made-up paths make no new label.
UNMATCHED = "(unmatched)"
#: Names of routes that ask every few seconds; their lines are DEBUG.
PROBES = frozenset({"healthz", "readyz", "metrics"})
#: The status of a request whose caller hung up before it was answered, as nginx has it.
HUNG_UP = 499

LATENCY = histogram("request_seconds", "How long requests took.", ("method", "route", "status"))
QUERIES = histogram(
    "request_queries",
    "How many queries requests made.",
    ("method", "route"),
    (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 100.0),
)
IN_PROGRESS = gauge("requests_in_progress", "Requests that are being answered.")


def route_of(request: HttpRequest) -> str:
    """The template of the route, such as `/api/v2/orders/{number}`; a bounded set, unlike paths."""
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else UNMATCHED


def method_of(request: HttpRequest) -> str:
    """The method, if it is one of HTTP's."""
    return request.method if request.method in METHODS else "OTHER"


def path_of(request: HttpRequest) -> str:
    """The path for the log, without the query and without what a route calls `token`, `otp` and so on."""
    path: str = request.path
    match: ResolverMatch | None = getattr(request, "resolver_match", None)
    for name, value in (match.kwargs if match else {}).items():
        if is_secret(name):
            path = path.replace(str(value), REMOVED)
    return path


class ObserveMiddleware(_Middleware):
    """One span, one log line and some numbers for each request. Stands directly after `OriginMiddleware`.

    The span continues the caller's `traceparent`. The line's logger is `fashionistar_common.requests`; a request whose
    caller hung up has the status 499. The time of a streamed answer ends when its first byte could be sent.
    """

    def __call__(self, request: HttpRequest) -> Any:
        if self.is_async:
            return self.__acall__(request)
        with observed(request) as answers:
            answers.append(self.get_response(request))
        return answers[0]

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with observed(request) as answers:
            answers.append(await self.get_response(request))
        return answers[0]


@contextmanager
def observed(request: HttpRequest) -> Iterator[list[HttpResponseBase]]:
    """Observe the request that runs in the block; the block adds its answer to the list."""
    answers: list[HttpResponseBase] = []
    method = method_of(request)

    def facts() -> Mapping[str, Any]:
        return {"method": method, "path": path_of(request)}

    attributes = {"http.request.method": method, "request_id": request_id.get()}
    parent = parent_of(request.headers)
    began = time.perf_counter()
    IN_PROGRESS.inc()
    try:
        with (
            span(method, kind=SpanKind.SERVER, attributes=attributes, parent=parent) as present,
            bound(facts),
            counted() as queries,
        ):
            try:
                yield answers
            finally:
                route = route_of(request)
                status = answers[0].status_code if answers else HUNG_UP
                present.update_name(f"{method} {route}")
                present.set_attribute("http.route", route)
                present.set_attribute("http.response.status_code", status)
                if status >= 500:
                    present.set_status(StatusCode.ERROR)
                _log(request, route, status, queries=len(queries.seconds))
                LATENCY.labels(method, route, f"{status // 100}xx").observe(time.perf_counter() - began)
                QUERIES.labels(method, route).observe(len(queries.seconds))
    finally:
        IN_PROGRESS.dec()
        sample_pools()


def _log(request: HttpRequest, route: str, status: int, *, queries: int) -> None:
    match = getattr(request, "resolver_match", None)
    level = logging.DEBUG if match and match.url_name in PROBES and status < 500 else logging.INFO
    facts = {"status": status, "route": route, "queries": queries}
    logger.log(level, "%s %s %s", method_of(request), path_of(request), status, extra=facts)
