from django.db.models import QuerySet
from django.utils.functional import cached_property
from drf_spectacular.utils import extend_schema, extend_schema_view
from fashionistar_common.http.drf import ApiView, PagedListView
from fashionistar_common.http.pagination import Keyset
from rest_framework.request import Request
from rest_framework.response import Response

from ... import selectors
from ...models import Product, Vendor
from ...types import ProductFilters
from .filters import ProductFilterBackend, ProductFilterSet, product_filters
from .serializers import (
    CategoryDetailSerializer,
    CategoryTreeSerializer,
    ProductSerializer,
    ProductSummarySerializer,
    VendorSerializer,
)


@extend_schema_view(get=extend_schema(operation_id="list_products", tags=["catalog"]))
class Products(PagedListView):
    """Products on sale."""

    serializer_class = ProductSummarySerializer
    queryset = Product.objects.none()
    filter_backends = [ProductFilterBackend]  # type: ignore[list-item]
    filterset_class = ProductFilterSet

    @cached_property
    def filters(self) -> ProductFilters:
        return product_filters(self.request.query_params)

    def get_keyset(self) -> Keyset:
        return Keyset(selectors.ORDERINGS[self.filters.sort])


class ProductDetail(ApiView):
    """One product on sale."""

    @extend_schema(operation_id="get_product", tags=["catalog"], responses=ProductSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(ProductSerializer(selectors.product_by_slug(slug)).data)


class Categories(ApiView):
    """The category tree."""

    @extend_schema(operation_id="list_categories", tags=["catalog"], responses=CategoryTreeSerializer)
    def get(self, request: Request) -> Response:
        return Response(CategoryTreeSerializer({"results": selectors.category_tree()}).data)


class CategoryDetail(ApiView):
    """One category with those above and below it."""

    @extend_schema(operation_id="get_category", tags=["catalog"], responses=CategoryDetailSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(CategoryDetailSerializer(selectors.category_node(slug)).data)


@extend_schema_view(get=extend_schema(operation_id="list_vendors", tags=["catalog"]))
class Vendors(PagedListView):
    """The shops of the marketplace."""

    serializer_class = VendorSerializer
    keyset = Keyset(selectors.VENDOR_ORDERING)

    def get_queryset(self) -> QuerySet[Vendor]:
        return selectors.active_vendors()


class VendorDetail(ApiView):
    """One shop."""

    @extend_schema(operation_id="get_vendor", tags=["catalog"], responses=VendorSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(VendorSerializer(selectors.vendor_by_slug(slug)).data)
