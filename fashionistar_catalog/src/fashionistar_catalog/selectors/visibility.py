from django.db.models import Q

from ..models import Product, Vendor

#: What makes a product visible: published, by an active vendor, with something to sell.
ON_SALE = Q(status=Product.Status.PUBLISHED, vendor__status=Vendor.Status.ACTIVE, price_minor__isnull=False)
