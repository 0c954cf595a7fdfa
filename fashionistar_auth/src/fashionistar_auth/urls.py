"""v1: include under a path without a slash at its end, such as `api/v1/auth`."""

from django.urls import path

from .api.v1 import views

app_name = "fashionistar_auth"

urlpatterns = [
    path("/register", views.Register.as_view(), name="register"),
    path("/verify-email", views.VerifyEmail.as_view(), name="verify-email"),
    path("/resend-verification", views.ResendVerification.as_view(), name="resend-verification"),
    path("/login", views.Login.as_view(), name="login"),
    path("/refresh", views.Refresh.as_view(), name="refresh"),
    path("/me", views.Me.as_view(), name="me"),
]
