"""v1, to be mounted without a closing slash: `path("api/v1/orders", include("fashionistar_orders.urls"))`."""

from django.urls import path

from .api.v1 import views

app_name = "fashionistar_orders"

urlpatterns = [
    path("", views.Orders.as_view(), name="orders"),
    path("/cart", views.CartDetail.as_view(), name="cart"),
    path("/cart/lines", views.CartLines.as_view(), name="cart-lines"),
    path("/cart/lines/<path:sku>", views.CartLineDetail.as_view(), name="cart-line"),
    path("/<slug:number>", views.OrderDetail.as_view(), name="order"),
    path("/<slug:number>/cancel", views.OrderCancellation.as_view(), name="order-cancel"),
]
