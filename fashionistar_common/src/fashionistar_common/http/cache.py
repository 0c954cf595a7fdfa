"""Answers that are computed once and served to many (see `docs/how-to/cache-answers.md`).

    @cached(60, stale=300, tags=["catalog"])       # a view; for methods of ApiView see http.drf, for v2 http.ninja
    def products(request): ...

    invalidate_on("catalog.product_published", tag="catalog")      # in handlers.py

What is kept is only ever a 200 without cookies, CSRF token and nonce that does not call itself private, under a key of
host, path, query, language, the headers named in `vary`, and for `audience="actor"` who is asking. While one request
computes, others get what is stale or wait for it a little. Without Redis every request computes; nothing fails.
"""

import functools
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csp import get_nonce
from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.translation import get_language

from ..conf import conf
from ..events import event_bus
from ..observability.metrics import counter
from ..optional_redis import RedisAwayError
from . import cached_answers as store
from .cached_answers import Steps, Versions
from .security import actor_of

type Audience = Literal["anonymous", "everyone", "actor"]
type Tags = Iterable[str] | Callable[..., Iterable[str]]
type View = Callable[..., Any]

RESULTS = counter("cached_answers", "Requests to cached views, by what came of them.", ("result",))
#: Seconds between two looks of who waits for another to compute, and for which nobody waits for what cannot be kept.
LOOK, PASS = 0.025, 1.0
#: Headers of one answer only.
OWN_HEADERS = frozenset({"age", "ratelimit", "ratelimit-policy", "x-request-id", "server-timing", "date"})
#: Headers by which answers may differ without being named: the key has the language, and compression comes later.
KNOWN_VARY = frozenset({"accept-encoding", "accept-language"})


