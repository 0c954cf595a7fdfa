"""Probes, metrics, and the page behind links to unsubscribe; to be included at the root."""

from django.urls import path

from .http.health import healthz, readyz
from .http.metrics import metrics
from .http.unsubscribe import unsubscribe

app_name = "fashionistar_common"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("notifications/unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
]
