"""System checks.

E001 unknown setting, E002 setting of the wrong type, E003 ORDERS cannot be imported, E004 a provider cannot be built,
E005 DEFAULT_PROVIDER is none of the providers, W001 ORDERS is not set, W002 no provider is configured.
A provider adds its own; the dummy provider has E006 (no secret) and, with --deploy, E007 (in production).
"""

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string
from fashionistar_common.checks import check_app_settings

from .conf import conf
from .exceptions import ProviderMisconfiguredError
from .providers import BaseProvider, payment_providers


@register()
def check_payments(**kwargs: Any) -> list[CheckMessage]:
    """The settings of this app, and what each provider finds wrong with itself."""
    messages = check_app_settings(conf, prefix="fashionistar_payments")
    if messages:
        return messages
    return [*_check_port(), *_check_default(), *_check_providers(deploy=False)]


@register(deploy=True)
def check_payments_deploy(**kwargs: Any) -> list[CheckMessage]:
    """What the providers say to being used in production."""
    if check_app_settings(conf, prefix="fashionistar_payments"):
        return []
    before = set(map(str, _check_providers(deploy=False)))
    return [message for message in _check_providers(deploy=True) if str(message) not in before]


def _check_port() -> Iterator[CheckMessage]:
    if not conf.ORDERS:
        yield checks.Warning(
            'FASHIONISTAR_PAYMENTS["ORDERS"] is not set: paying an order answers 503.',
            hint="Name an object with payable_order(); see fashionistar_payments.ports.Orders.",
            id="fashionistar_payments.W001",
        )
        return
    try:
        port = import_string(conf.ORDERS)
    except ImportError as error:
        yield Error(f'FASHIONISTAR_PAYMENTS["ORDERS"]: {error}', id="fashionistar_payments.E003")
        return
    if not callable(getattr(port, "payable_order", None)):
        yield Error('FASHIONISTAR_PAYMENTS["ORDERS"] has no payable_order().', id="fashionistar_payments.E003")


def _check_default() -> Iterator[CheckMessage]:
    if not conf.PROVIDERS:
        yield checks.Warning(
            'FASHIONISTAR_PAYMENTS["PROVIDERS"] is empty: paying an order answers 503.',
            id="fashionistar_payments.W002",
        )
    if conf.DEFAULT_PROVIDER and conf.DEFAULT_PROVIDER not in conf.PROVIDERS:
        yield Error(
            f'FASHIONISTAR_PAYMENTS["DEFAULT_PROVIDER"]: {conf.DEFAULT_PROVIDER!r} is not in PROVIDERS.',
            id="fashionistar_payments.E005",
        )


def _check_providers(*, deploy: bool) -> Iterator[CheckMessage]:
    for alias in payment_providers:
        try:
            provider: BaseProvider = payment_providers[alias]
        except ProviderMisconfiguredError as error:
            yield Error(f'FASHIONISTAR_PAYMENTS["PROVIDERS"][{alias!r}]: {error}', id="fashionistar_payments.E004")
        else:
            yield from provider.check(deploy=deploy)
