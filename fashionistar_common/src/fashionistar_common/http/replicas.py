"""Which requests may read from replicas."""

import re
import time
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..conf import conf
from ..db.replicas import ReplicaReads, replica_reads
from .middleware import _Middleware

COOKIE = "last_write"
HEADER = "X-Last-Write"
SAFE = {"GET", "HEAD", "OPTIONS"}
_MILLISECONDS = re.compile(r"[0-9]{1,15}")


class ReplicaMiddleware(_Middleware):
    """Lets GET, HEAD and OPTIONS read from replicas, unless their caller may have written a moment ago.

    The answer to a request that wrote carries the time, in a cookie and in `X-Last-Write`; for `REPLICA_STICKY_SECONDS`
    after it, requests that bring it back read from the primary. Callers with credentials who bring neither could have
    written anything, so they read from the primary too. A made-up time misleads nobody but its author.
    """

    def before(self, request: HttpRequest) -> tuple[ExitStack, ReplicaReads | None]:
        stack = ExitStack()
        if request.method not in SAFE or not conf.REPLICAS or self._may_have_written(request):
            return stack, None
        return stack, stack.enter_context(replica_reads())

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        stack, reads = state
        stack.close()
        if not conf.REPLICAS:
            return response
        if request.method not in SAFE or (reads and reads.wrote):
            self._tell(response, int(time.time() * 1000))
        elif _has_credentials(request) and _last_write(request) is None:
            self._tell(response, 0)
        return response

    def _may_have_written(self, request: HttpRequest) -> bool:
        last = _last_write(request)
        if last is None:
            return _has_credentials(request)
        return bool(time.time() - last / 1000 < conf.REPLICA_STICKY_SECONDS)

    def _tell(self, response: HttpResponseBase, moment: int) -> None:
        response[HEADER] = str(moment)
        response.set_cookie(
            COOKIE, str(moment), httponly=True, samesite="Lax", secure=bool(settings.SESSION_COOKIE_SECURE)
        )


def _last_write(request: HttpRequest) -> int | None:
    """Milliseconds since 1970 of the latest write that the caller tells of."""
    told = (request.headers.get(HEADER, ""), request.COOKIES.get(COOKIE, ""))
    moments = [int(text) for text in told if _MILLISECONDS.fullmatch(text)]
    return max(moments, default=None)


def _has_credentials(request: HttpRequest) -> bool:
    return "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
