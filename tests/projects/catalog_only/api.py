"""v2."""

from fashionistar_catalog.router import create_router
from fashionistar_common.http.ninja import install_problem_handlers
from ninja import NinjaAPI

api = NinjaAPI(title="Catalog only, v2", version="2.0.0")
install_problem_handlers(api)
api.add_router("/catalog", create_router())
