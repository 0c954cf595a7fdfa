"""Values that cross the borders of this app. No ORM."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from fashionistar_common.money import Money


class CartStatus(TextChoices):
    OPEN = "open", _("open")
    ORDERED = "ordered", _("ordered")


class OrderStatus(TextChoices):
    PLACED = "placed", _("placed")
    PAID = "paid", _("paid")
    CANCELLED = "cancelled", _("cancelled")


class CancellationReason(TextChoices):
    """Who or what ended an order."""

    CUSTOMER = "customer", _("by the customer")
    STAFF = "staff", _("by staff")
    UNPAID = "unpaid", _("not paid in time")


class PaymentOutcome(StrEnum):
    """What became of money that arrived for an order."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    AMOUNT_MISMATCH = "amount_mismatch"
    ORDER_CANCELLED = "order_cancelled"
    ALREADY_PAID = "already_paid"


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where parcels go.

    Attributes:
        country: ISO 3166-1 alpha-2 code in capitals.
    """

    name: str
    line1: str
    line2: str = ""
    city: str
    region: str = ""
    postal_code: str = ""
    country: str
    phone: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class PricedLine:
    """A number of pieces of one SKU at the price of this moment."""

    sku: str
    product_name: str
    options: Mapping[str, str] = field(default_factory=dict)
    vendor_id: str
    vendor_name: str
    unit_price: Money
    quantity: int

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity


@dataclass(frozen=True, kw_only=True)
class VendorShare:
    """The lines of one order that one vendor serves."""

    vendor_id: str
    vendor_name: str
    lines: tuple[PricedLine, ...]
    subtotal: Money


@dataclass(frozen=True, kw_only=True)
class CartLineView:
    """One cart line with the catalog's present facts; names and prices are None for a SKU that has left the catalog."""

    sku: str
    product_name: str | None
    options: Mapping[str, str]
    quantity: int
    unit_price: Money | None
    line_total: Money | None
    available: bool


@dataclass(frozen=True, kw_only=True)
class CartProblem:
    """Why a line of the cart cannot be ordered as it is."""

    sku: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class CartView:
    """A cart as it is shown.

    Attributes:
        id: the cart's public id; None while nothing has been put into it.
        total: of the lines that are available.
    """

    id: str | None
    lines: tuple[CartLineView, ...]
    total: Money
    problems: tuple[CartProblem, ...]


@dataclass(frozen=True, kw_only=True)
class PayableOrder:
    """What a payment needs to know of an order."""

    number: str
    customer_id: str
    amount: Money
    email: str
