"""System checks of the catalog."""

import re
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.db import connections, router
from fashionistar_common.checks import check_app_settings

from .conf import conf
from .models import Product


@register()
def check_catalog(**kwargs: Any) -> list[CheckMessage]:
    """The settings, and what the database cannot do."""
    messages = check_app_settings(conf, prefix="fashionistar_catalog")
    if not messages and not re.fullmatch("[A-Z]{3}", conf.CURRENCY):
        messages.append(
            Error(
                f"FASHIONISTAR_CATALOG['CURRENCY']: {conf.CURRENCY!r} is not an ISO 4217 code.",
                hint="Three capital letters, such as NGN.",
                id="fashionistar_catalog.E003",
            )
        )
    if connections[router.db_for_read(Product)].vendor != "postgresql":
        messages.append(
            checks.Warning(
                "Products are searched with LIKE: no stemming, no ranking by words, no index.",
                hint="Use PostgreSQL for full-text search, or silence this check.",
                id="fashionistar_catalog.W001",
            )
        )
    return messages
