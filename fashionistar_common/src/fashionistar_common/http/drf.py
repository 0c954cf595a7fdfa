"""Building blocks of v1: Django REST framework, synchronous."""

import functools
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any, ClassVar, overload

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.generics import ListAPIView
from rest_framework.pagination import BasePagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Field
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from ..exceptions import FashionistarError, FieldError, NotAuthenticatedError
from ..money import JSON_SCHEMA, Money, MoneyError
from ..ratelimits import limit
from ..types import Actor, Role
from . import cache, idempotency
from .pagination import Keyset, Page
from .problems import problem, problem_of
from .ratelimits import By, add_headers, by_actor, by_address, note
from .security import Rule, actor_from_token, actor_from_user, actor_of, check_rule, uses_tokens

__all__ = [
    "ApiView",
    "IsAuthenticated",
    "MoneyField",
    "PagedListView",
    "actor_of",
    "allowed",
    "bearer",
    "by_actor",
    "by_address",
    "cached",
    "idempotent",
    "throttle",
]


def problem_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler: every error is a problem; an unexpected one is Django's to report."""
    match error:
        case FashionistarError():
            return problem_of(error)
        case Http404():
            return problem(404, detail="There is no such thing.")
        case PermissionDenied():
            return problem(403, detail="This is not allowed.")
        case exceptions.ValidationError():
            errors = list(_field_errors(error.detail, ""))
            return problem(422, detail="The input is not valid.", errors=errors)
        case exceptions.Throttled():
            wait = getattr(error, "wait", None)  # seconds, or unknown
            headers = {"Retry-After": str(math.ceil(wait))} if wait is not None else None
            return problem(429, detail=str(error.detail), headers=headers)
        case exceptions.APIException():
            return problem(error.status_code, detail=str(error.detail))
    return None


