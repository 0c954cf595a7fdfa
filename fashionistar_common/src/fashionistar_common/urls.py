"""Probes, to be included at the root."""

from django.urls import path

from .http.health import healthz, readyz

app_name = "fashionistar_common"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
