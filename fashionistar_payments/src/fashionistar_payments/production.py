"""What must be true of this app in production; see `fashionistar_common.production`."""

from fashionistar_common.production import Result, failed, passed, production_item

from .conf import conf
from .models import WebhookEvent
from .providers import payment_providers
from .providers.dummy import DummyProvider


@production_item(
    "payments.real_provider",
    "Payments go to a gateway that moves money, and no double of one is configured.",
    evidence="FASHIONISTAR_PAYMENTS['PROVIDERS']",
)
def real_provider() -> Result:
    aliases = list(payment_providers)
    if not aliases:
        return failed("no provider is configured: paying answers 503")
    doubles = [alias for alias in aliases if isinstance(payment_providers[alias], DummyProvider)]
    return failed(f"{', '.join(doubles)} moves no money") if doubles else passed()


@production_item(
    "payments.webhooks_processed",
    "Every webhook that arrived had its effect.",
    evidence="manage.py payments_replay_webhooks",
)
def webhooks_processed() -> Result:
    stuck = WebhookEvent.objects.filter(processed_at__isnull=True, attempts__gte=conf.WEBHOOK_MAX_ATTEMPTS).count()
    return failed(f"{stuck} were given up after {conf.WEBHOOK_MAX_ATTEMPTS} attempts") if stuck else passed()


@production_item(
    "payments.orders_named", "The orders behind the payments are named.", evidence="FASHIONISTAR_PAYMENTS['ORDERS']"
)
def orders_named() -> Result:
    return passed() if conf.ORDERS else failed("ORDERS is empty: paying answers 503")
