from collections.abc import Callable, Iterable
from itertools import batched
from uuid import uuid4

from django.db import IntegrityError, transaction
from fashionistar_common.db.locks import lock_rows
from fashionistar_common.events import event_bus

from ..events import ProductsImported
from ..exceptions import ImportConflictError, ImportFileError
from ..importers import ImportedProduct, ProductFile, RowProblem
from ..models import Product, Variant
from ..types import ImportReport
from .imported_rows import ImportedRows

CHUNK = 500
PROBLEMS_LISTED = 50

type Progress = Callable[[int, int], None]


def import_products(file: ProductFile, *, reference: str = "", progress: Progress | None = None) -> ImportReport:
    """Bring the catalog to what the file says: everything in it, or nothing when anything is wrong.

    The file decides about its own products (found by source and id): texts, status, prices, variants, image addresses,
    and the stock where it names one. A variant that it no longer names goes off sale; a product that it no longer
    names is left alone, as are uploaded pictures and, where the file is silent, the category. Stock changes through
    movements. The same file a second time changes nothing and publishes nothing.

    Locks the source's products and then their variants, each in primary-key order, until the end. Publishes one
    `catalog.products_imported` when something changed, and no event per product, price or stock.

    Args:
        reference: for the stock movements; made up when blank.
        progress: called now and then with the bytes read and the bytes to read: the file is read twice, first to
            check it.

    Raises:
        ImportFileError: with the first 50 problems and their `count`.
        ImportConflictError: when somebody else created the same vendor, category, SKU or slug meanwhile.
    """
    report = ImportReport(source=file.source, reference=reference or f"import:{file.source}:{uuid4().hex[:12]}")
    _check(file, progress)
    try:
        with transaction.atomic():
            _write(file, report, progress)
            if report.changed:
                event_bus.publish(_event(report))
    except IntegrityError as error:
        raise ImportConflictError from error
    return report


def preview_import(file: ProductFile, *, progress: Progress | None = None) -> ImportReport:
    """What `import_products` would do. Does it, reports it and undoes it: the locks are the same, nothing stays.

    Raises:
        ImportFileError, ImportConflictError: as `import_products`.
    """
    report = ImportReport(source=file.source, reference="")
    _check(file, progress)
    try:
        with transaction.atomic():
            _write(file, report, progress)
            transaction.set_rollback(True)
    except IntegrityError as error:
        raise ImportConflictError from error
    return report


def _check(file: ProductFile, progress: Progress | None) -> None:
    """Read the whole file before anything is locked or written, so that all its problems are found."""
    found = Problems()
    for items in batched(file, CHUNK):
        found.add(item for item in items if isinstance(item, RowProblem))
        _tell(progress, file, done=0)
    found.refuse()


def _write(file: ProductFile, report: ImportReport, progress: Progress | None) -> None:
    """Read it again and write it. What does not fit the catalog is found on the way; nothing is written after it."""
    lock_rows(Product.objects.filter(source=file.source).only("pk"))
    lock_rows(Variant.objects.filter(product__source=file.source).only("pk"))
    rows = ImportedRows(file, report)
    found = Problems()
    for items in batched(file, CHUNK):
        readable = [item for item in items if isinstance(item, ImportedProduct)]
        found.add(item for item in items if isinstance(item, RowProblem))  # the file was changed meanwhile
        found.add(rows.conflicts(readable))
        if not found.count:
            rows.write(readable)
        _tell(progress, file, done=file.file.size)
    found.refuse()


def _tell(progress: Progress | None, file: ProductFile, *, done: int) -> None:
    if progress:
        progress(done + file.file.position, 2 * file.file.size)


class Problems:
    """The first problems of a file and the number of all."""

    def __init__(self) -> None:
        self.first: list[RowProblem] = []
        self.count = 0

    def add(self, problems: Iterable[RowProblem]) -> None:
        for problem in problems:
            self.count += 1
            if len(self.first) < PROBLEMS_LISTED:
                self.first.append(problem)

    def refuse(self) -> None:
        """Raise when there are any."""
        if self.count:
            self.first.sort(key=lambda problem: problem.row)
            raise ImportFileError(count=self.count, problems=self.first)


def _event(report: ImportReport) -> ProductsImported:
    return ProductsImported(
        source=report.source,
        reference=report.reference,
        products_created=report.products.created,
        products_updated=report.products.updated,
        products_published=report.products_published,
        variants_created=report.variants.created,
        variants_updated=report.variants.updated + report.variants.removed,
        prices_updated=report.prices.updated,
    )
