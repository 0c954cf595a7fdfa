"""v1: the cart and the orders of the client who asks. Synchronous."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from fashionistar_common.exceptions import FieldError, InvalidError
from fashionistar_common.http.drf import (
    ApiView,
    IsAuthenticated,
    PagedListView,
    actor_of,
    bearer,
    idempotent,
)
from fashionistar_common.http.pagination import Keyset
from fashionistar_common.types import Role
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from ... import services
from ...models import Order
from ...selectors import cart_for_customer, order_for_customer, orders_for_customer
from ...types import Address, CartView, OrderStatus
from .serializers import (
    AddLineSerializer,
    CartSerializer,
    OrderSerializer,
    PlaceOrderSerializer,
    SetLineSerializer,
)


class ClientView(ApiView):
    authentication_classes = [bearer(Role.CLIENT)]
    permission_classes = [IsAuthenticated]


def _input(serializer: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    body = serializer(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _cart(cart: CartView, status: int = 200) -> Response:
    return Response(CartSerializer(cart).data, status=status)


class CartDetail(ClientView):
    @extend_schema(operation_id="cart", responses=CartSerializer, tags=["orders"])
    def get(self, request: Request) -> Response:
        """The open cart, at present prices."""
        return _cart(cart_for_customer(actor_of(request).id))

    @extend_schema(operation_id="clear_cart", responses={200: CartSerializer}, tags=["orders"])
    def delete(self, request: Request) -> Response:
        """Take everything out of the cart."""
        return _cart(services.clear_cart(actor=actor_of(request)))


class CartLines(ClientView):
    @extend_schema(operation_id="add_line", request=AddLineSerializer, responses={201: CartSerializer}, tags=["orders"])
    @idempotent(atomic=True)
    def post(self, request: Request) -> Response:
        """Put pieces of a SKU into the cart, on top of those that are there."""
        body = _input(AddLineSerializer, request)
        return _cart(services.add_line(actor=actor_of(request), **body), status=201)


class CartLineDetail(ClientView):
    @extend_schema(operation_id="set_line", request=SetLineSerializer, responses=CartSerializer, tags=["orders"])
    def patch(self, request: Request, sku: str) -> Response:
        """Set how many pieces of a SKU are wanted."""
        body = _input(SetLineSerializer, request)
        return _cart(services.set_line(actor=actor_of(request), sku=sku, **body))

    @extend_schema(operation_id="remove_line", responses={200: CartSerializer}, tags=["orders"])
    def delete(self, request: Request, sku: str) -> Response:
        """Take a SKU out of the cart."""
        return _cart(services.remove_line(actor=actor_of(request), sku=sku))


class Orders(ClientView, PagedListView):
    serializer_class = OrderSerializer
    keyset = Keyset(ordering=("-placed_at", "-id"))

    def get_queryset(self) -> QuerySet[Order]:
        return orders_for_customer(actor_of(self.request).id, status=_status(self.request))

    @extend_schema(
        operation_id="orders",
        parameters=[OpenApiParameter("status", enum=OrderStatus.values)],
        tags=["orders"],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The client's orders, newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="place_order",
        request=PlaceOrderSerializer,
        responses={201: OrderSerializer},
        tags=["orders"],
    )
    @idempotent(atomic=True)
    def post(self, request: Request) -> Response:
        """Order what is in the cart."""
        body, actor = _input(PlaceOrderSerializer, request), actor_of(request)
        order = services.place_order(
            actor=actor,
            email=body["email"],
            shipping_address=Address(**body["shipping_address"]),
            cart_id=body["cart_id"],
        )
        return Response(OrderSerializer(order_for_customer(actor.id, order.number)).data, status=201)


def _status(request: Request) -> OrderStatus | None:
    value = request.query_params.get("status")
    if value is None:
        return None
    if value not in OrderStatus.values:
        detail = f"One of {', '.join(OrderStatus.values)}."
        raise InvalidError(errors=[FieldError(pointer="?status", detail=detail)])
    return OrderStatus(value)


class OrderDetail(ClientView):
    @extend_schema(operation_id="order", responses=OrderSerializer, tags=["orders"])
    def get(self, request: Request, number: str) -> Response:
        """One of the client's orders."""
        return Response(OrderSerializer(order_for_customer(actor_of(request).id, number)).data)


class OrderCancellation(ClientView):
    @extend_schema(operation_id="cancel_order", request=None, responses=OrderSerializer, tags=["orders"])
    def post(self, request: Request, number: str) -> Response:
        """Cancel an order that is not paid. A second time changes nothing and answers the same."""
        actor = actor_of(request)
        services.cancel_order(number, actor=actor)
        return Response(OrderSerializer(order_for_customer(actor.id, number)).data)
