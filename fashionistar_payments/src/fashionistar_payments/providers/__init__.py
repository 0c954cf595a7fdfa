"""Payment providers, configured by alias in `FASHIONISTAR_PAYMENTS["PROVIDERS"]`.

`payment_providers["dummy"]` is the configured provider of that alias.
"""

from .base import BaseProvider
from .guard import refuse_inside_transaction
from .handler import ProviderHandler, payment_providers

__all__ = ["BaseProvider", "ProviderHandler", "payment_providers", "refuse_inside_transaction"]
