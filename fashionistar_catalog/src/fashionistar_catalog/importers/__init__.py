"""Product files: reading them without touching the database. `services.import_products` writes what they say."""

from .mapped import MappedFile
from .mapping import FileMapping, load_mapping, shipped_mappings
from .records import ImportedImage, ImportedProduct, ImportedVariant, RowProblem
from .shopify import ShopifyFile
from .source import ProductFile

__all__ = [
    "FileMapping",
    "ImportedImage",
    "ImportedProduct",
    "ImportedVariant",
    "MappedFile",
    "ProductFile",
    "RowProblem",
    "ShopifyFile",
    "load_mapping",
    "shipped_mappings",
]
