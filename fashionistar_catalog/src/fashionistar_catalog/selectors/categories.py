from collections import Counter, defaultdict
from collections.abc import Mapping

from django.db.models import Count, QuerySet, Value
from django.db.models.functions import Concat

from ..exceptions import CategoryNotFoundError
from ..models import Category, Product
from ..types import CategoryNode, Crumb
from .visibility import ON_SALE


def categories_below(slug: str) -> QuerySet[Category]:
    """The category with this slug and all below it; slugs are unique, so one is a whole segment of their paths."""
    return Category.objects.alias(segments=Concat(Value("/"), "path", Value("/"))).filter(
        segments__contains=f"/{slug}/"
    )


def breadcrumbs(category: Category | None) -> list[Category]:
    """The way from the root to this category, both included; one query, none for None."""
    if category is None:
        return []
    slugs = category.path.split("/")
    return sorted(Category.objects.filter(slug__in=slugs), key=lambda step: slugs.index(step.slug))


def category_tree() -> tuple[CategoryNode, ...]:
    """The whole tree with its counts of products on sale; two queries for any number of categories."""
    return _children(_categories_by_parent(), _counts(), None, ())


def category_node(slug: str) -> CategoryNode:
    """One category with its counts, breadcrumbs and everything below it; two queries.

    Raises:
        CategoryNotFoundError: for an unknown slug.
    """
    waiting = list(category_tree())
    while waiting:
        node = waiting.pop()
        if node.slug == slug:
            return node
        waiting.extend(node.children)
    raise CategoryNotFoundError


def _categories_by_parent() -> Mapping[int | None, list[Category]]:
    by_parent: defaultdict[int | None, list[Category]] = defaultdict(list)
    for category in Category.objects.order_by("position", "name", "id"):
        by_parent[category.parent_id].append(category)
    return by_parent


def _counts() -> Counter[int]:
    """Products on sale directly in each category."""
    rows = Product.objects.filter(ON_SALE, category__isnull=False).values("category_id").annotate(number=Count("pk"))
    return Counter({row["category_id"]: row["number"] for row in rows.order_by()})


def _children(
    by_parent: Mapping[int | None, list[Category]],
    counts: Counter[int],
    parent_id: int | None,
    above: tuple[Crumb, ...],
) -> tuple[CategoryNode, ...]:
    nodes = []
    for category in by_parent.get(parent_id, ()):
        trail = (*above, Crumb(category.slug, category.name))
        children = _children(by_parent, counts, category.pk, trail)
        total = counts[category.pk] + sum(child.product_count for child in children)
        nodes.append(CategoryNode(category.slug, category.name, total, above, children))
    return tuple(nodes)
