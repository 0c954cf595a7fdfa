"""The operations of v2. `router.create_router` gives them their paths."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from fashionistar_common.http import pagination
from fashionistar_common.http.ninja import PageQuery, paged
from ninja import Query

from ... import models, selectors
from ...types import CategoryNode
from .schemas import ProductFilterSchema


async def list_products(
    request: HttpRequest, response: HttpResponse, filters: Query[ProductFilterSchema], page: Query[PageQuery]
) -> pagination.Page[models.Product]:
    """Products on sale."""
    wanted = filters.product_filters
    keyset = pagination.Keyset(selectors.ORDERINGS[wanted.sort])
    return await paged(request, response, selectors.published_products(wanted), keyset=keyset, page=page)


async def get_product(request: HttpRequest, slug: str) -> models.Product:
    """One product on sale."""
    return await sync_to_async(selectors.product_by_slug)(slug)


async def list_categories(request: HttpRequest) -> dict[str, tuple[CategoryNode, ...]]:
    """The category tree."""
    return {"results": await sync_to_async(selectors.category_tree)()}


async def get_category(request: HttpRequest, slug: str) -> CategoryNode:
    """One category with those above and below it."""
    return await sync_to_async(selectors.category_node)(slug)


async def list_vendors(
    request: HttpRequest, response: HttpResponse, page: Query[PageQuery]
) -> pagination.Page[models.Vendor]:
    """The shops of the marketplace."""
    keyset = pagination.Keyset(selectors.VENDOR_ORDERING)
    return await paged(request, response, selectors.active_vendors(), keyset=keyset, page=page)


async def get_vendor(request: HttpRequest, slug: str) -> models.Vendor:
    """One shop."""
    return await sync_to_async(selectors.vendor_by_slug)(slug)
