"""What the catalog tells the others. The fields are promises: they are added to, never changed."""

from dataclasses import dataclass

from fashionistar_common.events import Event


@dataclass(frozen=True, kw_only=True)
class ProductPublished(Event, name="catalog.product_published", version=1, aggregate="product_id"):
    """A draft or archived product went on sale. `product_id` and `vendor_id` are public ids."""

    product_id: str
    slug: str
    product_name: str
    vendor_id: str


@dataclass(frozen=True, kw_only=True)
class StockChanged(Event, name="catalog.stock_changed", version=1, aggregate="sku"):
    """A variant's stock moved by `change` and is now `stock`. `reason` is that of the movement."""

    sku: str
    product_id: str
    change: int
    stock: int
    reason: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class PriceChanged(Event, name="catalog.price_changed", version=1, aggregate="sku"):
    """One piece of a variant costs `price_minor` now. Amounts are minor units of `currency`."""

    sku: str
    product_id: str
    price_minor: int
    former_price_minor: int
    compare_at_minor: int | None
    currency: str


@dataclass(frozen=True, kw_only=True)
class ProductsImported(Event, name="catalog.products_imported", version=1, aggregate="source"):
    """An import changed something. One event for the whole file, in place of one per product, price and stock.

    `reference` is on the stock movements of the import; the numbers say how many rows were new or changed.
    """

    source: str
    reference: str
    products_created: int
    products_updated: int
    products_published: int
    variants_created: int
    variants_updated: int
    prices_updated: int
