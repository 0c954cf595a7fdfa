"""System checks.

E001  an unknown key in FASHIONISTAR_AUTH          E004  lifetimes that make no sense
E002  a value of the wrong type                    E005  limits of verification that make no sense
E003  a signing key that is too short              E006  AUTH_USER_MODEL is not this app's user
W001  a signing key that is easy to guess          E007  SIMPLE_JWT renames claims
W002  access tokens live for more than an hour
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name
from fashionistar_common.checks import check_app_settings

from .conf import conf, signing_key

PREFIX = "fashionistar_auth"
#: RFC 7518 section 3.2: a key for HS256 has at least the size of the hash.
KEY_BYTES = 32
INSECURE_PREFIX = "django-insecure-"  # what `startproject` writes


@register()
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    messages = check_app_settings(conf, prefix=PREFIX)
    if messages:
        return messages  # what follows computes with the values
    return [*_check_user_model(), *_check_tokens(), *_check_verification()]


@register(Tags.security, deploy=True)
def check_signing_key(**kwargs: Any) -> list[CheckMessage]:
    key = signing_key()
    if key.startswith(INSECURE_PREFIX) or len(set(key)) < 5:
        return [
            Warning(
                "The key that signs tokens is easy to guess: whoever has it is everybody.",
                hint="Set FASHIONISTAR_AUTH['SIGNING_KEY'] to 50 or more random characters.",
                id=f"{PREFIX}.W001",
            )
        ]
    return []


def _check_user_model() -> list[CheckMessage]:
    if settings.AUTH_USER_MODEL == "fashionistar_auth.User":
        return []
    return [
        Error(
            f"AUTH_USER_MODEL is {settings.AUTH_USER_MODEL!r}.",
            hint="Set AUTH_USER_MODEL = 'fashionistar_auth.User' before the first migrate.",
            id=f"{PREFIX}.E006",
        )
    ]


def _check_tokens() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if (size := len(signing_key().encode())) < KEY_BYTES:
        messages.append(
            Error(
                f"The key that signs tokens has {size} bytes; HS256 needs {KEY_BYTES}.",
                hint="Set FASHIONISTAR_AUTH['SIGNING_KEY'], or a longer SECRET_KEY.",
                id=f"{PREFIX}.E003",
            )
        )
    access, refresh = conf.ACCESS_TOKEN_LIFETIME, conf.REFRESH_TOKEN_LIFETIME
    if not timedelta(seconds=1) <= access < refresh:
        messages.append(
            Error(
                f"Access tokens live for {access}, refresh tokens for {refresh}.",
                hint="ACCESS_TOKEN_LIFETIME is at least a second and shorter than REFRESH_TOKEN_LIFETIME.",
                id=f"{PREFIX}.E004",
            )
        )
    elif access > timedelta(hours=1):
        messages.append(
            Warning(
                f"Access tokens live for {access} and cannot be revoked meanwhile.",
                hint="Set FASHIONISTAR_AUTH['ACCESS_TOKEN_LIFETIME'] to an hour or less.",
                id=f"{PREFIX}.W002",
            )
        )
    renamed = {"JTI_CLAIM": "jti", "TOKEN_TYPE_CLAIM": "token_type"}
    simple_jwt = getattr(settings, "SIMPLE_JWT", None) or {}
    messages += [
        Error(
            f"SIMPLE_JWT[{key!r}] is {simple_jwt[key]!r}.",
            hint=f"This app's tokens have the claim {claim!r}: leave the setting out.",
            id=f"{PREFIX}.E007",
        )
        for key, claim in renamed.items()
        if simple_jwt.get(key, claim) != claim
    ]
    return messages


def _check_verification() -> list[CheckMessage]:
    bounds = {
        "VERIFICATION_LIFETIME": (timedelta(minutes=1), timedelta(days=1)),
        "VERIFICATION_MAX_TRIES": (1, 10),
        "VERIFICATION_COOLDOWN": (timedelta(seconds=1), timedelta(hours=1)),
    }
    return [
        Error(
            f"FASHIONISTAR_AUTH[{key!r}] is {getattr(conf, key)}.",
            hint=f"From {least} to {most}.",
            id=f"{PREFIX}.E005",
        )
        for key, (least, most) in bounds.items()
        if not least <= getattr(conf, key) <= most
    ]
