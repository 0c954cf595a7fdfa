"""v2."""

from fashionistar_common.http.ninja import install_problem_handlers
from fashionistar_payments.router import create_router
from ninja import NinjaAPI

api = NinjaAPI(title="Payments only, v2", version="2.0.0")
install_problem_handlers(api)
api.add_router("/payments", create_router())
