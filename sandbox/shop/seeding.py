"""Filling an empty shop through the catalog's own services."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from fashionistar_auth.models import User
from fashionistar_catalog.models import Category, Product, Vendor
from fashionistar_catalog.services import add_image, create_category, create_product, create_vendor, publish_product

from .artwork import draw
from .assortment import Assortment, Piece

ADMIN_EMAIL = "admin@fashionistar.example"
#: For a developer's machine only: without DEBUG no such account is made.
ADMIN_PASSWORD = "fashionistar"  # noqa: S105


@dataclass(slots=True)
class Seeded:
    """How many rows were added."""

    categories: int = 0
    vendors: int = 0
    products: int = 0
    variants: int = 0


def seed(assortment: Assortment, *, watch: Callable[[list[Piece]], Iterable[Piece]] = iter) -> Seeded:
    """Add what is not there yet, by slug, and leave everything else alone: sold stock stays sold.

    Each product is added whole, in a transaction of its own. `watch` wraps the pieces to be added, for a progress bar.
    """
    seeded = Seeded()
    categories = {category.slug: category for category in Category.objects.all()}
    for position, shelf in enumerate(assortment.shelves):
        if shelf.slug not in categories:
            categories[shelf.slug] = create_category(
                name=shelf.name, slug=shelf.slug, parent=categories.get(shelf.parent), position=position
            )
            seeded.categories += 1
    vendors = {vendor.slug: vendor for vendor in Vendor.objects.all()}
    for maker in assortment.makers:
        if maker.slug not in vendors:
            vendors[maker.slug] = create_vendor(
                name=maker.name, slug=maker.slug, description=f"{maker.description}\n{maker.place}"
            )
            seeded.vendors += 1
    slugs = [piece.slug for piece in assortment.pieces]
    there = set(Product.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    for piece in watch([piece for piece in assortment.pieces if piece.slug not in there]):
        seeded.variants += add_piece(piece, vendors[piece.maker.slug], categories[piece.category])
        seeded.products += 1
    return seeded


@transaction.atomic
def add_piece(piece: Piece, vendor: Vendor, category: Category) -> int:
    """Create, picture and publish one product; returns the number of its variants."""
    variants = list(piece.variants())
    product = create_product(
        vendor=vendor,
        category=category,
        name=piece.name,
        slug=piece.slug,
        brand=piece.maker.name,
        description=piece.description,
        attributes={"made_in": piece.maker.place, "tags": piece.tags},
        currency=piece.price.currency,
        variants=variants,
    )
    for name, colour in piece.colours.items():
        file = ContentFile(draw(piece.silhouette, colour), name=f"{piece.slug}-{name.lower().replace(' ', '-')}.png")
        add_image(product, file=file, alt=f"{piece.name} in {name.lower()}")
    publish_product(product)
    return len(variants)


def ensure_admin() -> bool:
    """Create the development administrator; False where there is one, or where this is no development machine."""
    if not settings.DEBUG or User.objects.filter(email=ADMIN_EMAIL).exists():
        return False
    User.objects.create_superuser(ADMIN_EMAIL, ADMIN_PASSWORD)
    return True
