"""Middleware that costs an async request no thread hop: each class serves both kinds of handler."""

import functools
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from contextvars import Token
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from ..conf import conf
from ..context import Origin, origin, request_id
from ..db.text import storable
from .client_ip import client_ip
from .problems import CONTENT_TYPE, problem
from .security import actor_in_session

#: Characters of a `User-Agent` that are kept.
BROWSER_LENGTH = 200
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _Middleware:
    """`before` and `after` a request; the same for both kinds of handler."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        state = self.before(request)
        return self.after(request, self.get_response(request), state)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        state = self.before(request)
        return self.after(request, await self.get_response(request), state)

    def before(self, request: HttpRequest) -> Any:
        return None

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        return response


class RequestIDMiddleware(_Middleware):
    """Names each request: by the caller's `X-Request-ID` if it is a plain word, else by a new one.

    The name is in `context.request_id` while the request runs, and in the answer.
    """

    def before(self, request: HttpRequest) -> Token[str]:
        given = request.headers.get("X-Request-ID", "")
        return request_id.set(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        response["X-Request-ID"] = request_id.get()
        request_id.reset(state)
        return response


class ServerTimingMiddleware(_Middleware):
    """Tells how long the application took: `Server-Timing: app;dur=12.3` (milliseconds)."""

    def before(self, request: HttpRequest) -> float:
        return time.perf_counter()

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        response["Server-Timing"] = f"app;dur={(time.perf_counter() - state) * 1000:.1f}"
        return response


class OriginMiddleware(_Middleware):
    """Notes where the request comes from: `context.origin` has its address and browser, and its user once one is known.

    The authentication of a route fills in the user. The address is read behind `TRUSTED_PROXIES` only.
    """

    def before(self, request: HttpRequest) -> Token[Origin | None]:
        browser = storable(request.headers.get("User-Agent", ""))[:BROWSER_LENGTH]
        session = functools.partial(actor_in_session, request)
        return origin.set(Origin(ip=client_ip(request.META), browser=browser, session=session))

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        origin.reset(state)
        return response


class ProblemMiddleware(_Middleware):
    """Turns Django's own error pages below `API_PREFIX` into problems: unknown paths, wrong methods, crashes.

    With DEBUG, a crash keeps its traceback. Below `API_PREFIX` everything is UTF-8, whatever charset the content type
    claims: `unicode_escape` would fill the query with halves of surrogate pairs.
    """

    def before(self, request: HttpRequest) -> None:
        if request.path.startswith(conf.API_PREFIX) and request.encoding is not None:
            request.encoding = "utf-8"

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        status = response.status_code
        if status < 400 or not request.path.startswith(conf.API_PREFIX) or (status == 500 and settings.DEBUG):
            return response
        kind = response.get("Content-Type", "text/html")
        if not kind.startswith("text/") or kind.startswith(CONTENT_TYPE):
            return response
        answer = problem(status, detail=cast(HttpResponse, response).reason_phrase + ".")
        for name in ("Allow", "Retry-After"):
            if name in response:
                answer[name] = response[name]
        return answer
