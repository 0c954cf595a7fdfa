import asyncio
import logging
import os
import threading
import time
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypedDict, Unpack

from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from opentelemetry import propagate

from ..conf import conf
from ..context import request_id
from ..db.transactions import inside_transaction
from . import running
from .breaker import CircuitBreaker
from .errors import AnswerTooLargeError, CallInTransactionError, NoAnswerError
from .retries import PASSING, may_repeat, pause

try:
    import httpx
except ImportError as error:
    raise ImproperlyConfigured("Outgoing calls need the extra: pip install 'fashionistar-common[httpx]'.") from error

logger = logging.getLogger(__name__)

#: The request has not left: no connection was to be had.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_breakers: dict[str, CircuitBreaker] = {}


def _no_cookies() -> CookieJar:
    """A jar that takes none: what one answer sets would go along with everybody's next calls."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


class Call(TypedDict, total=False):
    """What a request has besides its method and path; `deadline` is in seconds, for all attempts together."""

    params: Mapping[str, str | int]
    headers: Mapping[str, str]
    json: Any
    data: Mapping[str, Any]
    content: bytes | str
    idempotency_key: str
    deadline: float


class Client:
    """Calls one provider. Make one for each, at module level or once per configuration: it keeps its connections.

    - Every attempt has a time limit (`OUTGOING_TIMEOUT` for each step), all of them together a deadline
      (`OUTGOING_DEADLINE`), an answer a size (`OUTGOING_MAX_BYTES`). Redirects are answers, not followed; cookies
      are not kept.
    - A call is repeated up to `OUTGOING_ATTEMPTS` times when the request has surely not left, or when its method is
      idempotent or it has an `idempotency_key`: after a failed connection, a broken answer, and 408, 425, 429, 500,
      502, 503, 504. `Retry-After` is honoured as long as the deadline allows.
    - All clients of one name share a circuit breaker.
    - `X-Request-ID` and the trace go along. What is logged is the path: no query, no header, no body.

    Args:
        name: what the provider is called in errors and logs.
        base_url: where it is. Paths are below it; an absolute address is refused.
        options: further arguments of `httpx.AsyncClient`, such as `headers`, `auth` or `verify`.
    """

    def __init__(self, name: str, *, base_url: str, **options: Any) -> None:
        self.name = name
        self.breaker = _breakers.setdefault(name, CircuitBreaker(name))
        self._options = {"base_url": base_url, "follow_redirects": False, "cookies": _no_cookies(), **options}
        self._lock = threading.Lock()
        self._http: tuple[int, httpx.AsyncClient] | None = None

    def request(self, method: str, path: str, **call: Unpack[Call]) -> httpx.Response:
        """Call the provider and return its whole answer, whatever its status.

        Raises:
            CallInTransactionError: a transaction of ours is open.
            CircuitOpenError: it has failed too often of late.
            NoAnswerError: it could not be reached or did not answer in time.
            AnswerTooLargeError: there is more than may be.
        """
        self._refuse_inside_transaction()
        return running.run(self._call(method, path, call))

    async def arequest(self, method: str, path: str, **call: Unpack[Call]) -> httpx.Response:
        """See request()."""
        # A transaction is open in the thread that runs synchronous code for us, not in that of the event loop.
        await sync_to_async(self._refuse_inside_transaction)()
        return await asyncio.wrap_future(running.start(self._call(method, path, call)))

    def close(self) -> None:
        """Close the connections that are kept; the next call makes new ones."""
        with self._lock:
            kept, self._http = self._http, None
        if kept and kept[0] == os.getpid():
            running.run(kept[1].aclose())

    def _refuse_inside_transaction(self) -> None:
        if inside_transaction():
            raise CallInTransactionError(provider=self.name)

    def _client(self) -> httpx.AsyncClient:
        with self._lock:
            if self._http is None or self._http[0] != os.getpid():  # connections of another process are not ours
                self._http = (os.getpid(), httpx.AsyncClient(**self._options))
            return self._http[1]

    async def _call(self, method: str, path: str, call: Call) -> httpx.Response:
        if httpx.URL(path).is_absolute_url:
            raise ValueError(f"{self.name} is called by a path below its base_url.")
        ends = time.monotonic() + call.get("deadline", conf.OUTGOING_DEADLINE)
        headers = self._headers(call)
        repeatable = may_repeat(method, headers)
        for attempt in range(1, conf.OUTGOING_ATTEMPTS + 1):
            response, error = None, None
            try:
                response = await self._attempt(method, path, headers, call, ends, attempt)
                again, asked = repeatable and response.status_code in PASSING, response.headers.get("retry-after", "")
            except NoAnswerError as failure:
                error = failure
                again, asked = repeatable or not error.facts["sent"], ""
            wait = pause(attempt, asked)
            last = attempt >= conf.OUTGOING_ATTEMPTS or time.monotonic() + wait >= ends
            if again and not last:
                await asyncio.sleep(wait)
            elif response is not None:
                return response
            elif error is not None:
                raise error
        raise AssertionError("there is at least one attempt")

    def _headers(self, call: Call) -> httpx.Headers:
        headers = httpx.Headers(call.get("headers"))
        if key := call.get("idempotency_key"):
            headers["Idempotency-Key"] = key
        if known := request_id.get():
            headers.setdefault("X-Request-ID", known)
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        headers.update(carrier)
        headers.setdefault("Accept-Encoding", "identity")  # what is small when it comes is small when it is read
        return headers

    async def _attempt(
        self, method: str, path: str, headers: httpx.Headers, call: Call, ends: float, attempt: int
    ) -> httpx.Response:
        """One attempt, counted by the breaker."""
        period, began, ok, status = self.breaker.enter(), time.monotonic(), None, "no answer"
        try:
            left = max(0.001, ends - began)
            async with asyncio.timeout(left):
                response = await self._exchange(method, path, headers, call, min(left, conf.OUTGOING_TIMEOUT))
            ok, status = response.status_code < 500, str(response.status_code)
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol):
            raise  # the caller's mistake, such as a line break in a header
        except (httpx.RequestError, TimeoutError) as error:
            ok, status = None if isinstance(error, httpx.PoolTimeout) else False, type(error).__name__
            raise NoAnswerError(provider=self.name, sent=not isinstance(error, NOT_SENT)) from error
        except AnswerTooLargeError:
            ok, status = False, "too large"
            raise
        finally:
            self.breaker.leave(period, ok=ok)
            facts = {"provider": self.name, "method": method, "path": path.partition("?")[0], "status": status}
            spent = round((time.monotonic() - began) * 1000)
            level = logging.INFO if ok else logging.WARNING
            logger.log(level, "outgoing call", extra={**facts, "attempt": attempt, "milliseconds": spent})
        return response

    async def _exchange(
        self,
        method: str,
        path: str,
        headers: httpx.Headers,
        call: Call,
        timeout: float,  # noqa: ASYNC109
    ) -> httpx.Response:
        given: Mapping[str, Any] = call
        content: dict[str, Any] = {name: given[name] for name in ("params", "json", "data", "content") if name in given}
        body, most = bytearray(), conf.OUTGOING_MAX_BYTES
        async with self._client().stream(method, path, headers=headers, timeout=timeout, **content) as response:
            announced = response.headers.get("content-length", "")
            if announced.isdigit() and int(announced[:18]) > most and method.upper() != "HEAD":
                raise AnswerTooLargeError(provider=self.name)
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > most:
                    raise AnswerTooLargeError(provider=self.name)
        kept = [(name, value) for name, value in response.headers.multi_items() if name.lower() != "content-encoding"]
        return httpx.Response(response.status_code, headers=kept, content=bytes(body), request=response.request)
