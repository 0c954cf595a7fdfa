"""Full-text search in PostgreSQL, and what stands in for it elsewhere.

On PostgreSQL the triggers of migration 0002 keep `search_document`: the name weighs A, brand, vendor and categories B,
the description C. Elsewhere every word must occur in one of these texts, and relevance counts where.
"""

from collections.abc import Iterator
from functools import reduce
from operator import add, and_, or_
from typing import Any

from django.db.models import BooleanField, Case, F, Func, IntegerField, Q, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast

from ..models import Product

#: Where a word may occur, and how much an occurrence weighs without full-text search.
TEXTS = {"name": 8, "brand": 4, "vendor__name": 4, "category__name": 4, "category__path": 2, "description": 1}


class SearchDocument(Func):
    """The column `search_document`, which exists on PostgreSQL only and so is not a model field."""

    def __init__(self) -> None:
        super().__init__(F("pk"))

    def as_sql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        (key,) = self.get_source_expressions()
        table, _, _ = compiler.compile(key)[0].rpartition(".")
        return f"{table}.{connection.ops.quote_name('search_document')}", []


class Matches(Func):
    """Whether the document matches a search in the web's usual syntax."""

    template = "(%(expressions)s))"
    arg_joiner = " @@ websearch_to_tsquery('english', "
    output_field = BooleanField()


class Rank(Func):
    """How well the document matches, as a number between 0 and 1."""

    template = "ts_rank(%(expressions)s))"
    arg_joiner = ", websearch_to_tsquery('english', "


def search(products: QuerySet[Product], q: str) -> QuerySet[Product]:
    """The products that match, annotated with `relevance`: a whole number, higher is better."""
    if products.query.get_compiler(using=products.db).connection.vendor == "postgresql":
        millionths = Func(Rank(SearchDocument(), Value(q)), template="(%(expressions)s * 1000000)")
        return products.filter(Matches(SearchDocument(), Value(q))).annotate(relevance=Cast(millionths, IntegerField()))
    return products.filter(_every_word(q)).annotate(relevance=_weight(q))


def _every_word(q: str) -> Q:
    """Every word occurs in one of the texts, in any case."""
    return reduce(and_, (reduce(or_, (Q(**{f"{text}__icontains": word}) for text in TEXTS)) for word in q.split()))


def _weight(q: str) -> Combinable:
    """The sum of the weights of the words' places."""
    places: Iterator[Combinable] = (
        Case(When(**{f"{text}__icontains": word}, then=Value(weight)), default=Value(0))
        for word in q.split()
        for text, weight in TEXTS.items()
    )
    return reduce(add, places)
