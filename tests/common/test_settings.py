import pytest
from fashionistar_common.checks import check_app_settings, check_common
from fashionistar_common.conf import AppSettings, conf


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