def _field_errors(detail: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _field_errors(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from _field_errors(inner, f"{pointer}/{index}" if isinstance(inner, dict) else pointer)
    else:
        code = "required" if detail.code == "required" else "invalid"
        yield FieldError(pointer=pointer or "/", detail=str(detail), code=code)


class BodyParser(JSONParser):
    """DRF's, for which a body nested deeper than Python's stack would be a crash."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError("JSON parse error - nested too deeply.") from error


class ApiView(APIView):
    """The base of every v1 view: JSON in and out, problems for errors, no project-wide DRF settings needed."""

    schema = AutoSchema()
    parser_classes = [BodyParser]
    renderer_classes = [JSONRenderer]
    authentication_classes = []
    permission_classes = []

    def get_exception_handler(self) -> Callable[..., Any]:
        return problem_handler

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        add_headers(request._request, final)
        return final

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        def run() -> HttpResponseBase:
            response = super(ApiView, self).dispatch(request, *args, **kwargs)
            return response.render() if isinstance(response, Response) else response

        if "Idempotency-Key" not in request.headers:
            return super().dispatch(request, *args, **kwargs)
        handler = getattr(self, str(request.method).lower(), None)
        if getattr(handler, "idempotent_in_one_transaction", False):
            return idempotency.in_one_transaction(request, run)
        try:
            response = run()
        except BaseException:
            idempotency.settle(request, None)
            raise
        idempotency.settle(request, response)
        return response


type Handler = Callable[..., Any]


@overload
def idempotent(handler: Handler, /) -> Handler: ...
@overload
def idempotent(*, atomic: bool) -> Callable[[Handler], Handler]: ...
def idempotent(handler: Handler | None = None, /, *, atomic: bool = False) -> Handler | Callable[[Handler], Handler]:
    """Honour `Idempotency-Key` on a view's `post`; see `http.idempotency`.

    Args:
        atomic: claim, work and answer are one transaction. For handlers that do nothing but write to the database of
            `IdempotencyRecord`: what they do elsewhere is not undone when the transaction is.
    """
    if handler is None:
        return functools.partial(_idempotent, atomic=atomic)
    return _idempotent(handler, atomic=atomic)


def _idempotent(handler: Handler, *, atomic: bool) -> Handler:
    @functools.wraps(handler)
    def claimed(self: ApiView, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        plain: HttpRequest = request._request
        plain.auth = request.auth  # type: ignore[attr-defined]
        return idempotency.claim(plain, atomic=atomic) or handler(self, request, *args, **kwargs)

    claimed.idempotent_in_one_transaction = atomic  # type: ignore[attr-defined]
    return claimed


def cached(seconds: int, **how: Any) -> Callable[[Handler], Handler]:
    """Cache the answers of a view's `get`, behind authentication, permissions and limits; see `http.cache.cached`."""
    policy = cache.policy_of(seconds, **how)

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def answered(self: ApiView, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            def make() -> HttpResponseBase:
                made: HttpResponseBase = cache.rendered(
                    self.finalize_response(request, handler(self, request, *args, **kwargs))
                )
                return made

            plain: HttpRequest = request._request
            plain.auth = request.auth  # type: ignore[attr-defined]
            return cache.answer(policy, plain, kwargs, make)

        return answered

    return decorate


class _Throttle(BaseThrottle):
    name: ClassVar[str]
    rate: ClassVar[str]
    by: ClassVar[By]
    methods: ClassVar[frozenset[str]]

    def allow_request(self, request: Request, view: APIView) -> bool:
        plain: HttpRequest = request._request
        if not self.methods or plain.method in self.methods:
            plain.auth = request.auth  # type: ignore[attr-defined]
            note(plain, limit(self.name, key=type(self).by(plain), rate=self.rate))
        return True


def throttle(name: str, *, by: By = by_address, rate: str = "", methods: Collection[str] = ()) -> type[BaseThrottle]:
    """A class for `throttle_classes`: callers who exceed the limit get 429. See `ratelimits.limit`.

    Args:
        name: of the limit.
        by: whose calls are counted together.
        rate: such as `"10/m"`, unless the setting `RATE_LIMITS` names another.
        methods: the HTTP methods that count; by default all of the view's.
    """
    facts = {"name": name, "rate": rate, "by": staticmethod(by), "methods": frozenset(methods)}
    return type(f"{name}Throttle", (_Throttle,), facts)


class _ActorAuthentication(BaseAuthentication):
    roles: ClassVar[tuple[Role, ...]] = ()

    def authenticate(self, request: Request) -> tuple[Actor, Actor]:
        if uses_tokens():
            actor = actor_from_token(request.headers.get("Authorization", ""), self.roles)
        else:
            found = SessionAuthentication().authenticate(request)  # also enforces CSRF
            actor = actor_from_user(found[0] if found else request._request.user, self.roles)
        return actor, actor

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


@functools.cache
def bearer(*roles: Role) -> type[_ActorAuthentication]:
    """An authentication class that admits these roles, or any; everybody else gets 401 before any query."""
    name = "".join(role.title() for role in roles) or "Any"
    return type(f"{name}Authentication", (_ActorAuthentication,), {"roles": roles})


class _BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = _ActorAuthentication
    match_subclasses = True

    @property
    def name(self) -> str:  # type: ignore[override]
        """One scheme per audience."""
        return "_".join(["bearer", *self.target.roles])

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class IsAuthenticated(BasePermission):
    """Somebody is asking."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, Actor)


def allowed(*rules: Rule) -> type[BasePermission]:
    """A permission class that asks these rules: `permission_classes = [allowed(has_role(Role.STAFF))]`.

    Whom one refuses gets 403; nobody, 401.
    """

    class Allowed(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            if not isinstance(request.auth, Actor):
                raise NotAuthenticatedError
            for rule in rules:
                check_rule(request.auth, rule)
            return True

    return Allowed


@extend_schema_field(JSON_SCHEMA)
class MoneyField(Field):  # type: ignore[type-arg]
    """Money in its JSON form, both ways."""

    def to_representation(self, value: Money) -> dict[str, str]:
        return value.to_json()

    def to_internal_value(self, data: object) -> Money:
        try:
            return Money.from_json(data)
        except MoneyError as error:
            raise exceptions.ValidationError(error.detail) from error


class KeysetPagination(BasePagination):
    """DRF's view of a `Keyset`: the view says which one by `get_keyset()`."""

    page: Page[Any]
    request: Request

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        query = request.query_params
        self.request = request
        self.page = view.get_keyset().page(queryset, cursor=query.get("cursor"), limit=query.get("limit"))
        return list(self.page.results)

    def get_paginated_response(self, data: Any) -> Response:
        body = {
            "results": data,
            "next_cursor": self.page.next_cursor,
            "previous_cursor": self.page.previous_cursor,
        }
        links = self.page.links(self.request._request)
        return Response(body, headers={"Link": links} if links else None)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {"type": "string", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next_cursor", "previous_cursor"],
            "properties": {
                "results": {"type": "array", "items": schema},
                "next_cursor": cursor,
                "previous_cursor": cursor,
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}},
            {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1}},
        ]


class PagedListView(ApiView, ListAPIView):  # type: ignore[type-arg]
    """A list in pages. A subclass has `serializer_class`, `get_queryset()` and `keyset` (or `get_keyset()`)."""

    pagination_class = KeysetPagination
    keyset: ClassVar[Keyset]

    def get_keyset(self) -> Keyset:
        return self.keyset
