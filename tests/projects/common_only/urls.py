"""v1 and v2 of the project's own routes, the two documents, and the probes."""

from api import api
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView
from views import Fare

urlpatterns = [
    path("", include("fashionistar_common.urls")),
    path("api/v1/fares/<slug:district>", Fare.as_view()),
    path("api/v1/schema", SpectacularJSONAPIView.as_view()),
    path("api/v2/", api.urls),
]
