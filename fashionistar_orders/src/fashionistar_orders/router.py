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
    made.get("/cart", response=cart)(endpoints.cart)
    made.delete("/cart", response=cart)(endpoints.clear_cart)
    made.post("/cart/lines", response={201: schemas.Cart, **PROBLEMS})(endpoints.add_line)
    made.patch("/cart/lines/{path:sku}", response=cart)(endpoints.set_line)
    made.delete("/cart/lines/{path:sku}", response=cart)(endpoints.remove_line)
    made.get("", response={200: Page[schemas.Order], **PROBLEMS})(endpoints.orders)
    made.post("", response={201: schemas.Order, **PROBLEMS})(endpoints.place_order)
    made.get("/{slug:number}", response=order)(endpoints.order)
    made.post("/{slug:number}/cancel", response=order)(endpoints.cancel_order)
    return made


router = create_router()
