"""v1 and v2 of one app, the two documents, and the probes."""

from api import api
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

urlpatterns = [
    path("", include("fashionistar_common.urls")),
    path("api/v1/auth", include("fashionistar_auth.urls")),
    path("api/v1/schema", SpectacularJSONAPIView.as_view()),
    path("api/v2/", api.urls),
]
