from typing import Any

import pytest
from django.test import override_settings
from fashionistar_catalog.checks import check_catalog
from fashionistar_catalog.conf import conf


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({}, []),
        ({"CURRENCY": "GHS"}, []),
        ({"CURRENCIES": "GHS"}, ["fashionistar_catalog.E001"]),
        ({"CURRENCY": 1}, ["fashionistar_catalog.E002"]),
        ({"CURRENCY": "naira"}, ["fashionistar_catalog.E003"]),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], ids: list[str]) -> None:
    with override_settings(FASHIONISTAR_CATALOG=settings):
        assert [message.id for message in check_catalog()] == ids


def test_settings_are_read_live() -> None:
    assert conf.CURRENCY == "NGN"
    with override_settings(FASHIONISTAR_CATALOG={"CURRENCY": "GHS"}):
        assert conf.CURRENCY == "GHS"
