import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from ...conf import conf
from ...exceptions import ImportConflictError, ImportFileError, ImportMappingError
from ...importers import MappedFile, ProductFile, ShopifyFile, load_mapping, shipped_mappings
from ...services import import_products, preview_import
from ...types import ImportCounts, ImportReport


class Command(BaseCommand):
    """`manage.py import_products FILE --format shopify|mapped`."""

    help = "Import a CSV file of products: all of it, or nothing when anything in it is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the CSV file")
        parser.add_argument("--format", choices=["shopify", "mapped"], required=True)
        parser.add_argument(
            "--mapping",
            help=f"for mapped: a TOML file, or one of {', '.join(shipped_mappings())}",
        )
        parser.add_argument("--currency", help="for shopify: the currency of the prices; the setting CURRENCY")
        parser.add_argument("--source", help="for shopify: a name for the store, when there are several; shopify")
        parser.add_argument("--dry-run", action="store_true", help="say what would change and write nothing")

    def handle(self, **options: Any) -> None:
        try:
            file = product_file(options)
            run = preview_import if options["dry_run"] else import_products
            report = self._with_progress_bar(run, file, hidden=options["verbosity"] == 0)
        except ImportFileError as error:
            raise CommandError(problems_text(error, options["file"])) from error
        except (ImportMappingError, ImportConflictError) as error:
            raise CommandError(error.detail) from error
        if options["verbosity"]:
            self.stdout.write(report_text(report, options["dry_run"]))

    def _with_progress_bar(self, run: Callable[..., ImportReport], file: ProductFile, *, hidden: bool) -> ImportReport:
        # None: shown only where somebody looks at a terminal.
        disable = True if hidden else None
        with tqdm(total=2 * file.file.size, unit="B", unit_scale=True, file=sys.stderr, disable=disable) as bar:
            return run(file, progress=lambda position, size: bar.update(position - bar.n))


def product_file(options: dict[str, Any]) -> ProductFile:
    """The file that the arguments name.

    Raises:
        CommandError: when they do not fit together, or the file is not there.
        ImportMappingError: when the mapping is not usable.
    """
    path: Path = options["file"]
    if not path.is_file():
        raise CommandError(f"There is no file {path}.")
    mapped = options["format"] == "mapped"
    if mapped != bool(options["mapping"]):
        raise CommandError("--format mapped needs --mapping, and no other format takes one.")
    if mapped and (options["currency"] or options["source"]):
        raise CommandError("With --format mapped, the mapping names the currency and the source.")
    if mapped:
        return MappedFile(path, mapping=load_mapping(options["mapping"]))
    source = options["source"] or "shopify"
    if len(source) > 40:
        raise CommandError("--source has at most 40 characters.")
    return ShopifyFile(path, currency=(options["currency"] or conf.CURRENCY).upper(), source=source)


def problems_text(error: ImportFileError, path: Path) -> str:
    """Everything that is wrong with the file, a line each."""
    problems = [str(problem) for problem in error.facts["problems"]]
    if (more := error.facts["count"] - len(problems)) > 0:
        problems.append(f"... and {more} more")
    return "\n".join([f"{path}: nothing was imported.", *problems])


def report_text(report: ImportReport, dry_run: bool) -> str:
    """What happened, a line for each kind of row."""
    lines = [f"Nothing was written; {report.source} would change so:" if dry_run else f"Imported {report.source}:"]
    for kind in ("products", "variants", "prices", "images"):
        counts: ImportCounts = getattr(report, kind)
        numbers = [f"{getattr(counts, field.name)} {field.name}" for field in fields(counts)]
        lines.append(f"  {kind:<9}" + ", ".join(numbers))
    lines.append(
        f"  {report.products_published} newly on sale, {report.stock_movements} stock movements,"
        f" {report.vendors_created} new vendors, {report.categories_created} new categories"
    )
    return "\n".join(lines)
