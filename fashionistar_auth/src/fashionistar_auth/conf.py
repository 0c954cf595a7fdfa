"""The settings of this app: the keys of `FASHIONISTAR_AUTH`, their types and defaults, read live."""

from datetime import timedelta

from django.conf import settings
from fashionistar_common.conf import AppSettings


class AuthSettings(AppSettings):
    """The settings of `fashionistar_auth`."""

    setting = "FASHIONISTAR_AUTH"

    #: The secret that signs tokens (HS256); at least 32 bytes. Empty: Django's `SECRET_KEY`.
    SIGNING_KEY: str = ""
    #: The `iss` claim. Tokens of another issuer are refused.
    ISSUER: str = "fashionistar"
    #: How long an access token lives. It cannot be revoked, so keep it short.
    ACCESS_TOKEN_LIFETIME: timedelta = timedelta(minutes=15)
    #: How long a refresh token lives. Each can be used once.
    REFRESH_TOKEN_LIFETIME: timedelta = timedelta(days=7)
    #: How long a mailed code is good for, from the moment it is first mailed.
    VERIFICATION_LIFETIME: timedelta = timedelta(minutes=10)
    #: Wrong codes after which the right one is refused too.
    VERIFICATION_MAX_TRIES: int = 5
    #: The pause before a second code; it doubles with each further one in a row, up to a day.
    VERIFICATION_COOLDOWN: timedelta = timedelta(seconds=60)


conf = AuthSettings()


def signing_key() -> str:
    """The secret that signs tokens."""
    key: str = conf.SIGNING_KEY or settings.SECRET_KEY
    return key
