"""The bodies of v2."""

from typing import Annotated

from fashionistar_common.http.ninja import Timestamp
from fashionistar_common.money import Money
from ninja import Field, Schema
from pydantic import StringConstraints

from ...types import PaymentStatus


class PaymentIn(Schema):
    """Which order to pay, and by whom."""

    order_number: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32, pattern=r"^[^\x00]*$")
    ]
    provider: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\x00]*$")] = Field(
        default="", description="Alias of a configured provider; by default the shop's own choice."
    )


class NextActionOut(Schema):
    """What the customer's device has to do now."""

    type: str
    url: str
    data: dict[str, str]


class PaymentOut(Schema):
    """A payment."""

    id: str = Field(validation_alias="public_id")
    order_number: str
    amount: Money
    provider: str
    status: PaymentStatus
    failure_code: str
    next_action: NextActionOut | None = Field(validation_alias="open_action")
    created_at: Timestamp


class WebhookOut(Schema):
    """What became of the events."""

    received: int
    processed: int
