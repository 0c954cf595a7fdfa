from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat, Substr
from fashionistar_common.db.locks import lock_rows

from ..exceptions import CategoryLoopError, SlugTakenError
from ..models import Category
from .slugs import free_slug


class CategoryChanges(TypedDict, total=False):
    """What `update_category` can change."""

    name: str
    slug: str
    parent: Category | None
    position: int


@transaction.atomic
def create_category(*, name: str, slug: str = "", parent: Category | None = None, position: int = 0) -> Category:
    """Add a category below `parent`, or a root.

    Locks the parent, so that it is not moved meanwhile.

    Raises:
        SlugTakenError: when the slug is given and taken.
    """
    if parent is not None:
        (parent,) = lock_rows(Category.objects.filter(pk=parent.pk))
    slug = free_slug(Category.objects.all(), wanted=slug, name=name)
    path = Category.path_of(slug, parent)
    return Category.objects.create(name=name, slug=slug, parent=parent, position=position, path=path)


@transaction.atomic
def update_category(category: Category, **changes: Unpack[CategoryChanges]) -> Category:
    """Rename, move or reorder a category; the paths below it follow.

    Locks the whole tree: it is small, and moves are rare.

    Raises:
        CategoryLoopError: when the new parent is the category itself or below it.
        SlugTakenError: when the new slug is taken.
    """
    rows = {row.pk: row for row in lock_rows(Category.objects.all())}
    category = rows[category.pk]
    former = category.path
    for name, value in changes.items():
        setattr(category, name, value)
    if any(row.slug == category.slug for row in rows.values() if row.pk != category.pk):
        raise SlugTakenError(slug=category.slug)
    parent = None if category.parent_id is None else rows[category.parent_id]
    if parent is not None and f"{parent.path}/".startswith(f"{former}/"):
        raise CategoryLoopError
    category.path = Category.path_of(category.slug, parent)
    category.save()
    if category.path != former:
        Category.objects.filter(path__startswith=f"{former}/").update(
            path=Concat(Value(category.path), Substr("path", len(former) + 1))
        )
    return category
