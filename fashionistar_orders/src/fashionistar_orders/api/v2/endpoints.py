"""v2: the cart and the orders of the client who asks. Each endpoint is one thread hop to one service or selector."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from fashionistar_common.http.ninja import actor_of, idempotent, paged
from fashionistar_common.http.pagination import Keyset, Page
from fashionistar_common.types import Actor
from ninja import Query, Status

from ... import services
from ...models import Order
from ...selectors import cart_for_customer, order_for_customer, orders_for_customer
from ...types import Address, CartView
from . import schemas

NEWEST_FIRST = Keyset(ordering=("-placed_at", "-id"))


async def cart(request: HttpRequest) -> CartView:
    """The open cart, at present prices."""
    return await sync_to_async(cart_for_customer)(actor_of(request).id)


async def clear_cart(request: HttpRequest) -> CartView:
    """Take everything out of the cart."""
    return await sync_to_async(services.clear_cart)(actor=actor_of(request))


@idempotent(atomic=True)
async def add_line(request: HttpRequest, body: schemas.AddLine) -> Status[CartView]:
    """Put pieces of a SKU into the cart, on top of those that are there."""
    add = sync_to_async(services.add_line)
    return Status(201, await add(actor=actor_of(request), sku=body.sku, quantity=body.quantity))


async def set_line(request: HttpRequest, sku: str, body: schemas.SetLine) -> CartView:
    """Set how many pieces of a SKU are wanted."""
    return await sync_to_async(services.set_line)(actor=actor_of(request), sku=sku, quantity=body.quantity)


async def remove_line(request: HttpRequest, sku: str) -> CartView:
    """Take a SKU out of the cart."""
    return await sync_to_async(services.remove_line)(actor=actor_of(request), sku=sku)


async def orders(request: HttpRequest, response: HttpResponse, query: Query[schemas.OrderQuery]) -> Page[Order]:
    """The client's orders, newest first."""
    found = orders_for_customer(actor_of(request).id, status=query.status)
    return await paged(request, response, found, keyset=NEWEST_FIRST, page=query)


@idempotent(atomic=True)
async def place_order(request: HttpRequest, body: schemas.PlaceOrder) -> Status[Order]:
    """Order what is in the cart."""
    return Status(201, await sync_to_async(_placed)(actor_of(request), body))


async def order(request: HttpRequest, number: str) -> Order:
    """One of the client's orders."""
    return await sync_to_async(order_for_customer)(actor_of(request).id, number)


async def cancel_order(request: HttpRequest, number: str) -> Order:
    """Cancel an order that is not paid. A second time changes nothing and answers the same."""
    return await sync_to_async(_cancelled)(actor_of(request), number)


def _placed(actor: Actor, body: schemas.PlaceOrder) -> Order:
    placed = services.place_order(
        actor=actor,
        email=body.email,
        shipping_address=Address(**body.shipping_address.model_dump()),
        cart_id=body.cart_id,
    )
    return order_for_customer(actor.id, placed.number)


def _cancelled(actor: Actor, number: str) -> Order:
    services.cancel_order(number, actor=actor)
    return order_for_customer(actor.id, number)
