"""v1, to be mounted without a closing slash: `path("api/v1/payments", include("fashionistar_payments.urls"))`.

The two views that write manage their own transactions: a gateway is never called inside one, and a webhook that cannot
be processed must stay stored. So ATOMIC_REQUESTS does not hold for them.
"""

from django.db.transaction import non_atomic_requests
from django.urls import path

from .api.v1 import views

app_name = "fashionistar_payments"

urlpatterns = [
    path("", non_atomic_requests(views.Payments.as_view()), name="payments"),
    path("/<slug:public_id>", views.PaymentDetail.as_view(), name="payment"),
    path("/webhooks/<slug:provider>", non_atomic_requests(views.Webhook.as_view()), name="webhook"),
]
