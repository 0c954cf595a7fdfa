"""JSON Web Tokens: what is in them, how they are made and when they are refused.

Claims: `iss`, `sub` (the user's public id), `aud` (the role), `token_type` (access or refresh), `jti`, `iat`, `exp`.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Self

from fashionistar_common.exceptions import NotAuthenticatedError
from fashionistar_common.types import Actor, Role
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import Token

from .conf import conf, signing_key
from .exceptions import InvalidTokenError
from .types import TokenPair

ALGORITHM = "HS256"
#: Ours have about 400 characters. Longer ones are refused before they are decoded.
MAX_LENGTH = 2048


@lru_cache(maxsize=4)
def _backend(key: str, issuer: str) -> TokenBackend:
    return TokenBackend(ALGORITHM, signing_key=key, issuer=issuer)


class RoleToken(Token):
    """A token for one actor in one role.

    simplejwt checks signature, algorithm, issuer, expiry and issue time. It takes the audience as one fixed value, and
    the type claim as optional; both are checked here.
    """

    lifetime_setting: ClassVar[str]

    def __init__(self, token: str | None = None) -> None:
        self.lifetime = getattr(conf, self.lifetime_setting)
        super().__init__(token)  # type: ignore[arg-type] # simplejwt calls the encoded string a Token

    @property
    def actor(self) -> Actor:
        return Actor(id=self.payload["sub"], role=Role(self.payload["aud"]))

    @property
    def jti(self) -> str:
        return str(self.payload["jti"])

    @property
    def expires_at(self) -> datetime:
        return datetime.fromtimestamp(self.payload["exp"], tz=UTC)

    @classmethod
    def for_actor(cls, actor: Actor) -> Self:
        token = cls()
        token.payload |= {"sub": actor.id, "aud": actor.role.value, "token_type": cls.token_type}
        return token

    def get_token_backend(self) -> TokenBackend:
        return _backend(signing_key(), conf.ISSUER)

    def verify(self) -> None:
        super().verify()
        claims: dict[str, Any] = self.payload
        if claims.get("token_type") != self.token_type:
            raise TokenError("Token has the wrong type")
        if claims.get("aud") not in tuple(Role):
            raise TokenError("Token has an unknown audience")
        if not isinstance(claims.get("sub"), str) or not isinstance(claims.get("jti"), str):
            raise TokenError("Token names nobody")


class AccessToken(RoleToken):
    """Proves who is asking. It is verified without a query, so it cannot be revoked; it is short-lived instead."""

    token_type = "access"  # noqa: S105 - a claim's value, not a secret
    lifetime_setting = "ACCESS_TOKEN_LIFETIME"


class RefreshToken(RoleToken):
    """Buys one new pair."""

    token_type = "refresh"  # noqa: S105 - a claim's value, not a secret
    lifetime_setting = "REFRESH_TOKEN_LIFETIME"


def issue_tokens(actor: Actor) -> TokenPair:
    """A new access and refresh token for this actor. The caller has verified who that is."""
    return TokenPair(
        access=str(AccessToken.for_actor(actor)),
        refresh=str(RefreshToken.for_actor(actor)),
        expires_in=int(conf.ACCESS_TOKEN_LIFETIME.total_seconds()),
    )


def authenticate(token: str) -> Actor:
    """Whose access token this is. Pure: no query, no thread.

    Named by `FASHIONISTAR_COMMON["AUTHENTICATOR"]`.

    Raises:
        NotAuthenticatedError: malformed, too long, tampered with, another algorithm, issuer, audience or type, expired.
    """
    return _decode(token, AccessToken, NotAuthenticatedError("The access token is invalid or has expired.")).actor


def read_refresh_token(token: str) -> RefreshToken:
    """The verified refresh token. Whether it was used already is the caller's question.

    Raises:
        InvalidTokenError: see `authenticate`.
    """
    return _decode(token, RefreshToken, InvalidTokenError())


def _decode[T: AccessToken | RefreshToken](token: str, kind: type[T], refusal: NotAuthenticatedError) -> T:
    if len(token) > MAX_LENGTH or not token.isascii():
        raise refusal
    try:
        return kind(token)
    except TokenError as error:
        raise refusal from error
