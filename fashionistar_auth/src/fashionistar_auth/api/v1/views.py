"""v1: parse, call one service, answer."""

from typing import Any

from django.db import transaction
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from fashionistar_common.http.drf import ApiView, IsAuthenticated, actor_of, bearer
from fashionistar_common.types import Role
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from ... import selectors, services
from ...types import TokenPair
from . import serializers as bodies


def _parse(kind: type[Serializer[object]], request: Request) -> dict[str, Any]:
    body = kind(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _tokens(pair: TokenPair) -> Response:
    return Response(bodies.TokenPairOut(pair).data, headers={"Cache-Control": "no-store"})


@extend_schema(tags=["auth"])
class Register(ApiView):
    @extend_schema(
        operation_id="register", summary="Register", request=bodies.RegisterIn, responses={201: bodies.RegistrationOut}
    )
    def post(self, request: Request) -> Response:
        """Make an account and have a code mailed. The answer is the same for an address that has an account."""
        data = _parse(bodies.RegisterIn, request)
        registration = services.register_user(email=data["email"], password=data["password"], role=Role(data["role"]))
        return Response(bodies.RegistrationOut(registration).data, status=201)


@extend_schema(tags=["auth"])
@method_decorator(transaction.non_atomic_requests, name="dispatch")  # a wrong code is counted, come what may
class VerifyEmail(ApiView):
    @extend_schema(
        operation_id="verify_email", summary="Verify an address", request=bodies.VerifyEmailIn, responses=bodies.UserOut
    )
    def post(self, request: Request) -> Response:
        """Spend the mailed code."""
        return Response(bodies.UserOut(services.verify_email(**_parse(bodies.VerifyEmailIn, request))).data)


@extend_schema(tags=["auth"])
class ResendVerification(ApiView):
    @extend_schema(
        operation_id="resend_verification",
        summary="Ask for a new code",
        request=bodies.ResendVerificationIn,
        responses={202: bodies.ResendVerificationOut},
    )
    def post(self, request: Request) -> Response:
        """Have a new code mailed. The answer is the same for an address that needs none."""
        services.resend_verification(**_parse(bodies.ResendVerificationIn, request))
        return Response({"status": "verification_sent"}, status=202)


@extend_schema(tags=["auth"])
class Login(ApiView):
    @extend_schema(operation_id="login", summary="Log in", request=bodies.LoginIn, responses=bodies.TokenPairOut)
    def post(self, request: Request) -> Response:
        """Exchange address and password for tokens."""
        return _tokens(services.login(**_parse(bodies.LoginIn, request)))


@extend_schema(tags=["auth"])
class Refresh(ApiView):
    @extend_schema(
        operation_id="refresh", summary="Refresh the tokens", request=bodies.RefreshIn, responses=bodies.TokenPairOut
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, once, for the next pair."""
        return _tokens(services.refresh(**_parse(bodies.RefreshIn, request)))


@extend_schema(tags=["auth"])
class Me(ApiView):
    authentication_classes = [bearer()]
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me", summary="Who I am", responses=bodies.UserOut)
    def get(self, request: Request) -> Response:
        """The account that the token belongs to."""
        return Response(bodies.UserOut(selectors.user_of(actor_of(request._request))).data)

    @extend_schema(
        operation_id="update_me", summary="Change my names", request=bodies.ProfileIn, responses=bodies.UserOut
    )
    def patch(self, request: Request) -> Response:
        """Change what is sent, leave the rest."""
        changes = _parse(bodies.ProfileIn, request)
        return Response(bodies.UserOut(services.update_profile(actor=actor_of(request), **changes)).data)
