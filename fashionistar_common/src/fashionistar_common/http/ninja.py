"""Building blocks of v2: Django Ninja, asynchronous."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, overload

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.decorators import decorate_view
from ninja.errors import HttpError, ValidationError
from ninja.security.base import AuthBase
from ninja.utils import check_csrf
from pydantic import AfterValidator, PlainSerializer, WithJsonSchema

from ..exceptions import FashionistarError, FieldError, PermissionDeniedError
from ..ratelimits import alimit
from ..types import Actor, Role
from . import cache, idempotency
from . import pagination as keysets
from .cached_answers import arun
from .problems import problem, problem_of
from .ratelimits import By, add_headers, by_actor, by_address, note
from .security import Rule, actor_from_token, actor_from_user, actor_of, check_rule, uses_tokens

__all__ = [
    "PROBLEMS",
    "Bearer",
    "Page",
    "PageQuery",
    "Problem",
    "Text",
    "Timestamp",
    "actor_of",
    "by_actor",
    "by_address",
    "cached",
    "idempotent",
    "install_problem_handlers",
    "paged",
    "throttled",
]


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("Null and surrogate characters are not allowed.")
    return text


def _in_utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


#: Text that a database keeps: without NUL and halves of surrogate pairs, which JSON can spell. DRF refuses them, too.
Text = Annotated[str, AfterValidator(_storable)]
#: A moment, to the microsecond and as DRF writes it; Django's JSON encoder would cut it to milliseconds.
Timestamp = Annotated[datetime, PlainSerializer(_in_utc), WithJsonSchema({"type": "string", "format": "date-time"})]


class ProblemField(Schema):
    pointer: str
    detail: str
    code: str


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[ProblemField]


#: For an operation's `response`: `response={200: OrderOut, **PROBLEMS}`.
PROBLEMS: dict[Any, Any] = {frozenset({401, 403, 404, 409, 422, 429, 503}): Problem}


class Page[T](Schema):
    """One page of a list."""

    results: list[T]
    next_cursor: str | None
    previous_cursor: str | None


class PageQuery(Schema):
    """Where in the list, and how much of it."""

    cursor: str | None = None
    limit: str | None = None


async def paged[M: Model](
    request: HttpRequest,
    response: HttpResponse,
    queryset: QuerySet[M],
    *,
    keyset: keysets.Keyset,
    page: PageQuery,
) -> keysets.Page[M]:
    """Read one page in one thread hop, and set the `Link` header on `response`; see `Keyset.page`."""
    found: keysets.Page[M] = await sync_to_async(keyset.page)(queryset, cursor=page.cursor, limit=page.limit)
    if links := found.links(request):
        response["Link"] = links
    return found


class Bearer(AuthBase):
    """Admits these roles, or any; everybody else gets 401, and 403 whom one of the rules refuses.

    With a token it costs no query and no thread hop.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_bearerFormat = "JWT"  # noqa: N815 - Ninja reads the name

    def __init__(self, *roles: Role, rules: Iterable[Rule] = ()) -> None:
        self.roles, self.rules = roles, tuple(rules)
        super().__init__()

    async def __call__(self, request: HttpRequest) -> Actor:
        if uses_tokens():
            actor = actor_from_token(request.headers.get("Authorization", ""), self.roles)
        elif request.method not in {"GET", "HEAD", "OPTIONS"} and check_csrf(request):
            raise PermissionDeniedError("The CSRF token is missing or wrong.")
        else:
            actor = actor_from_user(await request.auser(), self.roles)
        request.auth = actor  # type: ignore[attr-defined]
        await _spend_waiting(request)
        for rule in self.rules:
            check_rule(actor, rule)
        return actor


type Endpoint = Callable[..., Coroutine[Any, Any, Any]]


@overload
def idempotent(endpoint: Endpoint, /) -> Endpoint: ...
@overload
def idempotent(*, atomic: bool) -> Callable[[Endpoint], Endpoint]: ...
def idempotent(
    endpoint: Endpoint | None = None, /, *, atomic: bool = False
) -> Endpoint | Callable[[Endpoint], Endpoint]:
    """Honour `Idempotency-Key` on an async endpoint; stands below the router's decorator. See `http.idempotency`.

    Args:
        atomic: claim, work and answer are one transaction. For endpoints that do nothing but write to the database of
            `IdempotencyRecord`, and await nothing else: what they do elsewhere is not undone when the transaction is.
    """
    if endpoint is None:
        return functools.partial(_idempotent, atomic=atomic)
    return _idempotent(endpoint, atomic=atomic)


