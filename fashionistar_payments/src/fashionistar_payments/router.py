"""v2: `api.add_router("/payments", create_router())`."""

from fashionistar_common.http.ninja import PROBLEMS, Bearer, Page, Problem
from fashionistar_common.types import Role
from ninja import Router

from .api.v2 import endpoints, schemas


def create_router() -> Router:
    """A new router each time, so that a project may mount the app more than once."""
    made = Router(auth=Bearer(Role.CLIENT), tags=["payments"])
    payment = {200: schemas.PaymentOut, **PROBLEMS}
    made.post("", response={201: schemas.PaymentOut, **PROBLEMS}, operation_id="create_payment")(
        endpoints.create_payment
    )
    made.get("", response={200: Page[schemas.PaymentOut], **PROBLEMS}, operation_id="payments")(endpoints.payments)
    made.get("/{slug:public_id}", response=payment, operation_id="payment")(endpoints.payment)
    made.post(
        "/webhooks/{slug:provider}",
        auth=None,
        response={200: schemas.WebhookOut, 400: Problem, **PROBLEMS},
        operation_id="webhook",
    )(endpoints.webhook)
    return made


router = create_router()
