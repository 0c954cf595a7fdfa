"""The project's addresses and the admin."""

from django.contrib import admin
from django.urls import path
from urls import urlpatterns as of_the_project

urlpatterns = [*of_the_project, path("admin/", admin.site.urls)]
