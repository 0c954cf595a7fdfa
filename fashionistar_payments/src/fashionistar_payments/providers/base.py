from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from fashionistar_common.money import Money

from ..exceptions import UnsupportedOperationError
from ..types import PaymentRequest, ProviderPayment, ProviderRefund, WebhookNotice


class BaseProvider(ABC):
    """One payment gateway under one alias.

    A provider has `create_payment`, and what its capability flags promise. It takes and gives frozen data, keeps
    no state between calls, touches no database, and is never called inside a transaction.
    """

    # Can money be reserved now and taken later?
    supports_authorize: ClassVar[bool] = False

    # Can reserved money be taken by a call of ours?
    supports_capture: ClassVar[bool] = False

    # Can money be sent back to the customer?
    supports_refund: ClassVar[bool] = False

    # Can less than the whole be sent back, several times?
    supports_partial_refund: ClassVar[bool] = False

    # Can a payment that nobody has paid yet be closed at the gateway?
    supports_void: ClassVar[bool] = False

    # Does the gateway tell the outcome by webhook?
    supports_webhooks: ClassVar[bool] = False

    # Which currencies (ISO 4217) does it take? None: any.
    currencies: ClassVar[frozenset[str] | None] = None

    # Which request headers, in lower case, are worth keeping beside a webhook? Never one that opens a door.
    stored_headers: ClassVar[frozenset[str]] = frozenset({"content-type", "user-agent"})

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    @abstractmethod
    def create_payment(self, request: PaymentRequest) -> ProviderPayment:
        """Start a payment. Asked again with the same `payment_id`, answer with the same payment.

        Raises:
            ProviderUnavailableError: no answer, or none that can be understood. The payment may exist all the same.
        """

    def capture(self, reference: str, *, amount: Money) -> ProviderPayment:
        """Take reserved money. Asked again, answer the same.

        Raises:
            UnsupportedOperationError: not a capability of this provider.
            ProviderUnavailableError: see create_payment().
        """
        raise UnsupportedOperationError(provider=self.alias, operation="capture")

    def void(self, reference: str) -> ProviderPayment:
        """Close a payment that took no money. See capture()."""
        raise UnsupportedOperationError(provider=self.alias, operation="void")

    def refund(self, reference: str, *, amount: Money, key: str) -> ProviderRefund:
        """Send money back; `key` names this refund, so that asking again sends nothing more. See capture()."""
        raise UnsupportedOperationError(provider=self.alias, operation="refund")

    def parse_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> Sequence[WebhookNotice]:
        """Verify a webhook, then read it. `headers` has lower-case names; `now` is aware UTC.

        Raises:
            SignatureError: it does not come from the gateway, or not lately.
            MalformedWebhookError: it does, but cannot be understood.
            UnsupportedOperationError: not a capability of this provider.
        """
        self.verify_webhook(body, headers, now)
        return self.read_webhook(body)

    def verify_webhook(self, body: bytes, headers: Mapping[str, str], now: datetime) -> None:
        """The first half of parse_webhook()."""
        raise UnsupportedOperationError(provider=self.alias, operation="receive webhooks")

    def read_webhook(self, body: bytes) -> Sequence[WebhookNotice]:
        """The second half of parse_webhook(), for a body that was verified when it was stored: a replay comes late."""
        raise UnsupportedOperationError(provider=self.alias, operation="receive webhooks")

    def takes(self, currency: str) -> bool:
        return self.currencies is None or currency in self.currencies

    def check(self, *, deploy: bool = False) -> list[CheckMessage]:
        """Problems of this provider's configuration; `deploy` adds those that only matter in production."""
        return []
