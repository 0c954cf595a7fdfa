"""What can go wrong in the catalog."""

from fashionistar_common.exceptions import ConflictError, FashionistarError, InvalidError, NotFoundError


class CatalogError(FashionistarError):
    """Something in the catalog did not work."""


class ProductNotFoundError(CatalogError, NotFoundError):
    """There is no such product."""

    code = "product_not_found"


class VariantNotFoundError(CatalogError, NotFoundError):
    """There is no variant with the SKU {sku}."""

    code = "variant_not_found"


class CategoryNotFoundError(CatalogError, NotFoundError):
    """There is no such category."""

    code = "category_not_found"


class VendorNotFoundError(CatalogError, NotFoundError):
    """There is no such vendor."""

    code = "vendor_not_found"


class InvalidFilterError(CatalogError, InvalidError):
    """A filter is not valid."""

    code = "invalid_filter"


class OutOfStockError(CatalogError, ConflictError):
    """Of {sku}, {requested} were asked for and {available} are left."""

    code = "out_of_stock"


class InvalidQuantityError(CatalogError, InvalidError):
    """{quantity} is not a quantity that this can be done with."""

    code = "invalid_quantity"


class MissingReferenceError(CatalogError, InvalidError):
    """A sale or a return of stock needs the reference of what caused it."""

    code = "missing_reference"


class SlugTakenError(CatalogError, ConflictError):
    """The slug {slug} is taken."""

    code = "slug_taken"


class SkuTakenError(CatalogError, ConflictError):
    """The SKU {sku} is taken."""

    code = "sku_taken"


class MixedCurrenciesError(CatalogError, InvalidError):
    """The prices of this product are in {expected}, not in {currency}."""

    code = "mixed_currencies"


class InvalidPriceError(CatalogError, InvalidError):
    """A price is not below zero."""

    code = "invalid_price"


class NotPublishableError(CatalogError, ConflictError):
    """{slug} has no active variant, so there is nothing to sell yet."""

    code = "not_publishable"


class CategoryLoopError(CatalogError, InvalidError):
    """A category cannot be placed below itself."""

    code = "category_loop"


class InvalidValueError(CatalogError, InvalidError):
    """A cell of a file does not hold what it should."""

    code = "invalid_value"


class ImportFileError(CatalogError, InvalidError):
    """The file has {count} problems, so nothing was imported."""

    # `problems` lists the first of them in the order of the file, each with its row and column.
    code = "invalid_import_file"


class ImportMappingError(CatalogError, InvalidError):
    """The mapping {name} cannot be used."""

    # `problems` lists all of them, a sentence each.
    code = "invalid_import_mapping"


class ImportConflictError(CatalogError, ConflictError):
    """Somebody else changed the same rows meanwhile. Nothing was imported; run the import again."""

    code = "import_conflict"
