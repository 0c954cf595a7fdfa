from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ..exceptions import VendorNotFoundError
from ..models import Product, Vendor
from .visibility import ON_SALE

VENDOR_ORDERING = ("name", "id")


def active_vendors() -> QuerySet[Vendor]:
    """The vendors that sell, annotated with `product_count`: their products on sale."""
    own = Product.objects.filter(ON_SALE, vendor=OuterRef("pk")).order_by().values("vendor")
    count = Subquery(own.annotate(number=Count("pk")).values("number"))
    return Vendor.objects.filter(status=Vendor.Status.ACTIVE).annotate(product_count=Coalesce(count, 0))


def vendor_by_slug(slug: str) -> Vendor:
    """One active vendor with its `product_count`.

    Raises:
        VendorNotFoundError: for an unknown slug and for a suspended vendor.
    """
    vendor = active_vendors().filter(slug=slug).first()
    if vendor is None:
        raise VendorNotFoundError
    return vendor
