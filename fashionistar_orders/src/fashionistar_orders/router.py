"""v2: `api.add_router("/orders", create_router())`."""

from fashionistar_common.http.ninja import PROBLEMS, Bearer, Page
from fashionistar_common.types import Role
from ninja import Router

from .api.v2 import endpoints, schemas


def create_router() -> Router:
    """A new router each time, so that a project may mount the app more than once."""
    made = Router(auth=Bearer(Role.CLIENT), tags=["orders"])
    cart = {200: schemas.Cart, **PROBLEMS}
    order = {200: schemas.Order, **PROBLEMS}
    made.get("/cart", response=cart, operation_id="cart")(endpoints.cart)
    made.delete("/cart", response=cart, operation_id="clear_cart")(endpoints.clear_cart)
    made.post("/cart/lines", response={201: schemas.Cart, **PROBLEMS}, operation_id="add_line")(endpoints.add_line)
    made.patch("/cart/lines/{path:sku}", response=cart, operation_id="set_line")(endpoints.set_line)
    made.delete("/cart/lines/{path:sku}", response=cart, operation_id="remove_line")(endpoints.remove_line)
    made.get("", response={200: Page[schemas.Order], **PROBLEMS}, operation_id="orders")(endpoints.orders)
    made.post("", response={201: schemas.Order, **PROBLEMS}, operation_id="place_order")(endpoints.place_order)
    made.get("/{slug:number}", response=order, operation_id="order")(endpoints.order)
    made.post("/{slug:number}/cancel", response=order, operation_id="cancel_order")(endpoints.cancel_order)
    return made


router = create_router()
