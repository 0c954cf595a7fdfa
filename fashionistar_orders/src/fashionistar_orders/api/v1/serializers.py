"""The bodies of v1."""

from datetime import UTC
from typing import Any

from fashionistar_common.http.drf import MoneyField
from rest_framework import serializers

from ...types import OrderStatus

COUNTRY = r"^[A-Z]{2}$"
CART_ID = r"^[0-9a-f]{32}$"


class StringField(serializers.CharField):
    """A JSON string; numbers are not taken for one."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class WholeNumberField(serializers.IntegerField):
    """A JSON number without decimals; strings are not taken for one."""

    def to_internal_value(self, data: object) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class TimestampField(serializers.DateTimeField):
    """A moment in UTC."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


class AddressSerializer(serializers.Serializer[Any]):
    name = StringField(max_length=120)
    line1 = StringField(max_length=200)
    line2 = StringField(max_length=200, required=False, allow_blank=True, default="")
    city = StringField(max_length=120)
    region = StringField(max_length=120, required=False, allow_blank=True, default="")
    postal_code = StringField(max_length=20, required=False, allow_blank=True, default="")
    country = serializers.RegexField(COUNTRY, help_text="ISO 3166-1 alpha-2, such as NG.")
    phone = StringField(max_length=32, required=False, allow_blank=True, default="")


class AddLineSerializer(serializers.Serializer[Any]):
    sku = StringField(max_length=100)
    quantity = WholeNumberField()


class SetLineSerializer(serializers.Serializer[Any]):
    quantity = WholeNumberField()


class PlaceOrderSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    shipping_address = AddressSerializer()
    cart_id = serializers.RegexField(
        CART_ID, required=False, allow_null=True, default=None, help_text="By default the open cart."
    )


class CartLineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    product_name = serializers.CharField(allow_null=True)
    options = serializers.DictField(child=serializers.CharField())
    quantity = serializers.IntegerField()
    unit_price = MoneyField(allow_null=True)
    line_total = MoneyField(allow_null=True)
    available = serializers.BooleanField()


class CartProblemSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class CartSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(allow_null=True)
    lines = CartLineSerializer(many=True)
    total = MoneyField()
    problems = CartProblemSerializer(many=True)


class OrderLineSerializer(serializers.Serializer[Any]):
    sku = serializers.CharField()
    product_name = serializers.CharField()
    options = serializers.DictField(child=serializers.CharField())
    unit_price = MoneyField()
    quantity = serializers.IntegerField()
    total = MoneyField()


class VendorOrderSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=OrderStatus.choices)
    vendor_id = serializers.CharField()
    vendor_name = serializers.CharField()
    subtotal = MoneyField()
    lines = OrderLineSerializer(many=True)


class OrderSerializer(serializers.Serializer[Any]):
    number = serializers.CharField()
    status = serializers.ChoiceField(choices=OrderStatus.choices)
    email = serializers.EmailField()
    total = MoneyField()
    shipping_address = AddressSerializer()
    placed_at = TimestampField()
    paid_at = TimestampField(allow_null=True)
    cancelled_at = TimestampField(allow_null=True)
    vendor_orders = VendorOrderSerializer(many=True)
