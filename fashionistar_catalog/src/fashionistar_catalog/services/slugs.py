from django.db.models import Model, QuerySet
from django.utils.text import slugify

from ..exceptions import SlugTakenError


def free_slug[M: Model](rows: QuerySet[M], *, wanted: str, name: str) -> str:
    """The wanted slug, or one made of the name, numbered when some of the rows have it.

    Two callers at the same moment may get the same answer; the unique index decides.

    Raises:
        SlugTakenError: when the wanted slug is taken.
    """
    if wanted:
        if rows.filter(slug=wanted).exists():
            raise SlugTakenError(slug=wanted)
        return wanted
    longest = getattr(rows.model._meta.get_field("slug"), "max_length", 50)
    stem = slugify(name)[: longest - 8].strip("-") or str(rows.model._meta.verbose_name)
    taken = set(rows.filter(slug__startswith=stem).values_list("slug", flat=True))
    slug, number = stem, 1
    while slug in taken:
        number += 1
        slug = f"{stem}-{number}"
    return slug
