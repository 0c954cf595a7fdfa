import pkgutil
from typing import get_type_hints

import pytest
from django.core.checks import run_checks
from django.core.checks.registry import registry
from fashionistar_common import checks
from fashionistar_common.checks import check_app_settings, check_common
from fashionistar_common.checks.numbers import check_numbers
from fashionistar_common.conf import AppSettings, CommonSettings, conf


class ShopSettings(AppSettings):
    setting = "FASHIONISTAR_SHOP"

    DOORS: int = 2
    NAME: str = "Shop"
    FLOORS: list[str] = ["ground"]


shop = ShopSettings()


def test_settings_are_read_live_and_fall_back_to_their_defaults(settings):
    assert (shop.DOORS, shop.NAME) == (2, "Shop")
    settings.FASHIONISTAR_SHOP = {"DOORS": 3}
    assert (shop.DOORS, shop.NAME) == (3, "Shop")


def test_a_setting_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError):
        shop.WINDOWS  # noqa: B018


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        (None, []),
        ({}, []),
        ({"DOORS": 3, "FLOORS": ["ground", "first"]}, []),
        ({"DORS": 3}, ["shop.E001"]),
        ({"DOORS": "many"}, ["shop.E002"]),
        ({"NAME": 3}, ["shop.E002"]),
        ({"FLOORS": "ground"}, ["shop.E002"]),
        ([], []),
        (["DOORS"], ["shop.E002"]),
    ],
)
def test_every_key_and_type_is_checked(settings, values, ids):
    settings.FASHIONISTAR_SHOP = values
    assert [message.id for message in check_app_settings(shop, prefix="shop")] == ids


def test_the_projects_own_settings_are_clean():
    assert check_common() == []


def test_a_path_that_leads_nowhere_is_an_error(settings):
    settings.FASHIONISTAR_COMMON = {"AUTHENTICATOR": "fashionistar_nowhere.authenticate"}
    assert conf.AUTHENTICATOR == "fashionistar_nowhere.authenticate"
    assert [message.id for message in check_common()] == ["fashionistar_common.E003"]


NUMBERS = [key for key, hint in get_type_hints(CommonSettings).items() if key.isupper() and hint in {int, float}]


@pytest.mark.parametrize("key", NUMBERS)
def test_every_number_has_a_range(settings, key):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, key: get_type_hints(CommonSettings)[key](-1)}
    assert [message for message in run_checks() if message.is_serious() and key in message.msg]


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"PAGE_SIZE": 100, "PAGE_SIZE_MAX": 100, "READY_TIMEOUT": 10.0}, []),
        ({"PAGE_SIZE": 101}, ["E081"]),
        ({"READY_TIMEOUT": 10.1}, ["E080"]),
        ({"READY_TIMEOUT": float("nan")}, ["E080"]),
        ({"PAGE_SIZE": "many"}, []),  # that is E002
    ],
)
def test_numbers_that_make_no_sense(settings, values, ids):
    settings.FASHIONISTAR_COMMON = values
    assert [message.id for message in check_numbers()] == [f"fashionistar_common.{name}" for name in ids]


def test_every_module_of_checks_is_registered():
    modules = {module.name for module in pkgutil.iter_modules(checks.__path__)}
    assert modules <= set(checks.__all__)
    registered = {check.__module__.rpartition(".")[2] for check in registry.get_checks(include_deployment_checks=True)}
    assert modules <= registered
