"""The tables of the catalog. Rows change through `services`; prices are in the currency's minor unit."""

from __future__ import annotations

import uuid
from typing import Any, Never

from django.core.validators import FileExtensionValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from fashionistar_common.money import Money

CURRENCY_CODE = RegexValidator(r"^[A-Z]{3}$", _("Write the three capital letters of ISO 4217, such as NGN."))
IMAGE_FILE = FileExtensionValidator(["jpg", "jpeg", "png", "webp", "avif", "gif"])


class Category(models.Model):
    """One node of the category tree.

    `path` is the slugs from the root to this node, joined by "/". It is what makes breadcrumbs and
    "this category and everything below it" one query each. `services.create_category` and
    `services.update_category` keep it true.
    """

    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, unique=True)
    parent = models.ForeignKey(
        "self",
        verbose_name=_("parent"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
    )
    path = models.CharField(_("path"), max_length=1000, unique=True, editable=False)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ("position", "name", "id")
        constraints = [
            models.CheckConstraint(condition=~Q(parent=F("id")), name="catalog_category_is_not_its_own_parent"),
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def path_of(slug: str, parent: Category | None) -> str:
        """The path a category with this slug has under this parent."""
        return f"{parent.path}/{slug}" if parent else slug


class Vendor(models.Model):
    """A shop that sells on the marketplace. `owner_id` is its user's public id; blank is the house."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        SUSPENDED = "suspended", _("suspended")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=160)
    slug = models.SlugField(_("slug"), max_length=160, unique=True)
    description = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.ACTIVE)
    owner_id = models.CharField(_("owner"), max_length=64, blank=True, db_index=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("vendor")
        verbose_name_plural = _("vendors")
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(condition=Q(status__in=["active", "suspended"]), name="catalog_vendor_status"),
        ]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """What a shopper finds; its variants are what a shopper buys.

    `price_minor` and `compare_at_minor` are copies: the lowest price among the active variants and that
    variant's compare-at price (null without an active variant). They let a list sort and filter by price
    from one index. `services.refresh_prices` recomputes them.

    `description` and `attributes` are plain text, never HTML. On PostgreSQL the table has one more column,
    `search_document`, that triggers keep (see migration 0002).
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHED = "published", _("published")
        ARCHIVED = "archived", _("archived")

    public_id = models.UUIDField(_("public id"), default=uuid.uuid4, unique=True, editable=False)
    vendor = models.ForeignKey(Vendor, verbose_name=_("vendor"), on_delete=models.PROTECT, related_name="products")
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="products",
    )
    name = models.CharField(_("name"), max_length=255)
    slug = models.SlugField(_("slug"), max_length=255, unique=True)
    brand = models.CharField(_("brand"), max_length=120, blank=True, db_index=True)
    description = models.TextField(_("description"), blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    currency = models.CharField(_("currency"), max_length=3, validators=[CURRENCY_CODE])
    price_minor = models.BigIntegerField(_("lowest price"), null=True, editable=False)
    compare_at_minor = models.BigIntegerField(_("compare-at price"), null=True, editable=False)
    source = models.CharField(_("source"), max_length=40, blank=True)
    external_id = models.CharField(_("external id"), max_length=200, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    #: From the root to the category, both included; set by `selectors.product_by_slug`.
    breadcrumbs: list[Category]

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=~Q(external_id=""),
                name="catalog_product_imported_once",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "published", "archived"]), name="catalog_product_status"
            ),
            models.CheckConstraint(
                condition=~Q(status="published") | Q(published_at__isnull=False),
                name="catalog_product_published_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "-published_at", "-id"], name="catalog_product_newest"),
            models.Index(fields=["status", "price_minor", "id"], name="catalog_product_price"),
            models.Index(fields=["status", "name", "id"], name="catalog_product_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Money | None:
        """The lowest price among the active variants."""
        return None if self.price_minor is None else Money(self.price_minor, self.currency)

    @property
    def compare_at(self) -> Money | None:
        """The former price that belongs to `price`, where it is higher."""
        return reduced_from(self.price_minor, self.compare_at_minor, self.currency)

    @property
    def image(self) -> ProductImage | None:
        """The first picture, from `cover` where a list loaded it, else from `images`."""
        return next(iter(getattr(self, "cover", self.images.all())), None)


class ProductImage(models.Model):
    """A picture of a product: a stored file or an address elsewhere, exactly one of the two."""

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="images")
    file = models.FileField(
        _("file"), upload_to="catalog/products/%Y/%m/", max_length=255, blank=True, validators=[IMAGE_FILE]
    )
    url = models.URLField(_("address"), max_length=1000, blank=True)
    alt = models.CharField(_("alternative text"), max_length=255, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(
                condition=(Q(file="") & ~Q(url="")) | (~Q(file="") & Q(url="")),
                name="catalog_image_file_or_url",
                violation_error_message=_("Give a file or an address, not both."),
            ),
        ]

    def __str__(self) -> str:
        return self.alt or self.src

    @property
    def src(self) -> str:
        """Where the picture is served from."""
        return self.url or str(self.file.url)


class Variant(models.Model):
    """What is bought: one size and colour of a product, with its own price and stock.

    `stock` is a counter beside the ledger of `StockMovement`; the sum of the movements equals it at every
    commit. Only the stock services write it, under a row lock.
    """

    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.CASCADE, related_name="variants")
    sku = models.CharField(_("SKU"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=255, blank=True)
    options = models.JSONField(_("options"), default=dict, blank=True)
    price_minor = models.BigIntegerField(_("price"), help_text=_("In the currency's minor unit."))
    compare_at_minor = models.BigIntegerField(
        _("compare-at price"), null=True, blank=True, help_text=_("The former price, in the minor unit.")
    )
    currency = models.CharField(_("currency"), max_length=3, validators=[CURRENCY_CODE])
    stock = models.BigIntegerField(_("stock"), default=0, editable=False)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    barcode = models.CharField(_("barcode"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        ordering = ("position", "id")
        constraints = [
            models.CheckConstraint(condition=Q(stock__gte=0), name="catalog_variant_stock_not_negative"),
            models.CheckConstraint(condition=Q(price_minor__gte=0), name="catalog_variant_price_not_negative"),
            models.CheckConstraint(
                condition=Q(compare_at_minor__isnull=True) | Q(compare_at_minor__gte=0),
                name="catalog_variant_compare_at_not_negative",
            ),
        ]
        indexes = [models.Index(fields=["product", "is_active", "price_minor"], name="catalog_variant_lowest_price")]

    def __str__(self) -> str:
        return self.sku

    @property
    def in_stock(self) -> bool:
        """Whether any piece is left."""
        return self.stock > 0

    @property
    def price(self) -> Money:
        """What one piece costs."""
        return Money(self.price_minor, self.currency)

    @property
    def compare_at(self) -> Money | None:
        """The former price, where it is higher than the price."""
        return reduced_from(self.price_minor, self.compare_at_minor, self.currency)


def reduced_from(price: int | None, compare_at: int | None, currency: str) -> Money | None:
    """The compare-at price as Money, or None where it shows no reduction."""
    if price is None or compare_at is None or compare_at <= price:
        return None
    return Money(compare_at, currency)


class StockMovementQuerySet(models.QuerySet["StockMovement"]):
    """The ledger is append-only: rows are added, never changed or removed."""

    def update(self, **kwargs: Any) -> Never:
        """Refused.

        Raises:
            TypeError: Always; write an opposite movement instead.
        """
        raise TypeError("Stock movements are never changed; adjust the stock instead.")

    def delete(self) -> Never:
        """Refused.

        Raises:
            TypeError: Always; write an opposite movement instead.
        """
        raise TypeError("Stock movements are never deleted; adjust the stock instead.")


class StockMovement(models.Model):
    """One change of one variant's stock. Append-only.

    A sale or a return happens once per variant and `reference`: a repeated call finds it.
    """

    class Reason(models.TextChoices):
        RECEIVED = "received", _("received")
        SOLD = "sold", _("sold")
        RETURNED = "returned", _("returned")
        ADJUSTED = "adjusted", _("adjusted")

    variant = models.ForeignKey(Variant, verbose_name=_("variant"), on_delete=models.PROTECT, related_name="movements")
    quantity = models.BigIntegerField(_("quantity"), help_text=_("Positive came in, negative went out."))
    reason = models.CharField(_("reason"), max_length=12, choices=Reason)
    reference = models.CharField(_("reference"), max_length=120, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = StockMovementQuerySet.as_manager()

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["variant", "reason", "reference"],
                condition=Q(reason__in=["sold", "returned"]),
                name="catalog_movement_once_per_reference",
            ),
            models.CheckConstraint(
                condition=Q(reason="sold", quantity__lt=0)
                | Q(reason__in=["received", "returned"], quantity__gt=0)
                | (Q(reason="adjusted") & ~Q(quantity=0)),
                name="catalog_movement_sign_fits_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity:+d} {self.reason}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Append the movement.

        Raises:
            TypeError: For a movement that is already stored.
        """
        if not self._state.adding:
            raise TypeError("Stock movements are never changed; adjust the stock instead.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Never:
        """Refused.

        Raises:
            TypeError: Always; write an opposite movement instead.
        """
        raise TypeError("Stock movements are never deleted; adjust the stock instead.")
