"""Every address of the sandbox."""

from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularJSONAPIView

from config.api import api
from config.docs import DocsPage

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="docs-v2")),
    path("", include("fashionistar_common.urls")),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1", include("fashionistar_common.api.v1.urls")),
    path("api/v1/auth", include("fashionistar_auth.urls")),
    path("api/v1/catalog", include("fashionistar_catalog.urls")),
    path("api/v1/orders", include("fashionistar_orders.urls")),
    path("api/v1/payments", include("fashionistar_payments.urls")),
    path("api/v1/schema", SpectacularJSONAPIView.as_view(), name="schema-v1"),
    path("api/v1/docs", DocsPage.as_view(title="Fashionistar API v1", schema="schema-v1"), name="docs-v1"),
    path(
        "api/v2/docs",
        DocsPage.as_view(title="Fashionistar API v2", schema="fashionistar-v2:openapi-json"),
        name="docs-v2",
    ),
    path("api/v2/", api.urls),
]

if settings.DEBUG:
    urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
