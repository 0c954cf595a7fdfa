"""The bodies of v2."""

from typing import Annotated

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from fashionistar_common.http.ninja import PageQuery, Timestamp
from fashionistar_common.http.ninja import Text as StorableText
from fashionistar_common.money import Money
from ninja import Field, Schema
from pydantic import AfterValidator, BaseModel, StrictInt, StringConstraints

from ...types import OrderStatus


def _email(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError("Enter a valid email address.") from error
    return text


Text = Annotated[StorableText, StringConstraints(strip_whitespace=True)]
Email = Annotated[Text, Field(max_length=254), AfterValidator(_email)]


class Address(BaseModel):
    # Not Ninja's Schema, which takes null for an object whose fields are missing.
    name: Annotated[Text, Field(min_length=1, max_length=120)]
    line1: Annotated[Text, Field(min_length=1, max_length=200)]
    line2: Annotated[Text, Field(max_length=200)] = ""
    city: Annotated[Text, Field(min_length=1, max_length=120)]
    region: Annotated[Text, Field(max_length=120)] = ""
    postal_code: Annotated[Text, Field(max_length=20)] = ""
    country: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Z]{2}$")] = Field(
        description="ISO 3166-1 alpha-2, such as NG."
    )
    phone: Annotated[Text, Field(max_length=32)] = ""


class AddLine(Schema):
    sku: Annotated[Text, Field(min_length=1, max_length=100)]
    quantity: StrictInt


class SetLine(Schema):
    quantity: StrictInt


class PlaceOrder(Schema):
    email: Email
    shipping_address: Address
    cart_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = Field(
        default=None, description="By default the open cart."
    )


class OrderQuery(PageQuery):
    status: OrderStatus | None = None


class CartLine(Schema):
    sku: str
    product_name: str | None
    options: dict[str, str]
    quantity: int
    unit_price: Money | None
    line_total: Money | None
    available: bool


class CartProblem(Schema):
    sku: str
    code: str
    detail: str


class Cart(Schema):
    id: str | None
    lines: list[CartLine]
    total: Money
    problems: list[CartProblem]


class OrderLine(Schema):
    sku: str
    product_name: str
    options: dict[str, str]
    unit_price: Money
    quantity: int
    total: Money


class VendorOrder(Schema):
    number: str
    status: OrderStatus
    vendor_id: str
    vendor_name: str
    subtotal: Money
    lines: list[OrderLine]


class Order(Schema):
    number: str
    status: OrderStatus
    email: str
    total: Money
    shipping_address: Address
    placed_at: Timestamp
    paid_at: Timestamp | None
    cancelled_at: Timestamp | None
    vendor_orders: list[VendorOrder]
