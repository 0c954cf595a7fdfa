"""The settings of `fashionistar_catalog`."""

from fashionistar_common.conf import AppSettings


class CatalogSettings(AppSettings):
    """The keys of `FASHIONISTAR_CATALOG`."""

    setting = "FASHIONISTAR_CATALOG"

    #: ISO 4217 code of products and price filters that name no other.
    CURRENCY: str = "NGN"


conf = CatalogSettings()