@dataclass(frozen=True, slots=True)
class Ticket:
    """What it takes to keep the answer that is computed now. Without a digest it is not kept."""

    digest: str = ""
    versions: Versions = field(default_factory=list)
    token: str = ""
    has_stale: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How the answers of a view are cached; see `cached()`."""

    seconds: int
    stale: int
    browser: int
    audience: Audience
    tags: Tags
    vary: tuple[str, ...]

    def find(self, request: HttpRequest, facts: dict[str, Any]) -> Steps[HttpResponse | Ticket]:
        """The kept answer, or the ticket for a new one."""
        if request.method != "GET" or self._is_for_somebody(request):
            RESULTS.labels("bypass").inc()
            return Ticket()
        digest, token, waited = self._digest(request), uuid.uuid4().hex, 0.0
        tags = list(self.tags(request, **facts) if callable(self.tags) else self.tags)
        try:
            while True:
                present = yield from store.versions(tags)
                entry, left = yield from store.read(digest)
                found, body = store.unpack(entry)
                if found.get("pass"):
                    RESULTS.labels("pass").inc()
                    return Ticket(digest, present)
                valid = found.get("versions") == present
                if valid and left > self.stale * 1000:
                    return self._kept(request, found, body, left, "hit")
                if (yield from store.lock(digest, token=token, seconds=conf.CACHE_LOCK_SECONDS)):
                    ticket = Ticket(digest, present, token, has_stale=valid)
                    return (yield from self._found_meanwhile(request, ticket, entry)) or ticket
                if valid:
                    return self._kept(request, found, body, left, "stale")
                if waited >= conf.CACHE_LOCK_SECONDS:
                    RESULTS.labels("impatient").inc()
                    return Ticket(digest, present)
                yield store.Step(seconds=LOOK)
                waited += LOOK
        except RedisAwayError:
            RESULTS.labels("away").inc()
            return Ticket()

    def _found_meanwhile(self, request: HttpRequest, ticket: Ticket, seen: bytes | None) -> Steps[HttpResponse | None]:
        """What somebody else has stored between our look and our lock."""
        entry, left = yield from store.read(ticket.digest)
        if entry and entry != seen:
            found, body = store.unpack(entry)
            if found.get("versions") == ticket.versions and left > self.stale * 1000:
                yield from store.unlock(ticket.digest, token=ticket.token)
                return self._kept(request, found, body, left, "hit")
        RESULTS.labels("miss").inc()
        return None

    def keep[R: HttpResponseBase](self, request: HttpRequest, ticket: Ticket, response: R) -> Steps[R | HttpResponse]:
        """The answer with its headers, kept if it may be; or 304."""
        if request.method != "GET":
            return response
        if self._is_for_somebody(request):
            patch_cache_control(response, private=True)
            patch_vary_headers(response, self._varies())
            return response
        if not isinstance(response, HttpResponse) or not self._may_be_kept(request, response):
            yield from self.give_up(ticket, crashed=response.status_code >= 500)
            return response
        if "ETag" not in response:
            response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
        public = {"private": True} if self.audience == "actor" else {"public": True}
        stale = {"stale_while_revalidate": self.stale} if self.stale else {}
        patch_cache_control(response, max_age=self.browser, **public, **stale)
        patch_vary_headers(response, self._varies())
        if ticket.digest:
            headers = [[name, value] for name, value in response.items() if name.lower() not in OWN_HEADERS]
            entry = store.pack({"versions": ticket.versions, "headers": headers}, response.content)
            milliseconds = (self.seconds + self.stale) * 1000
            try:
                yield from store.write(ticket.digest, entry, milliseconds=milliseconds, token=ticket.token)
            except RedisAwayError:
                RESULTS.labels("away").inc()
        return _conditional(request, response)

    def give_up(self, ticket: Ticket, *, crashed: bool = True) -> Steps[None]:
        """Let nobody wait for what cannot be kept: others compute, too; after a crash they get what is stale."""
        if not ticket.digest:
            return
        try:
            if crashed and ticket.has_stale:
                yield from store.unlock(ticket.digest, token=ticket.token)
            else:
                entry, left = store.pack({"pass": True}, b""), int(PASS * 1000)
                yield from store.write(ticket.digest, entry, milliseconds=left, token=ticket.token)
        except RedisAwayError:
            return

    def _is_for_somebody(self, request: HttpRequest) -> bool:
        identity = "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES
        return identity and self.audience == "anonymous"

    def _digest(self, request: HttpRequest) -> str:
        # As it was sent: what reads differently is another answer, and the order of one name's values may matter.
        query = sorted(request.META.get("QUERY_STRING", "").split("&"), key=lambda pair: pair.partition("=")[0])
        actor = actor_of(request) if self.audience == "actor" else None
        facts = [
            *(request.scheme, request.get_host(), request.path, query),
            *(get_language() if settings.USE_I18N else "", [request.headers.get(name) for name in self.vary]),
            *((actor.id, actor.role) if actor else ()),
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def _varies(self) -> list[str]:
        return [*self.vary, *(name.title() for name in sorted(self._by_identity()))]

    def _by_identity(self) -> set[str]:
        return set() if self.audience == "everyone" else {"authorization"}

    def _may_be_kept(self, request: HttpRequest, response: HttpResponse) -> bool:
        control, vary = response.get("Cache-Control", "").lower(), response.get("Vary", "").lower()
        named = {name.strip() for name in vary.split(",") if name.strip()}
        return (
            response.status_code == 200
            and not response.cookies
            and not _is_for_one_browser(request)
            and "Content-Encoding" not in response
            and not any(word in control for word in ("no-store", "private"))
            and named <= KNOWN_VARY | {name.lower() for name in self.vary} | self._by_identity()
        )

    def _kept(self, request: HttpRequest, found: dict[str, Any], body: bytes, left: int, result: str) -> HttpResponse:
        RESULTS.labels(result).inc()
        response = HttpResponse(body)
        for name, value in found["headers"]:
            response[name] = value
        response["Age"] = str(max(0, (self.seconds + self.stale) - left // 1000))
        return _conditional(request, response)


def _is_for_one_browser(request: HttpRequest) -> bool:
    """Whether the answer holds what middleware further out will bind to who asks: a CSRF token, a nonce, a session."""
    session = getattr(request, "session", None)
    return bool(
        request.META.get("CSRF_COOKIE_NEEDS_UPDATE") or get_nonce(request) or (session is not None and session.modified)
    )


def _conditional(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The answer; 304 when the caller has it already (`If-None-Match`, compared weakly)."""
    chosen = get_conditional_response(request, etag=response["ETag"], response=response) or response
    if chosen is not response and "Age" in response:
        chosen["Age"] = response["Age"]
    return chosen


