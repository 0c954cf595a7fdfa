"""Who is asking: one rule for both faces."""

from collections.abc import Callable

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.module_loading import import_string

from ..conf import conf
from ..context import origin
from ..exceptions import NotAuthenticatedError, PermissionDeniedError
from ..types import Actor, Role


class WrongAudienceError(NotAuthenticatedError):
    """This token is not for this part of the site."""

    code = "wrong_audience"


#: Whether an actor may, by what is known of the actor alone; what depends on a row is a scope (`scope.get_in_scope`).
type Rule = Callable[[Actor], bool]


def check_rule(actor: Actor, rule: Rule) -> None:
    """Let pass whom the rule allows.

    Raises:
        PermissionDeniedError: it does not.
    """
    if not rule(actor):
        raise PermissionDeniedError


def has_role(*roles: Role) -> Rule:
    """The rule that an actor has one of these roles: 403, where `bearer(...)` with them would say 401."""
    return lambda actor: actor.role in roles


def uses_tokens() -> bool:
    """Whether actors come from bearer tokens; otherwise from Django's session."""
    return bool(conf.AUTHENTICATOR)


def actor_from_token(authorization: str, roles: tuple[Role, ...]) -> Actor:
    """Read the `Authorization` header, without a query.

    Raises:
        NotAuthenticatedError: when there is no valid bearer token.
        WrongAudienceError: when its role is none of `roles` (no roles: any).
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticatedError
    actor: Actor = import_string(conf.AUTHENTICATOR)(token.strip())
    return _admit(actor, roles)


def actor_from_user(user: AbstractBaseUser | AnonymousUser, roles: tuple[Role, ...]) -> Actor:
    """The actor behind a session's user: staff by `is_staff`, else a client.

    Raises:
        NotAuthenticatedError: when nobody is logged in.
        WrongAudienceError: when the user's role is none of `roles`.
    """
    if not user.is_authenticated:
        raise NotAuthenticatedError
    return _admit(_actor_behind(user), roles)


def actor_in_session(request: HttpRequest) -> Actor | None:
    """Whom the session has logged in, if anybody has asked for `request.user` yet: it costs no query."""
    user = getattr(request, "_cached_user", None) or getattr(request, "_acached_user", None)
    if user is None or not user.is_authenticated:
        return None
    return _actor_behind(user)


def _actor_behind(user: AbstractBaseUser | AnonymousUser) -> Actor:
    """By their public id, if the project's users have one: what they do has one name, whichever way they came in."""
    role = Role.STAFF if getattr(user, "is_staff", False) else Role.CLIENT
    return Actor(id=str(getattr(user, "public_id", user.pk)), role=role)


def _admit(actor: Actor, roles: tuple[Role, ...]) -> Actor:
    if roles and actor.role not in roles:
        raise WrongAudienceError
    if now := origin.get():  # the one object of this request, so that whoever runs further out sees it, too
        now.user_id, now.role = actor.id, actor.role
    return actor


def actor_of(request: HttpRequest) -> Actor:
    """The actor that the route's authentication has found.

    Raises:
        NotAuthenticatedError: on a route without authentication.
    """
    actor = getattr(request, "auth", None)
    if not isinstance(actor, Actor):
        raise NotAuthenticatedError
    return actor
