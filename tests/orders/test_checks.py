"""System checks and the port's setting."""

from collections.abc import Callable
from typing import Any

import pytest
from config.wiring import catalog as wired_catalog
from fashionistar_orders.checks import check_orders
from fashionistar_orders.exceptions import PortNotConfiguredError
from fashionistar_orders.ports import catalog
from fashionistar_orders.testing import fake_catalog


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, []),
        ({"CATALOG": "fashionistar_orders.testing.fake_catalog"}, []),
        ({"CATALOG": ""}, ["W001"]),
        ({"CATALOG": "nowhere.at_all"}, ["E003"]),
        ({"CATALOG": "fashionistar_orders.nothing"}, ["E003"]),
        ({"CATALOG": "fashionistar_orders.states.split_by_vendor"}, ["E004"]),
        ({"CATALOG": 5}, ["E002"]),
        ({"MAX_QUANTITY": "many"}, ["E002"]),
        ({"MAX_QUANITY": 5}, ["E001"]),
        ({"MAX_QUANTITY": 0}, ["E005"]),
        ({"NUMBER_PREFIX": "F S"}, ["E005"]),
        ({"CURRENCY": "naira"}, ["E005"]),
    ],
)
def test_settings_are_checked(orders_settings: Callable[..., None], values: dict[str, Any], ids: list[str]) -> None:
    orders_settings(**values)
    assert [message.id for message in check_orders()] == [f"fashionistar_orders.{short}" for short in ids]


def test_the_port_may_be_an_object_or_a_module(orders_settings: Callable[..., None]) -> None:
    assert catalog() is wired_catalog
    orders_settings(CATALOG="fashionistar_orders.testing.fake_catalog")
    assert catalog() is fake_catalog
    orders_settings(CATALOG="fashionistar_catalog.services")
    assert catalog().take_stock is wired_catalog.take_stock


def test_without_a_port_nothing_is_guessed(orders_settings: Callable[..., None]) -> None:
    orders_settings(CATALOG="")
    with pytest.raises(PortNotConfiguredError, match="names no catalog"):
        catalog()
