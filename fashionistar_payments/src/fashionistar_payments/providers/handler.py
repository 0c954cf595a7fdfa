from collections.abc import Iterator
from typing import Any

from django.utils.module_loading import import_string

from ..conf import conf
from ..exceptions import ProviderMisconfiguredError, UnknownProviderError
from .base import BaseProvider


class ProviderHandler:
    """The configured providers by alias. Each is built on first use, and again when its configuration changes."""

    def __init__(self) -> None:
        self._built: dict[str, tuple[dict[str, Any], BaseProvider]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(conf.PROVIDERS)

    def __contains__(self, alias: object) -> bool:
        return alias in conf.PROVIDERS

    def __getitem__(self, alias: str) -> BaseProvider:
        """The provider.

        Raises:
            UnknownProviderError: the alias is not configured.
            ProviderMisconfiguredError: its class cannot be imported or built.
        """
        try:
            params = conf.PROVIDERS[alias]
        except KeyError:
            raise UnknownProviderError(provider=alias) from None
        built_from, provider = self._built.get(alias, (None, None))
        if provider is None or built_from != params:
            provider = self._build(alias, params)
            self._built[alias] = (params, provider)
        return provider

    def _build(self, alias: str, params: dict[str, Any]) -> BaseProvider:
        backend = params.get("BACKEND", "")
        try:
            provider_class = import_string(backend)
        except ImportError as error:
            raise ProviderMisconfiguredError(f"Could not find provider {backend!r}: {error}") from error
        if not (isinstance(provider_class, type) and issubclass(provider_class, BaseProvider)):
            raise ProviderMisconfiguredError(f"{backend!r} is not a BaseProvider.")
        return provider_class(alias, params.get("OPTIONS", {}))


payment_providers = ProviderHandler()