def policy_of(
    seconds: int,
    *,
    stale: int = 0,
    browser: int = 0,
    audience: Audience = "anonymous",
    tags: Tags = (),
    vary: Sequence[str] = (),
) -> Policy:
    """See cached()."""
    return Policy(seconds, stale, browser, audience, tags if callable(tags) else tuple(tags), tuple(vary))


def cached(seconds: int, **how: Any) -> Callable[[View], View]:
    """Cache the answers of a Django view, sync or async.

    Args:
        seconds: for which an answer is served.
        stale: seconds after those in which it still is, to others, while one request computes a new one.
        browser: seconds for which browsers and proxies need not ask. By default they ask each time, and get 304.
        audience: who gets the kept answers. `anonymous`: requests without `Authorization` and session; others are
            computed. `everyone`: the answer does not depend on who asks. `actor`: each actor their own.
        tags: what the answer depends on, or a function of the request and the address's parts that says so; words
            without spaces. See `invalidate()`.
        vary: request headers on which the answer depends.
    """
    policy = policy_of(seconds, **how)

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return answer(policy, request, kwargs, lambda: rendered(view(request, *args, **kwargs)))

        @functools.wraps(view)
        async def aanswered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            found = await store.arun(policy.find(request, kwargs))
            if not isinstance(found, Ticket):
                return found
            try:
                response = await view(request, *args, **kwargs)
            except BaseException:
                await store.arun(policy.give_up(found))
                raise
            return await store.arun(policy.keep(request, found, rendered(response)))

        return markcoroutinefunction(aanswered) if iscoroutinefunction(view) else answered

    return decorate


def rendered(response: Any) -> Any:
    """The response with its content, for those that are made of a template or a serializer."""
    return response.render() if hasattr(response, "render") else response


def answer(
    policy: Policy, request: HttpRequest, facts: dict[str, Any], make: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """The kept answer, or the one that is made now. Whatever happens to it, nobody waits for it any longer."""
    found = store.run(policy.find(request, facts))
    if not isinstance(found, Ticket):
        return found
    try:
        response = make()
    except BaseException:
        store.run(policy.give_up(found))
        raise
    return store.run(policy.keep(request, found, response))


def invalidate(*tags: str) -> None:
    """Serve nothing any more that was computed before now and depends on one of these tags.

    Raises:
        RedisAwayError: when Redis does not answer: try again.
    """
    store.run(store.bump(tags))


async def ainvalidate(*tags: str) -> None:
    """See invalidate()."""
    await store.arun(store.bump(tags))


@dataclass(frozen=True)
class _Anything:
    """An event of which nothing needs to be known."""


def invalidate_on(name: str, *, tag: str, version: int = 1) -> None:
    """Invalidate the tag at each event of this name; to be called in an app's `handlers.py`.

    It is an ordinary subscription: while Redis is away, it is tried again. For tags that depend on the event's fields,
    subscribe a handler that calls `invalidate()`.
    """

    def handler(event: _Anything) -> None:
        invalidate(tag)

    handler.__qualname__ = f"invalidate_{tag}_on_{name}"
    event_bus.subscribe(name, version=version)(handler)
