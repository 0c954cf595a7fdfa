"""Every address of the sandbox."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

APPS = {"auth": "auth", "catalog": "catalog", "orders": "orders", "payments": "payments"}

urlpatterns = [
    path("admin/", admin.site.urls),
    *[
        path(f"api/v1/{app}", include(f"fashionistar_{app}.urls"))
        for app in APPS
        if find_spec(f"fashionistar_{app}.urls")
    ],
]
if find_spec("fashionistar_common.urls"):
    urlpatterns.append(path("", include("fashionistar_common.urls")))
if any(find_spec(f"fashionistar_{app}.router") for app in APPS):
    from config.api import api

    urlpatterns.append(path("api/v2/", api.urls))
