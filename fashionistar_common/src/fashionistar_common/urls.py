"""Probes, metrics, what browsers report, and the page behind links to unsubscribe; to be included at the root."""

from django.urls import path

from .http.csp_reports import csp_reports
from .http.health import healthz, readyz
from .http.metrics import metrics
from .http.unsubscribe import unsubscribe

app_name = "fashionistar_common"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("csp-reports", csp_reports, name="csp-reports"),
    path("notifications/unsubscribe/<str:token>", unsubscribe, name="unsubscribe"),
]
