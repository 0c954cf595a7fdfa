"""Writing a chunk of imported products: a constant number of statements, whatever the size of the chunk."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import Model
from django.utils import timezone

from ..importers import ImportedProduct, ImportedVariant, ProductFile, RowProblem
from ..importers.values import digest, slug_of
from ..models import Category, Product, ProductImage, StockMovement, Variant, Vendor
from ..types import ImportReport
from .variants import refresh_prices

PRODUCT_FIELDS = (
    "vendor_id", "category_id", "name", "brand", "description", "status", "attributes", "currency", "published_at",
)  # fmt: skip
PRICE_FIELDS = ("price_minor", "compare_at_minor", "currency")
VARIANT_FIELDS = ("title", "options", "position", "is_active", "barcode", "stock")


def assign(row: Model, values: dict[str, Any]) -> bool:
    """Set the values on the row; whether one of them was another."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)


class ImportedRows:
    """The rows of one import. Vendors and categories are remembered from chunk to chunk."""

    def __init__(self, file: ProductFile, report: ImportReport) -> None:
        self.file = file
        self.report = report
        self.vendors: dict[str, int] = {}
        self.categories: dict[str, Category] = {}

    def conflicts(self, items: Sequence[ImportedProduct]) -> Iterator[RowProblem]:
        """What is right in itself but does not fit the catalog: a SKU of another product."""
        skus = {variant.sku: (item, variant) for item in items for variant in item.variants}
        taken = Variant.objects.filter(sku__in=skus).values_list(
            "sku", "product__source", "product__external_id", "product__slug"
        )
        for sku, source, external_id, slug in taken:
            item, variant = skus[sku]
            if (source, external_id) != (self.file.source, item.external_id):
                yield RowProblem(variant.row, self.file.sku_column, f"{sku} is a SKU of the product {slug} already.")

    def write(self, items: Sequence[ImportedProduct]) -> None:
        """Create, change and count."""
        self._add_vendors(items)
        self._add_categories(items)
        products = self._write_products(items)
        self._write_variants(items, products)
        self._write_images(items, products)

    def _add_vendors(self, items: Sequence[ImportedProduct]) -> None:
        names = {slug_of(item.vendor, limit=160): item.vendor for item in items}
        missing = names.keys() - self.vendors.keys()
        self.vendors.update(Vendor.objects.filter(slug__in=missing).values_list("slug", "pk"))
        new = [Vendor(slug=slug, name=names[slug]) for slug in sorted(missing - self.vendors.keys())]
        self.vendors.update({vendor.slug: vendor.pk for vendor in Vendor.objects.bulk_create(new)})
        self.report.vendors_created += len(new)

    def _add_categories(self, items: Sequence[ImportedProduct]) -> None:
        """Level by level, because a child needs its parent's key."""
        paths = {item.category for item in items}
        for depth in range(max((len(path) for path in paths), default=0)):
            names = {path[: depth + 1]: path[depth] for path in paths if len(path) > depth}
            wanted = {category_slug(path): path for path in names}
            missing = wanted.keys() - self.categories.keys()
            if not missing:
                continue
            self.categories.update({row.slug: row for row in Category.objects.filter(slug__in=missing)})
            new = []
            for slug in sorted(missing - self.categories.keys()):
                path = wanted[slug]
                parent = self.categories[category_slug(path[:-1])] if depth else None
                place = Category.path_of(slug, parent)
                new.append(Category(slug=slug, name=names[path], parent=parent, path=place))
            self.categories.update({row.slug: row for row in Category.objects.bulk_create(new)})
            self.report.categories_created += len(new)

    def _write_products(self, items: Sequence[ImportedProduct]) -> dict[str, Product]:
        """The products of the items, by their ids in the file."""
        ids = [item.external_id for item in items]
        known = {
            product.external_id: product
            for product in Product.objects.filter(source=self.file.source, external_id__in=ids)
        }
        new = {item.external_id: item for item in items if item.external_id not in known}
        taken = set(
            Product.objects.filter(slug__in=[item.slug for item in new.values()]).values_list("slug", flat=True)
        )
        now = timezone.now()
        changed: list[Product] = []
        created: list[Product] = []
        for item in items:
            product = known.get(item.external_id)
            if product is None:
                product = Product(source=self.file.source, external_id=item.external_id, slug=self._slug(item, taken))
                created.append(product)
            published = product.status == Product.Status.PUBLISHED
            if assign(product, self._product_values(item, product)) and product.pk:
                changed.append(product)
            if product.status == Product.Status.PUBLISHED and not published:
                product.published_at = product.published_at or now
                self.report.products_published += 1
        for product in changed:
            product.updated_at = now
        Product.objects.bulk_update(changed, [*PRODUCT_FIELDS, "updated_at"], batch_size=200)
        known.update({product.external_id: product for product in Product.objects.bulk_create(created)})
        self.report.products.created += len(created)
        self.report.products.updated += len(changed)
        self.report.products.unchanged += len(items) - len(created) - len(changed)
        return known

    def _slug(self, item: ImportedProduct, taken: set[str]) -> str:
        """The wanted slug, or one with a digest of the product's identity where another product has it."""
        slug = item.slug
        if slug in taken:
            slug = f"{slug[:246].rstrip('-')}-{digest(f'{self.file.source}:{item.external_id}')}"
        taken.add(slug)
        return slug

    def _product_values(self, item: ImportedProduct, product: Product) -> dict[str, Any]:
        """Where the file names no category, the product keeps the one it has."""
        category = self.categories[category_slug(item.category)].pk if item.category else product.category_id
        return {
            "vendor_id": self.vendors[slug_of(item.vendor, limit=160)],
            "category_id": category,
            "name": item.name,
            "brand": item.brand,
            "description": item.description,
            "status": item.status,
            "attributes": dict(item.attributes),
            "currency": item.variants[0].price.currency,
        }

    def _write_variants(self, items: Sequence[ImportedProduct], products: dict[str, Product]) -> None:
        known = {variant.sku: variant for variant in Variant.objects.filter(product__in=products.values())}
        created: list[Variant] = []
        changed: list[Variant] = []
        movements: list[StockMovement] = []
        touched: set[int] = set()
        for item in items:
            product = products[item.external_id]
            for position, wanted in enumerate(item.variants):
                variant = known.pop(wanted.sku, None) or Variant(product=product, sku=wanted.sku)
                if movement := self._movement(variant, wanted.stock):
                    movements.append(movement)
                described = assign(variant, _variant_values(wanted, position))
                priced = assign(variant, _price_values(wanted))
                if variant.pk is None:
                    created.append(variant)
                elif described or priced or movement:
                    changed.append(variant)
                if variant.pk is None or described or priced:
                    touched.add(product.pk)
                self._count(variant, described=described or movement is not None, priced=priced)
        for variant in known.values():  # what is left, the file no longer names
            if variant.is_active:
                variant.is_active = False
                changed.append(variant)
                touched.add(variant.product_id)
                self.report.variants.removed += 1
        Variant.objects.bulk_update(changed, [*VARIANT_FIELDS, *PRICE_FIELDS], batch_size=200)
        Variant.objects.bulk_create(created)
        StockMovement.objects.bulk_create(movements)
        self.report.stock_movements += len(movements)
        if touched:
            refresh_prices(touched)

    def _count(self, variant: Variant, *, described: bool, priced: bool) -> None:
        variants, prices = self.report.variants, self.report.prices
        if variant.pk is None:
            variants.created += 1
            prices.created += 1
            return
        variants.updated += described
        variants.unchanged += not described
        prices.updated += priced
        prices.unchanged += not priced

    def _movement(self, variant: Variant, stock: int | None) -> StockMovement | None:
        """Set the counter of a locked or new variant; the movement that the ledger needs for it."""
        if stock is None or stock == variant.stock:
            return None
        reason = StockMovement.Reason.ADJUSTED if variant.pk else StockMovement.Reason.RECEIVED
        quantity = stock - variant.stock
        variant.stock = stock
        return StockMovement(variant=variant, quantity=quantity, reason=reason, reference=self.report.reference)

    def _write_images(self, items: Sequence[ImportedProduct], products: dict[str, Product]) -> None:
        """Addresses follow the file; uploaded files are the shop's own and stay."""
        rows = ProductImage.objects.filter(product__in=products.values()).exclude(url="").order_by("pk")
        known = {(image.product_id, image.url): image for image in rows}
        created: list[ProductImage] = []
        changed: list[ProductImage] = []
        for item in items:
            product = products[item.external_id]
            for wanted in item.images:
                image = known.pop((product.pk, wanted.url), None) or ProductImage(product=product, url=wanted.url)
                differs = assign(image, {"alt": wanted.alt, "position": wanted.position})
                if image.pk is None:
                    created.append(image)
                elif differs:
                    changed.append(image)
                else:
                    self.report.images.unchanged += 1
        ProductImage.objects.filter(pk__in=[image.pk for image in known.values()]).delete()
        ProductImage.objects.bulk_update(changed, ["alt", "position"], batch_size=200)
        ProductImage.objects.bulk_create(created)
        self.report.images.created += len(created)
        self.report.images.updated += len(changed)
        self.report.images.removed += len(known)


def category_slug(path: tuple[str, ...]) -> str:
    """A category of a file is found by the slug of its whole path: Women > Dresses is women-dresses."""
    return slug_of(" ".join(path), limit=120)


def _variant_values(wanted: ImportedVariant, position: int) -> dict[str, Any]:
    return {
        "title": wanted.title,
        "options": dict(wanted.options),
        "position": position,
        "is_active": True,
        "barcode": wanted.barcode,
    }


def _price_values(wanted: ImportedVariant) -> dict[str, Any]:
    return {
        "price_minor": wanted.price.amount_minor,
        "compare_at_minor": wanted.compare_at.amount_minor if wanted.compare_at else None,
        "currency": wanted.price.currency,
    }
