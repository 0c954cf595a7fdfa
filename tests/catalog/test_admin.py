from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from fashionistar_catalog import services
from fashionistar_catalog.models import Category, Product, StockMovement, Variant, Vendor
from fashionistar_catalog.testing import make_category, make_product, make_variant, make_vendor
from fashionistar_common.testing import published

pytestmark = pytest.mark.django_db

MODELS = ("category", "vendor", "product", "productimage", "variant", "stockmovement")


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(email="amara@example.com", password="x"))
    return client


def address(model: str, page: str, *args: Any) -> str:
    return reverse(f"admin:fashionistar_catalog_{model}_{page}", args=args)


def management(prefix: str, *, initial: int, total: int) -> dict[str, Any]:
    return {f"{prefix}-INITIAL_FORMS": initial, f"{prefix}-TOTAL_FORMS": total}


@pytest.mark.parametrize("model", MODELS)
def test_every_list_opens_is_searched_and_costs_the_same_for_many_rows(staff: Client, model: str) -> None:
    def open_list() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(address(model, "changelist"), {"q": "d"}).status_code == 200
        return len(queries)

    def add() -> None:
        product = make_product(vendor=make_vendor(), category=make_category(parent=make_category()), images=1)
        make_variant(product)

    add()
    open_list()
    few = open_list()
    for _ in range(10):
        add()
    assert open_list() == few


@pytest.mark.parametrize("model", MODELS)
def test_every_row_opens(staff: Client, model: str) -> None:
    make_product(category=make_category(), images=1)
    row = next(kind for kind in site._registry if kind._meta.label_lower == f"fashionistar_catalog.{model}").objects
    assert staff.get(address(model, "change", row.first().pk)).status_code == 200
    adds = {"variant": 403, "stockmovement": 403}
    assert staff.get(address(model, "add")).status_code == adds.get(model, 200)


def test_a_category_is_added_and_moved(staff: Client) -> None:
    women, men = make_category("Women"), make_category("Men")
    form = {"name": "Dresses", "slug": "dresses", "parent": women.pk, "position": 0}
    assert staff.post(address("category", "add"), form).status_code == 302
    dresses = Category.objects.get(path="women/dresses")
    assert staff.post(address("category", "change", dresses.pk), form | {"parent": men.pk}).status_code == 302
    assert Category.objects.get(slug="dresses").path == "men/dresses"
    loop = {"name": "Men", "slug": "men", "parent": dresses.pk, "position": 0}
    answer = staff.post(address("category", "change", men.pk), loop)
    assert b"cannot be placed below itself" in answer.content


def test_a_product_is_added_with_variants_and_images(staff: Client) -> None:
    form = {
        "name": "Coat",
        "slug": "coat",
        "vendor": make_vendor().pk,
        "currency": "NGN",
        "attributes": "{}",
        **management("variants", initial=0, total=1),
        "variants-0-sku": "COAT-M",
        "variants-0-options": '{"Size": "M"}',
        "variants-0-price_minor": 9000,
        "variants-0-compare_at_minor": 9900,
        "variants-0-position": 0,
        "variants-0-is_active": "on",
        **management("images", initial=0, total=1),
        "images-0-url": "https://images.example/coat.webp",
        "images-0-position": 0,
    }
    assert b'value="NGN"' in staff.get(address("product", "add")).content
    assert staff.post(address("product", "add"), form).status_code == 302
    product = Product.objects.get()
    assert (product.status, product.price_minor, product.compare_at_minor) == ("draft", 9000, 9900)
    variant = product.variants.get()
    assert (variant.sku, variant.currency, variant.title) == ("COAT-M", "NGN", "M")
    assert product.images.count() == 1


