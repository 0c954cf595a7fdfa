"""v1: the routes for Django REST framework. `path("api/v1/catalog", include("fashionistar_catalog.urls"))`."""

from django.urls import path

from .api.v1 import views

app_name = "fashionistar_catalog"

urlpatterns = [
    path("/products", views.Products.as_view(), name="products"),
    path("/products/<slug:slug>", views.ProductDetail.as_view(), name="product"),
    path("/categories", views.Categories.as_view(), name="categories"),
    path("/categories/<slug:slug>", views.CategoryDetail.as_view(), name="category"),
    path("/vendors", views.Vendors.as_view(), name="vendors"),
    path("/vendors/<slug:slug>", views.VendorDetail.as_view(), name="vendor"),
]
