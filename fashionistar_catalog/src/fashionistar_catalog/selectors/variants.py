from collections.abc import Collection, Mapping

from ..models import Product, Variant, Vendor
from ..types import SellableVariant


def sellable_variants(skus: Collection[str]) -> Mapping[str, SellableVariant]:
    """The variants that can be bought now, by SKU; unknown, inactive and unpublished ones are absent. One query."""
    if not skus:
        return {}
    variants = Variant.objects.filter(
        sku__in=skus,
        is_active=True,
        product__status=Product.Status.PUBLISHED,
        product__vendor__status=Vendor.Status.ACTIVE,
    ).select_related("product__vendor")
    return {
        variant.sku: SellableVariant(
            sku=variant.sku,
            product_name=variant.product.name,
            options=dict(variant.options),
            price=variant.price,
            vendor_id=str(variant.product.vendor.public_id),
            vendor_name=variant.product.vendor.name,
            available=variant.stock,
        )
        for variant in variants
    }
