"""A catalog for orders that is no database: two things for sale, as many as there are.

The port is structural. Whatever has these three functions is a catalog, and orders need not know what kind.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Lock

from fashionistar_common.exceptions import ConflictError
from fashionistar_common.money import Money


class OutOfStockError(ConflictError):
    """There are not enough pieces of {sku}."""

    code = "out_of_stock"


@dataclass(frozen=True)
class Variant:
    """What orders want to know of a thing for sale."""

    sku: str
    product_name: str
    price: Money
    available: int
    vendor_id: str = "adire-house"
    vendor_name: str = "Adire House"
    options: Mapping[str, str] = field(default_factory=dict)


class TwoProducts:
    """Stock in memory: enough for one process, and for an example."""

    def __init__(self) -> None:
        self._prices = {"WRAP-M": ("Adire wrap dress", 4_250_000), "BELT": ("Tan belt", 250_000)}
        self._stock = {"WRAP-M": 3, "BELT": 100}
        self._returned: set[str] = set()
        self._lock = Lock()

    def sellable_variants(self, skus: Collection[str]) -> Mapping[str, Variant]:
        """The facts of these SKUs; what is unknown is absent."""
        return {
            sku: Variant(sku, self._prices[sku][0], Money(self._prices[sku][1], "NGN"), self._stock[sku])
            for sku in skus
            if sku in self._prices
        }

    def take_stock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Take all of it or nothing."""
        with self._lock:
            for sku, quantity in quantities.items():
                if self._stock.get(sku, 0) < quantity:
                    raise OutOfStockError(sku=sku, requested=quantity, available=self._stock.get(sku, 0))
            for sku, quantity in quantities.items():
                self._stock[sku] -= quantity

    def return_stock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        """Put it back, once per reference."""
        with self._lock:
            if reference not in self._returned:
                self._returned.add(reference)
                for sku, quantity in quantities.items():
                    self._stock[sku] += quantity


catalog = TwoProducts()
