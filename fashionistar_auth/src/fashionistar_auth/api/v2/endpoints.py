"""v2: parse, await one service in one thread hop, answer."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from fashionistar_common.http.ninja import actor_of
from fashionistar_common.types import Role
from ninja import Status

from ... import selectors, services
from ...models import User
from ...types import Registration, TokenPair
from . import schemas


async def register(request: HttpRequest, body: schemas.RegisterIn) -> Status[Registration]:
    """Make an account and have a code mailed. The answer is the same for an address that has an account."""
    register_user = sync_to_async(services.register_user)
    return Status(201, await register_user(email=body.email, password=body.password, role=Role(body.role)))


async def verify_email(request: HttpRequest, body: schemas.VerifyEmailIn) -> User:
    """Spend the mailed code."""
    return await sync_to_async(services.verify_email)(email=body.email, code=body.code)


async def resend_verification(request: HttpRequest, body: schemas.ResendVerificationIn) -> Status[dict[str, str]]:
    """Have a new code mailed. The answer is the same for an address that needs none."""
    await sync_to_async(services.resend_verification)(email=body.email)
    return Status(202, {"status": "verification_sent"})


async def login(request: HttpRequest, response: HttpResponse, body: schemas.LoginIn) -> TokenPair:
    """Exchange address and password for tokens."""
    response["Cache-Control"] = "no-store"
    return await sync_to_async(services.login)(email=body.email, password=body.password)


async def refresh(request: HttpRequest, response: HttpResponse, body: schemas.RefreshIn) -> TokenPair:
    """Exchange a refresh token, once, for the next pair."""
    response["Cache-Control"] = "no-store"
    return await sync_to_async(services.refresh)(refresh=body.refresh)


async def me(request: HttpRequest) -> User:
    """The account that the token belongs to."""
    return await sync_to_async(selectors.user_of)(actor_of(request))


async def update_me(request: HttpRequest, body: schemas.ProfileIn) -> User:
    """Change what is sent, leave the rest."""
    changes = body.model_dump(exclude_unset=True)
    return await sync_to_async(services.update_profile)(actor=actor_of(request), **changes)
