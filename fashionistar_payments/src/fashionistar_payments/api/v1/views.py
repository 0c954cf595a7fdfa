"""v1: Django REST framework."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from fashionistar_common.http.drf import ApiView, IsAuthenticated, PagedListView, actor_of, bearer, idempotent
from fashionistar_common.types import Role
from rest_framework.request import Request
from rest_framework.response import Response

from ... import selectors, services
from .serializers import PaymentIn, PaymentOut, WebhookOut


@extend_schema_view(get=extend_schema(operation_id="payments"))
class Payments(PagedListView):
    """The client's payments, newest first."""

    authentication_classes = [bearer(Role.CLIENT)]
    permission_classes = [IsAuthenticated]
    serializer_class = PaymentOut
    keyset = selectors.PAYMENTS_KEYSET

    def get_queryset(self) -> Any:
        return selectors.payments_of(actor_of(self.request))

    @extend_schema(operation_id="create_payment", request=PaymentIn, responses={201: PaymentOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """Start paying an order."""
        given = PaymentIn(data=request.data)
        given.is_valid(raise_exception=True)
        payment = services.create_payment(**given.validated_data, actor=actor_of(request))
        return Response(PaymentOut(payment).data, status=201)


class PaymentDetail(ApiView):
    """One of the client's payments."""

    authentication_classes = [bearer(Role.CLIENT)]
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="payment", responses=PaymentOut)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(PaymentOut(selectors.payment_of(actor_of(request), public_id)).data)


class Webhook(ApiView):
    """Where a gateway reports. Its signature is its identity."""

    @extend_schema(operation_id="webhook", request=OpenApiTypes.OBJECT, responses=WebhookOut)
    def post(self, request: Request, provider: str) -> Response:
        receipt = services.receive_webhook(provider=provider, body=request.body, headers=request.headers)
        return Response(WebhookOut(receipt).data)