def test_a_price_in_a_products_form_goes_through_the_service(staff: Client) -> None:
    product = make_product(sku="A", price="100.00")
    variant = product.variants.get()
    form = {
        "name": product.name,
        "slug": product.slug,
        "vendor": product.vendor_id,
        "attributes": "{}",
        **management("variants", initial=1, total=1),
        "variants-0-id": variant.pk,
        "variants-0-product": product.pk,
        "variants-0-sku": "A",
        "variants-0-title": "Medium",
        "variants-0-options": '{"Size": "M"}',
        "variants-0-price_minor": 9000,
        "variants-0-position": 0,
        "variants-0-is_active": "on",
        **management("images", initial=0, total=0),
    }
    assert staff.post(address("product", "change", product.pk), form).status_code == 302
    variant.refresh_from_db()
    product.refresh_from_db()
    assert (variant.title, variant.price_minor, variant.stock, product.price_minor) == ("Medium", 9000, 10, 9000)
    assert len(published("catalog.price_changed")) == 1


def test_stock_is_adjusted_through_the_ledger(staff: Client) -> None:
    variant = make_product(sku="A", stock=5).variants.get()
    form = {"options": '{"Size": "M"}', "price_minor": 12900, "position": 0, "is_active": "on"}
    page = address("variant", "change", variant.pk)
    assert staff.post(page, form | {"stock_change": -2, "stock_note": "moths"}).status_code == 302
    assert b"Less than nothing" in staff.post(page, form | {"stock_change": -9}).content
    assert staff.post(page, form | {"stock_change": 1}).status_code == 302
    variant.refresh_from_db()
    assert variant.stock == 4
    assert services.audit_stock() == []
    assert StockMovement.objects.filter(reason="adjusted").values_list("quantity", "reference").last() == (-2, "moths")


@pytest.mark.parametrize(
    ("model", "actions", "status"),
    [
        ("product", ["publish"], "published"),
        ("product", ["publish", "archive"], "archived"),
        ("vendor", ["suspend"], "suspended"),
        ("vendor", ["suspend", "reinstate"], "active"),
    ],
)
def test_states_change_by_actions(staff: Client, model: str, actions: list[str], status: str) -> None:
    row: Any = make_product(published=False)
    row = row.vendor if model == "vendor" else row
    for action in actions:
        staff.post(address(model, "changelist"), {"action": action, "_selected_action": row.pk})
    row.refresh_from_db()
    assert row.status == status


def test_an_action_says_what_was_refused(staff: Client) -> None:
    empty = make_product(variants=[], published=False)
    form = {"action": "publish", "_selected_action": empty.pk}
    answer = staff.post(address("product", "changelist"), form, follow=True)
    assert b"has no active variant" in answer.content


def test_movements_are_only_looked_at(staff: Client) -> None:
    make_product()
    movement = StockMovement.objects.get()
    assert staff.post(address("stockmovement", "change", movement.pk), {"quantity": 1}).status_code == 403
    assert staff.post(address("stockmovement", "delete", movement.pk), {"post": "yes"}).status_code == 403
    assert (str(movement), str(Variant.objects.get()), str(Vendor.objects.get())) == (
        "+10 received",
        Variant.objects.get().sku,
        "Adire House",
    )


@pytest.mark.parametrize("options", ["[]", '"M"', '{"Size": 1}', '{"Size": null}', "[1]"])
def test_options_and_attributes_are_what_a_page_can_show(staff: Client, options: str) -> None:
    product = make_product(sku="A")
    variant = product.variants.get()
    form = {"options": options, "price_minor": 12900, "position": 0, "is_active": "on"}
    assert staff.post(address("variant", "change", variant.pk), form).status_code == (302 if options == "[]" else 200)
    variant.refresh_from_db()
    assert variant.options in ({"Size": "M"}, {})
    product_form = {"name": "Coat", "slug": "coat", "vendor": product.vendor_id, "attributes": "[1]"}
    counts = management("variants", initial=0, total=0) | management("images", initial=0, total=0)
    answer = staff.post(address("product", "change", product.pk), product_form | counts)
    assert b"Values by name" in answer.content


@pytest.mark.parametrize("change", [2**63, -(2**63), 10**30])
def test_no_adjustment_is_beyond_what_a_shop_holds(staff: Client, change: int) -> None:
    variant = make_product(sku="A", stock=5).variants.get()
    form = {"options": "{}", "price_minor": 12900, "position": 0, "is_active": "on", "stock_change": change}
    assert staff.post(address("variant", "change", variant.pk), form).status_code == 200
