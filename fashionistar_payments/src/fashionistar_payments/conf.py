"""The settings of this app, read live from `FASHIONISTAR_PAYMENTS`."""

from typing import Any

from fashionistar_common.conf import AppSettings


class PaymentsSettings(AppSettings):
    """The settings of `fashionistar_payments`."""

    setting = "FASHIONISTAR_PAYMENTS"

    #: Dotted path of the object that knows what an order costs (see `ports.Orders`); empty: paying answers 503.
    ORDERS: str = ""
    #: Alias -> `{"BACKEND": dotted path of a provider class, "OPTIONS": {...}}`.
    PROVIDERS: dict[str, dict[str, Any]] = {}
    #: Alias used when a request names none; empty: the only configured one.
    DEFAULT_PROVIDER: str = ""
    #: A webhook event that failed this often is left to an operator: the replay passes it by.
    WEBHOOK_MAX_ATTEMPTS: int = 25


conf = PaymentsSettings()
