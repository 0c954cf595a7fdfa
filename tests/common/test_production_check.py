"""`production_check`: the register of its items, running them, and what the command writes."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from fashionistar_common import production
from fashionistar_common.models import EventSubscription
from fashionistar_common.production import failed, passed, production_item, registry

pytestmark = pytest.mark.django_db
writing = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(monkeypatch):
    """Three items of an app `shop`, and nothing else."""
    monkeypatch.setattr(registry, "_items", {})
    monkeypatch.setattr(registry, "autodiscover_modules", lambda name: None)

    @production_item("shop.open", "The shop is open.", evidence="knock")
    def is_open():
        return passed()

    @production_item("shop.clean", "The floor is clean.", evidence="look down")
    def is_clean():
        return failed("there is mud")

    @production_item("attic.empty", "The attic is empty.", evidence="look up")
    def is_empty():
        return production.not_applicable("there is no attic")


def call(*arguments):
    out = io.StringIO()
    try:
        call_command("production_check", *arguments, stdout=out, no_color=True)
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), "", 0


def test_the_table(shop):
    out, error, code = call()
    assert out.splitlines() == [
        "n/a   attic.empty  The attic is empty.",
        "                   there is no attic",
        "FAIL  shop.clean   The floor is clean.",
        "                   there is mud",
        "                   see: look down",
        "pass  shop.open    The shop is open.",
        "1 pass, 1 FAIL, 1 n/a",
    ]
    assert (error, code) == ("1 of 3 items fail.", 1)


def test_json(shop):
    out, _, code = call("--format", "json", "shop")
    assert code == 1
    assert json.loads(out) == [
        {
            "id": "shop.clean",
            "sentence": "The floor is clean.",
            "evidence": "look down",
            "status": "fail",
            "reason": "there is mud",
        },
        {"id": "shop.open", "sentence": "The shop is open.", "evidence": "knock", "status": "pass", "reason": ""},
    ]


def test_what_passes_exits_0_and_one_app_is_enough(shop):
    assert call("attic")[2] == 0
    assert call("cellar")[1:] == ("No app has items under cellar.", 1)
    assert call("--list")[0].splitlines()[0] == "attic.empty  The attic is empty."
    assert [item["id"] for item in json.loads(call("--list", "--format", "json")[0])] == [
        "attic.empty",
        "shop.clean",
        "shop.open",
    ]


def test_an_item_that_breaks_fails_and_tells_no_secret(shop):
    @production_item("shop.breaks", "It breaks.", evidence="")
    def breaks():
        raise ConnectionError("no answer from redis://:hunter2@cache/0")

    [item] = [item for item in production.items() if item.id == "shop.breaks"]
    assert production.run(item) == failed("ConnectionError: no answer from redis://:[redacted]@cache/0")


@pytest.mark.postgresql
@writing
def test_an_item_cannot_change_anything(shop):
    @production_item("shop.careless", "It writes.", evidence="")
    def careless():
        EventSubscription.objects.create(name="shop.sold", version=1, subscriber="shop.handle")
        return passed()

    [item] = [item for item in production.items() if item.id == "shop.careless"]
    assert "read-only transaction" in production.run(item).reason
    assert not EventSubscription.objects.filter(subscriber="shop.handle").exists()


@pytest.mark.parametrize("name", ["shop", "shop.", "Shop.open", "shop.open"])
def test_an_id_is_checked(shop, name):
    def another():
        return passed()

    with pytest.raises(ValueError, match="is no id of its own"):
        production_item(name, "Something.", evidence="")(another)
