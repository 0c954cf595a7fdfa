"""API v2: one Ninja API made of the apps' routers."""

import fashionistar_auth.router
import fashionistar_catalog.router
import fashionistar_common.router
import fashionistar_orders.router
import fashionistar_payments.router
from fashionistar_common.http.ninja import install_problem_handlers
from ninja import NinjaAPI

api = NinjaAPI(
    title="Fashionistar API v2",
    version="2.0.0",
    description="The marketplace over HTTP: accounts, catalog, orders and payments.",
    urls_namespace="fashionistar-v2",
    docs_url=None,  # config.docs has a page that works under our Content-Security-Policy
)
install_problem_handlers(api)
api.add_router("", fashionistar_common.router.create_router())
api.add_router("/auth", fashionistar_auth.router.create_router())
api.add_router("/catalog", fashionistar_catalog.router.create_router())
api.add_router("/orders", fashionistar_orders.router.create_router())
api.add_router("/payments", fashionistar_payments.router.create_router())
