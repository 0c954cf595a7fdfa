from typing import Any

from fashionistar_common.http.drf import MoneyField
from rest_framework import serializers

Serializer = serializers.Serializer[Any]


class LinkSerializer(Serializer):
    """Something with a page of its own."""

    slug = serializers.CharField()
    name = serializers.CharField()


class ImageSerializer(Serializer):
    """A picture."""

    url = serializers.CharField(source="src")
    alt = serializers.CharField()


class ProductSummarySerializer(Serializer):
    """A product in a list. `price` is the lowest of its variants."""

    slug = serializers.CharField()
    name = serializers.CharField()
    brand = serializers.CharField()
    vendor = LinkSerializer()
    category = LinkSerializer(allow_null=True)
    price = MoneyField()
    compare_at = MoneyField(allow_null=True)
    image = ImageSerializer(allow_null=True)
    in_stock = serializers.BooleanField()


class VariantSerializer(Serializer):
    """What can be put into a cart."""

    sku = serializers.CharField()
    title = serializers.CharField()
    options = serializers.DictField(child=serializers.CharField())
    price = MoneyField()
    compare_at = MoneyField(allow_null=True)
    in_stock = serializers.BooleanField()
    stock = serializers.IntegerField()


class ProductSerializer(ProductSummarySerializer):
    """A product's own page. `breadcrumbs` lead from the root to the product's category."""

    description = serializers.CharField()
    attributes = serializers.JSONField()
    breadcrumbs = LinkSerializer(many=True)
    images = ImageSerializer(many=True)
    variants = VariantSerializer(many=True)


class CategorySerializer(Serializer):
    """A category and those below it. `product_count` includes them."""

    slug = serializers.CharField()
    name = serializers.CharField()
    product_count = serializers.IntegerField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "children": CategorySerializer(many=True)}


class CategoryDetailSerializer(CategorySerializer):
    """A category's own page. `breadcrumbs` are the categories above it, the root first."""

    breadcrumbs = LinkSerializer(many=True)


class CategoryTreeSerializer(Serializer):
    """All categories, from the roots."""

    results = CategorySerializer(many=True)


class VendorSerializer(Serializer):
    """A shop on the marketplace."""

    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    product_count = serializers.IntegerField()
