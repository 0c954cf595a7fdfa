"""v2: the routes for Django Ninja. `api.add_router("/catalog", create_router())`."""

from fashionistar_common.http.ninja import PROBLEMS, Page
from ninja import Router

from .api.v2 import endpoints, schemas


def create_router() -> Router:
    """A fresh router, so that it can be mounted in more than one API. Nobody has to be logged in."""
    router = Router(tags=["catalog"])
    for path, endpoint, answer in (
        ("/products", endpoints.list_products, Page[schemas.ProductSummary]),
        ("/products/{slug:slug}", endpoints.get_product, schemas.Product),
        ("/categories", endpoints.list_categories, schemas.CategoryTree),
        ("/categories/{slug:slug}", endpoints.get_category, schemas.CategoryDetail),
        ("/vendors", endpoints.list_vendors, Page[schemas.Vendor]),
        ("/vendors/{slug:slug}", endpoints.get_vendor, schemas.Vendor),
    ):
        router.get(path, response={200: answer, **PROBLEMS}, operation_id=endpoint.__name__, auth=None)(endpoint)
    return router


router = create_router()
