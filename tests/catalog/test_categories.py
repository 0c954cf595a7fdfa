import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_catalog import selectors, services
from fashionistar_catalog.exceptions import CategoryLoopError, CategoryNotFoundError, SlugTakenError
from fashionistar_catalog.models import Category
from fashionistar_catalog.testing import make_category, make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> dict[str, Category]:
    women = make_category("Women", position=1)
    men = make_category("Men", position=2)
    dresses = make_category("Dresses", parent=women)
    maxi = make_category("Maxi", parent=dresses)
    return {category.slug: category for category in (women, men, dresses, maxi)}


def paths() -> list[str]:
    return sorted(Category.objects.values_list("path", flat=True))


def test_a_category_knows_its_way_from_the_root(tree: dict[str, Category]) -> None:
    assert paths() == ["men", "women", "women/dresses", "women/dresses/maxi"]
    assert [step.slug for step in selectors.breadcrumbs(tree["maxi"])] == ["women", "dresses", "maxi"]
    assert selectors.breadcrumbs(None) == []


def test_what_is_below_follows_a_move_and_a_new_slug(tree: dict[str, Category]) -> None:
    services.update_category(tree["dresses"], parent=tree["men"], slug="robes")
    assert paths() == ["men", "men/robes", "men/robes/maxi", "women"]
    services.update_category(tree["dresses"], parent=None)
    assert paths() == ["men", "robes", "robes/maxi", "women"]
    services.update_category(tree["dresses"], name="Robes", position=3)
    assert paths() == ["men", "robes", "robes/maxi", "women"]


def test_a_category_is_never_below_itself(tree: dict[str, Category]) -> None:
    for parent in ("women", "maxi"):
        with pytest.raises(CategoryLoopError):
            services.update_category(tree["women"], parent=tree[parent])
    with pytest.raises(SlugTakenError):
        services.update_category(tree["women"], slug="men")
    with pytest.raises(SlugTakenError):
        make_category("Other men", slug="men")
    assert paths() == ["men", "women", "women/dresses", "women/dresses/maxi"]


def test_counts_include_what_is_below_and_only_what_is_on_sale(tree: dict[str, Category]) -> None:
    make_product(category=tree["dresses"])
    make_product(category=tree["maxi"])
    make_product(category=tree["maxi"], published=False)
    services.suspend_vendor(make_product(category=tree["maxi"]).vendor)
    women, men = selectors.category_tree()
    assert (women.product_count, men.product_count) == (2, 0)
    (dresses,) = women.children
    assert (dresses.product_count, dresses.children[0].product_count) == (2, 1)
    node = selectors.category_node("maxi")
    assert [crumb.slug for crumb in node.breadcrumbs] == ["women", "dresses"]
    with pytest.raises(CategoryNotFoundError):
        selectors.category_node("hats")


def test_a_tree_of_any_size_costs_two_queries(tree: dict[str, Category]) -> None:
    for size in (0, 30):
        for number in range(size):
            make_category(f"Dresses {number}", parent=tree["dresses"])
        with CaptureQueriesContext(connection) as queries:
            selectors.category_tree()
        assert len(queries) == 2
