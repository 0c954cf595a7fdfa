"""Every error a Fashionistar app raises on purpose.

    FashionistarError
    ├── BadRequestError         the request cannot be read or trusted at all
    ├── InvalidError            the input is understood but breaks a rule
    ├── NotAuthenticatedError   nobody, or nobody we can verify, is asking
    ├── PermissionDeniedError   somebody is asking who may not
    ├── NotFoundError           it is not there, or not there for this actor
    ├── ConflictError           it does not fit the present state
    ├── RateLimitedError        too often
    └── UnavailableError        something needed is not there at the moment

An app derives its own errors from one of these kinds; `http.problems` alone knows what status a kind has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One thing that is wrong in the input.

    Attributes:
        pointer: JSON pointer (RFC 6901) into the body, such as ``/lines/0/sku``; ``?name`` for a query parameter.
        detail: a sentence for a person.
        code: a stable string for a program.
    """

    pointer: str
    detail: str
    code: str = "invalid"


class FashionistarError(Exception):
    """The request could not be done."""

    # The docstring's first line is the message; `{names}` in it are filled from the facts.
    code: ClassVar[str] = "error"

    def __init__(self, detail: str | None = None, *, errors: Sequence[FieldError] = (), **facts: Any) -> None:
        self.facts = facts
        self.errors = tuple(errors)
        self.detail = detail or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0].format(**facts)
        super().__init__(self.detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.detail, self.errors, self.facts))


def _rebuild(
    kind: type[FashionistarError], detail: str, errors: tuple[FieldError, ...], facts: dict[str, Any]
) -> FashionistarError:
    return kind(detail, errors=errors, **facts)


class BadRequestError(FashionistarError):
    """The request cannot be read."""

    code = "bad_request"


class InvalidError(FashionistarError):
    """The input is not valid."""

    code = "invalid"


class NotAuthenticatedError(FashionistarError):
    """Valid credentials are needed."""

    code = "not_authenticated"


class PermissionDeniedError(FashionistarError):
    """This is not allowed."""

    code = "permission_denied"


class NotFoundError(FashionistarError):
    """There is no such thing."""

    code = "not_found"


class ConflictError(FashionistarError):
    """This does not fit the present state."""

    code = "conflict"


class RateLimitedError(FashionistarError):
    """Too many requests."""

    code = "rate_limited"


class UnavailableError(FashionistarError):
    """This is not available at the moment."""

    code = "unavailable"
