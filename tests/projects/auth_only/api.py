"""v2."""

from fashionistar_auth.router import create_router
from fashionistar_common.http.ninja import install_problem_handlers
from ninja import NinjaAPI

api = NinjaAPI(title="Auth only, v2", version="2.0.0")
install_problem_handlers(api)
api.add_router("/auth", create_router())