def _idempotent(endpoint: Endpoint, *, atomic: bool) -> Endpoint:
    @functools.wraps(endpoint)
    async def claimed(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        claim = sync_to_async(idempotency.claim)
        return await claim(request, atomic=atomic) or await endpoint(request, *args, **kwargs)

    return decorate_view(functools.partial(_settling, finish=_in_one_transaction if atomic else _with_a_lease))(claimed)


async def _with_a_lease(request: HttpRequest, run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    response = None
    try:
        response = await run()
    finally:
        if hasattr(request, "idempotency_claim"):
            await sync_to_async(idempotency.settle)(request, response)
    return response


async def _in_one_transaction(request: HttpRequest, run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    # A transaction belongs to a thread. This one opens it and, while the endpoint runs on the event loop, does whatever
    # the endpoint hands to `sync_to_async`: so all of it happens on one connection, in one transaction.
    return await sync_to_async(idempotency.in_one_transaction)(request, async_to_sync(run))


def _settling(run: Endpoint, finish: Endpoint) -> Endpoint:
    """Around a whole operation: what it answers is what the claim keeps.

    A caller who hangs up cancels the request, but not the thread in which its service runs: what has begun is brought
    to its end and its answer kept, for the caller will ask again.
    """

    @functools.wraps(run)
    async def settled(request: HttpRequest, **kwargs: Any) -> Any:
        if "Idempotency-Key" not in request.headers:
            return await run(request, **kwargs)
        work = asyncio.create_task(finish(request, functools.partial(run, request, **kwargs)))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise

    return settled


def cached(seconds: int, **how: Any) -> Callable[[Endpoint], Endpoint]:
    """Cache the answers of a GET endpoint, behind its authentication and parsing; see `http.cache.cached`.

    It stands below `@throttled`. With Redis it costs no thread hop.
    """
    policy = cache.policy_of(seconds, **how)

    def around(run: Endpoint) -> Endpoint:
        @functools.wraps(run)
        async def kept(request: HttpRequest, **kwargs: Any) -> Any:
            try:
                response = await run(request, **kwargs)
            except BaseException:
                if ticket := request.__dict__.pop("cache_ticket", None):
                    await arun(policy.give_up(ticket))
                raise
            ticket = request.__dict__.pop("cache_ticket", None)
            return await arun(policy.keep(request, ticket, response)) if ticket else response

        return kept

    def decorate(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            found = await arun(policy.find(request, kwargs))
            if not isinstance(found, cache.Ticket):
                return found
            request.__dict__["cache_ticket"] = found
            return await endpoint(request, *args, **kwargs)

        return decorate_view(around)(answered)

    return decorate


def throttled(name: str, *, by: By = by_address, rate: str = "") -> Callable[[Endpoint], Endpoint]:
    """Answer 429 to callers who exceed the limit; stands between the router's decorator and others of ours.

    A limit by address counts before anything else; any other, when it is known who is asking and before the body is
    read. With Redis it costs no thread hop. See `ratelimits.limit`.

    Args:
        name: of the limit.
        by: whose calls are counted together.
        rate: such as `"10/m"`, unless the setting `RATE_LIMITS` names another.
    """

    async def spend(request: HttpRequest) -> None:
        note(request, await alimit(name, key=by(request), rate=rate))

    def around(run: Endpoint) -> Endpoint:
        @functools.wraps(run)
        async def counted(request: HttpRequest, **kwargs: Any) -> Any:
            if by is by_address:
                try:
                    await spend(request)
                except FashionistarError as error:
                    return problem_of(error)
            else:
                request.__dict__.setdefault("rate_limits_waiting", []).append(spend)
            response = await run(request, **kwargs)
            add_headers(request, response)
            return response

        return counted

    def decorate(endpoint: Endpoint) -> Endpoint:
        @functools.wraps(endpoint)
        async def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await _spend_waiting(request)  # of a route whose authentication is not ours
            return await endpoint(request, *args, **kwargs)

        return decorate_view(around)(counted)

    return decorate


async def _spend_waiting(request: HttpRequest) -> None:
    waiting = request.__dict__.get("rate_limits_waiting", [])
    while waiting:
        await waiting.pop(0)(request)


def install_problem_handlers(api: NinjaAPI) -> None:
    """Make every error of this API a problem."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        FashionistarError: lambda request, error: problem_of(error),
        Http404: lambda request, error: problem(404, detail="There is no such thing."),
        PermissionDenied: lambda request, error: problem(403, detail="This is not allowed."),
        HttpError: lambda request, error: problem(error.status_code, detail=error.message),
        ValidationError: _validation_problem,
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def _validation_problem(request: HttpRequest, error: ValidationError) -> HttpResponse:
    fields = [_field_error(item) for item in error.errors]
    if any(field.pointer.startswith("path:") for field in fields):
        return problem(404, detail="There is no such thing.")
    return problem(422, detail="The input is not valid.", errors=fields)


def _field_error(item: dict[str, Any]) -> FieldError:
    place, *path = item["loc"]
    code, detail = ("required", "This field is required.") if item["type"] == "missing" else ("invalid", item["msg"])
    if place == "body":  # Ninja names the parameter first; the body itself starts behind it
        pointer = "/" + "/".join(str(part) for part in path[1:])
    elif place == "query":
        pointer = f"?{path[-1]}"
    else:
        pointer = f"{place}:{path[-1]}"
    return FieldError(pointer=pointer, detail=detail, code=code)
