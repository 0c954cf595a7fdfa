"""Errors as `application/problem+json` (RFC 9457): the one table that knows what status an error has."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from django.http import JsonResponse

from .. import exceptions
from ..conf import conf
from ..context import request_id
from ..exceptions import FashionistarError, FieldError

CONTENT_TYPE = "application/problem+json"

STATUS: Mapping[type[FashionistarError], int] = {
    exceptions.BadRequestError: 400,
    exceptions.InvalidError: 422,
    exceptions.NotAuthenticatedError: 401,
    exceptions.PermissionDeniedError: 403,
    exceptions.NotFoundError: 404,
    exceptions.ConflictError: 409,
    exceptions.RateLimitedError: 429,
    exceptions.UnavailableError: 503,
}

#: The code of a problem that is told by its status alone.
CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "not_authenticated",
    403: "permission_denied",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}


def status_of(error: FashionistarError) -> int:
    """The status of the error's kind; 500 for one that derives from no kind."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def problem(
    status: int,
    *,
    detail: str,
    code: str | None = None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> JsonResponse:
    """Build a problem response.

    Args:
        status: the HTTP status.
        detail: a sentence for a person.
        code: a stable string for a program; by default the status's own.
        errors: what is wrong in the input, piece by piece.
        headers: further headers.
    """
    code = code or CODES.get(status, "error")
    body = {
        "type": f"{conf.PROBLEM_BASE_URI}{code}" if conf.PROBLEM_BASE_URI else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id.get(),
        "errors": [{"pointer": e.pointer, "detail": e.detail, "code": e.code} for e in errors],
    }
    response = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def problem_of(error: FashionistarError) -> JsonResponse:
    """The response to one of our own errors. Facts named `headers`, and `retry_after` (seconds), become headers."""
    headers = dict(error.facts.get("headers", {}))
    if "retry_after" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after"])
    return problem(status_of(error), detail=error.detail, code=error.code, errors=error.errors, headers=headers)
