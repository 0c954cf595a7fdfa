"""API v2: one Ninja API made of the apps' routers."""

from importlib import import_module
from importlib.util import find_spec

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
for app in ("auth", "catalog", "orders", "payments"):
    if find_spec(f"fashionistar_{app}.router"):
        api.add_router(f"/{app}", import_module(f"fashionistar_{app}.router").create_router())
