from django.db import transaction
from fashionistar_common import audit

from ..models import Vendor
from .slugs import free_slug


@transaction.atomic
def create_vendor(*, name: str, slug: str = "", description: str = "", owner_id: str = "") -> Vendor:
    """Add an active vendor. `owner_id` is the public id of its user; blank for the house itself.

    Raises:
        SlugTakenError: when the slug is given and taken.
    """
    slug = free_slug(Vendor.objects.all(), wanted=slug, name=name)
    return Vendor.objects.create(name=name, slug=slug, description=description, owner_id=owner_id)


def suspend_vendor(vendor: Vendor) -> Vendor:
    """Take the vendor and all its products off sale; they keep their state for a return."""
    return _set_status(vendor, Vendor.Status.SUSPENDED)


def reinstate_vendor(vendor: Vendor) -> Vendor:
    """Put a suspended vendor and its published products back on sale."""
    return _set_status(vendor, Vendor.Status.ACTIVE)


@transaction.atomic
def _set_status(vendor: Vendor, status: Vendor.Status) -> Vendor:
    former, vendor.status = vendor.status, status
    vendor.save(update_fields=["status"])
    audit.record(f"catalog.vendor_{status}", vendor, changes={"status": (former, status)})
    return vendor
