"""Public test tools: builders for carts and orders, and a catalog that lives in memory.

FASHIONISTAR_ORDERS = {"CATALOG": "fashionistar_orders.testing.fake_catalog"}

fake_catalog.offer("HAT-1", price="129.00", available=3)
order = make_order({"HAT-1": 2})
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from fashionistar_common.money import Money
from fashionistar_common.types import Actor, Role

from . import services
from .exceptions import OutOfStockError
from .models import Cart, CartLine, Order
from .selectors import order_for_customer
from .types import Address, CartStatus

ADDRESS = Address(
    name="Ada Obi",
    line1="12 Awolowo Road",
    city="Lagos",
    region="Lagos",
    postal_code="101233",
    country="NG",
    phone="+234 800 000 0000",
)


@dataclass(frozen=True, kw_only=True)
class FakeVariant:
    """What `FakeCatalog` offers."""

    sku: str
    product_name: str
    options: dict[str, str] = field(default_factory=dict)
    price: Money
    vendor_id: str
    vendor_name: str
    available: int


class FakeCatalog:
    """A `ports.Catalog` in memory, safe between threads. Its stock does not roll back with a transaction."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._variants: dict[str, FakeVariant] = {}
        self._returned: set[str] = set()

    def offer(
        self,
        sku: str,
        *,
        price: str = "129.00",
        currency: str = "NGN",
        available: int = 10,
        vendor: str = "adire-house",
        name: str = "Indigo wrap dress",
        options: Mapping[str, str] | None = None,
    ) -> FakeVariant:
        """Put one variant on sale, or change it."""
        variant = FakeVariant(
            sku=sku,
            product_name=name,
            options=dict(options or {"Size": "M"}),
            price=Money.parse(price, currency),
            vendor_id=vendor,
            vendor_name=vendor.replace("-", " ").title(),
            available=available,
        )
        self._variants[sku] = variant
        return variant

    def withdraw(self, sku: str) -> None:
        """Take a variant off sale."""
        del self._variants[sku]

    def stock(self, sku: str) -> int:
        """The pieces that are left."""
        return self._variants[sku].available

    def sellable_variants(self, skus: Collection[str]) -> Mapping[str, FakeVariant]:
        return {sku: self._variants[sku] for sku in skus if sku in self._variants}

    def take_stock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        with self._lock:
            for sku, requested in quantities.items():
                available = self._variants[sku].available if sku in self._variants else 0
                if available < requested:
                    raise OutOfStockError(sku=sku, requested=requested, available=available)
            for sku, requested in quantities.items():
                self._add(sku, -requested)

    def return_stock(self, quantities: Mapping[str, int], *, reference: str) -> None:
        with self._lock:
            if reference in self._returned:
                return
            self._returned.add(reference)
            for sku, quantity in quantities.items():
                self._add(sku, quantity)

    def _add(self, sku: str, change: int) -> None:
        if variant := self._variants.get(sku):
            self._variants[sku] = replace(variant, available=variant.available + change)


fake_catalog = FakeCatalog()


def make_client(customer_id: str = "ada") -> Actor:
    """Somebody who shops."""
    return Actor(id=customer_id, role=Role.CLIENT)


def make_cart(quantities: Mapping[str, int], *, customer_id: str = "ada") -> Cart:
    """An open cart that holds these pieces, whether the catalog knows them or not."""
    cart, _ = Cart.objects.get_or_create(customer_id=customer_id, status=CartStatus.OPEN)
    CartLine.objects.bulk_create(
        CartLine(cart=cart, sku=sku, quantity=quantity) for sku, quantity in quantities.items()
    )
    return cart


def make_order(
    quantities: Mapping[str, int],
    *,
    customer_id: str = "ada",
    email: str = "ada@example.com",
    shipping_address: Address = ADDRESS,
) -> Order:
    """A placed order of these pieces, which the catalog must have."""
    make_cart(quantities, customer_id=customer_id)
    placed = services.place_order(actor=make_client(customer_id), email=email, shipping_address=shipping_address)
    return order_for_customer(customer_id, placed.number)
