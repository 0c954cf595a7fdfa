"""What can go wrong with a payment.

PaymentError
├── PaymentNotFoundError             404
├── OrderAlreadyPaidError            409
├── NothingToPayError                409
├── PaymentInProgressError           409
├── InvalidProviderError             422
├── UnsupportedCurrencyError         422
├── UnsupportedOperationError        409
├── UnknownProviderError             404
├── ProviderUnavailableError         503
├── ProviderNotConfiguredError       503
├── PortNotConfiguredError           503
├── ProviderCallInTransactionError   a bug of the caller
├── WebhookError
│   ├── SignatureError               400
│   └── MalformedWebhookError        400
└── UnsettledWebhookError            kept with its error, for an operator; the gateway hears 200
    ├── UnknownReferenceError
    ├── AmountMismatchError
    └── DuplicateChargeError

WebhookNotProcessedError             503, so that the gateway sends the webhook again
ProviderMisconfiguredError           an ImproperlyConfigured, not a PaymentError: no request can cause it
"""

from django.core.exceptions import ImproperlyConfigured
from fashionistar_common.exceptions import (
    BadRequestError,
    ConflictError,
    FashionistarError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)


class PaymentError(FashionistarError):
    """The payment could not be handled."""

    code = "payment_error"


class PaymentNotFoundError(PaymentError, NotFoundError):
    """There is no such payment."""

    code = "payment_not_found"


class OrderAlreadyPaidError(PaymentError, ConflictError):
    """Order {order_number} is paid already."""

    code = "order_already_paid"


class NothingToPayError(PaymentError, ConflictError):
    """Order {order_number} costs nothing, so there is nothing to pay."""

    code = "nothing_to_pay"


class PaymentInProgressError(PaymentError, ConflictError):
    """Another payment of order {order_number} is in progress with {provider}."""

    code = "payment_in_progress"


class InvalidProviderError(PaymentError, InvalidError):
    """There is no payment provider {provider!r}."""

    code = "invalid_provider"


class UnsupportedCurrencyError(PaymentError, InvalidError):
    """{provider} does not take {currency}."""

    code = "unsupported_currency"


class UnsupportedOperationError(PaymentError, ConflictError):
    """{provider} cannot {operation}."""

    code = "unsupported_operation"


class UnknownProviderError(PaymentError, NotFoundError):
    """There is no payment provider {provider!r}."""

    code = "unknown_provider"


class ProviderUnavailableError(PaymentError, UnavailableError):
    """{provider} does not answer; the payment is pending and the request can be repeated."""

    code = "provider_unavailable"


class ProviderNotConfiguredError(PaymentError, UnavailableError):
    """No payment provider is configured."""

    code = "provider_not_configured"


class PortNotConfiguredError(PaymentError, UnavailableError):
    """Payments are not connected to orders: FASHIONISTAR_PAYMENTS["ORDERS"] is not set."""

    code = "port_not_configured"


class ProviderCallInTransactionError(PaymentError):
    """A provider must not be called inside a transaction: rows would stay locked for as long as the network likes."""

    code = "provider_call_in_transaction"


class WebhookError(PaymentError, BadRequestError):
    """The webhook is refused."""

    code = "webhook_refused"


class SignatureError(WebhookError):
    """The signature does not hold."""

    code = "invalid_signature"


class MalformedWebhookError(WebhookError):
    """The body is signed but cannot be understood."""

    code = "malformed_webhook"


class UnsettledWebhookError(PaymentError):
    """The webhook is authentic, but it does not fit what is known here."""

    code = "unsettled_webhook"


class UnknownReferenceError(UnsettledWebhookError):
    """No payment of {provider} has the reference {reference!r}."""

    code = "unknown_reference"


class AmountMismatchError(UnsettledWebhookError):
    """{provider} reports {reported} for a payment of {expected}."""

    code = "amount_mismatch"


class DuplicateChargeError(UnsettledWebhookError):
    """Order {order_number} was paid twice: payment {paid_by} had succeeded before."""

    code = "duplicate_charge"


class WebhookNotProcessedError(PaymentError, UnavailableError):
    """The webhook is stored but could not be processed; send it again."""

    code = "webhook_not_processed"


class ProviderMisconfiguredError(ImproperlyConfigured):
    """A provider in FASHIONISTAR_PAYMENTS["PROVIDERS"] cannot be built."""
