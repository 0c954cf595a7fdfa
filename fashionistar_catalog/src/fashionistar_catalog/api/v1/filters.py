# mypy: disable-error-code="no-untyped-call"
# django-filter has no types.

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import filters
from django_filters.rest_framework.backends import DjangoFilterBackend
from django_filters.rest_framework.filterset import FilterSet
from fashionistar_common.exceptions import FieldError
from rest_framework.request import Request

from ...exceptions import InvalidFilterError
from ...models import Product
from ...selectors import published_products
from ...types import ProductFilters, Sort

if TYPE_CHECKING:
    from .views import Products


class AnyValuesField(forms.MultipleChoiceField):
    """A repeated parameter without a fixed list of values."""

    def valid_value(self, value: Any) -> bool:
        return "\0" not in str(value)


class AnyValuesFilter(filters.MultipleChoiceFilter):
    field_class = AnyValuesField  # type: ignore[assignment]


class ProductFilterSet(FilterSet):
    """The query parameters of the product list; what they mean is in `ProductFilters`."""

    q = filters.CharFilter(label="Words to search for.")
    category = filters.CharFilter(label="Slug; the categories below it are included.")
    vendor = filters.CharFilter(label="Slug.")
    brand = AnyValuesFilter(label="Brand, spelled exactly; repeat it for any of several.")
    min_price = filters.CharFilter(label="Decimal amount in `currency`, inclusive.")
    max_price = filters.CharFilter(label="Decimal amount in `currency`, inclusive.")
    currency = filters.CharFilter(label="ISO 4217 code.")
    in_stock = filters.ChoiceFilter(choices=[("true", "true"), ("false", "false")], label="Anything left, or sold out.")
    sort = filters.ChoiceFilter(
        choices=[(sort.value, sort.value) for sort in Sort], label="By default relevance with `q`, else newest."
    )


def product_filters(parameters: QueryDict) -> ProductFilters:
    """What the parameters ask for.

    Raises:
        InvalidFilterError: with one field error per wrong parameter.
    """
    filterset = ProductFilterSet(parameters, queryset=Product.objects.none())
    if not filterset.is_valid():
        found = filterset.form.errors.get_json_data().items()
        raise InvalidFilterError(
            errors=[
                FieldError(pointer=f"?{name}", detail=error["message"]) for name, errors in found for error in errors
            ]
        )
    parse: Callable[..., ProductFilters] = ProductFilters.parse
    return parse(**filterset.form.cleaned_data)


class ProductFilterBackend(DjangoFilterBackend):
    """Hands the view's filters to the one selector that both API versions share."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Product], view: Products) -> QuerySet[Product]:
        return published_products(view.filters)
