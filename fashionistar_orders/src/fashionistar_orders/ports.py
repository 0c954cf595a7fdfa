"""What this app needs from outside: a catalog that knows prices and keeps stock.

The project names one in `FASHIONISTAR_ORDERS["CATALOG"]`, an object or a module; `fashionistar_catalog` fits as it is.
"""

from collections.abc import Collection, Mapping
from typing import Protocol, cast

from django.utils.module_loading import import_string
from fashionistar_common.money import Money

from .conf import conf
from .exceptions import PortNotConfiguredError


class SellableVariant(Protocol):
    """One thing that can be bought now."""

    @property
    def sku(self) -> str: ...
    @property
    def product_name(self) -> str: ...
    @property
    def options(self) -> Mapping[str, str]: ...
    @property
    def price(self) -> Money: ...
    @property
    def vendor_id(self) -> str: ...
    @property
    def vendor_name(self) -> str: ...
    @property
    def available(self) -> int: ...


class Catalog(Protocol):
    """Prices and stock."""

    def sellable_variants(self, skus: Collection[str], /) -> Mapping[str, SellableVariant]:
        """The facts of these SKUs by SKU, in a fixed number of queries. What is unknown or unpublished is absent."""

    def take_stock(self, quantities: Mapping[str, int], /, *, reference: str) -> None:
        """Take pieces out of stock, all or none, in the caller's transaction.

        Locks the variants in primary-key order until the transaction ends.

        Raises:
            ConflictError: with the code `out_of_stock` when there are not enough.
        """

    def return_stock(self, quantities: Mapping[str, int], /, *, reference: str) -> None:
        """Put pieces back, in the caller's transaction; a second time for the same reference does nothing."""


def catalog() -> Catalog:
    """The catalog that the project has named.

    Raises:
        PortNotConfiguredError: when it has named none.
    """
    if not conf.CATALOG:
        raise PortNotConfiguredError(setting='FASHIONISTAR_ORDERS["CATALOG"]')
    return cast("Catalog", import_string(conf.CATALOG))
