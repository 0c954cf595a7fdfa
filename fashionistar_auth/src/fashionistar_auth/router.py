"""v2: `api.add_router("/auth", create_router())`."""

from fashionistar_common.http.ninja import PROBLEMS, Bearer
from ninja import Router

from .api.v2 import endpoints, schemas


def create_router() -> Router:
    """A new router; each can be mounted once."""
    router = Router(tags=["auth"])
    router.post(
        "/register",
        response={201: schemas.RegistrationOut, **PROBLEMS},
        operation_id="register",
        summary="Register",
    )(endpoints.register)
    router.post(
        "/verify-email",
        response={200: schemas.UserOut, **PROBLEMS},
        operation_id="verify_email",
        summary="Verify an address",
    )(endpoints.verify_email)
    router.post(
        "/resend-verification",
        response={202: schemas.ResendVerificationOut, **PROBLEMS},
        operation_id="resend_verification",
        summary="Ask for a new code",
    )(endpoints.resend_verification)
    router.post(
        "/login",
        response={200: schemas.TokenPairOut, **PROBLEMS},
        operation_id="login",
        summary="Log in",
    )(endpoints.login)
    router.post(
        "/refresh",
        response={200: schemas.TokenPairOut, **PROBLEMS},
        operation_id="refresh",
        summary="Refresh the tokens",
    )(endpoints.refresh)
    router.get(
        "/me",
        auth=Bearer(),
        response={200: schemas.UserOut, **PROBLEMS},
        operation_id="me",
        summary="Who I am",
    )(endpoints.me)
    router.patch(
        "/me",
        auth=Bearer(),
        response={200: schemas.UserOut, **PROBLEMS},
        operation_id="update_me",
        summary="Change my names",
    )(endpoints.update_me)
    return router


router = create_router()
