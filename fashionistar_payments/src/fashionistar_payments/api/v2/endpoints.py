"""v2: the payments of the client who asks, and the gateways' door. Each endpoint is one thread hop."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from fashionistar_common.http.ninja import PageQuery, actor_of, idempotent, paged
from fashionistar_common.http.pagination import Page
from ninja import Query, Status

from ... import selectors, services
from ...models import Payment
from ...types import WebhookReceipt
from . import schemas


@idempotent
async def create_payment(request: HttpRequest, body: schemas.PaymentIn) -> Status[Payment]:
    """Start paying an order."""
    create = sync_to_async(services.create_payment)
    payment = await create(order_number=body.order_number, provider=body.provider, actor=actor_of(request))
    return Status(201, payment)


async def payments(request: HttpRequest, response: HttpResponse, query: Query[PageQuery]) -> Page[Payment]:
    """The client's payments, newest first."""
    found = selectors.payments_of(actor_of(request))
    return await paged(request, response, found, keyset=selectors.PAYMENTS_KEYSET, page=query)


async def payment(request: HttpRequest, public_id: str) -> Payment:
    """One of the client's payments."""
    return await sync_to_async(selectors.payment_of)(actor_of(request), public_id)


async def webhook(request: HttpRequest, provider: str) -> WebhookReceipt:
    """Where a gateway reports. Its signature is its identity."""
    receive = sync_to_async(services.receive_webhook)
    return await receive(provider=provider, body=request.body, headers=request.headers)
