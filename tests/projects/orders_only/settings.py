"""The smallest project around fashionistar_orders: its catalog is two products in `catalog.py`."""

import os
from pathlib import Path

SECRET_KEY = "only-for-this-example-0123456789-abcdefghijklmnop"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
APPEND_SLASH = False
USE_TZ = True

INSTALLED_APPS = [
    "fashionistar_common",
    "fashionistar_orders",
    "django.contrib.contenttypes",
    "django.contrib.auth",
]

MIDDLEWARE = [
    "fashionistar_common.http.middleware.RequestIDMiddleware",
    "fashionistar_common.http.middleware.ServerTimingMiddleware",
    "fashionistar_common.http.middleware.OriginMiddleware",
    "fashionistar_common.http.middleware.ProblemMiddleware",
]

TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

# PostgreSQL where the environment names a database as libpq does, SQLite beside this file everywhere else.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3")}}
if "PGDATABASE" in os.environ:
    DATABASES["default"] = {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}

# Tasks run where they are enqueued; with the extra `database-tasks`, workers run them.
TASKS = {
    "default": {
        "BACKEND": "django.tasks.backends.immediate.ImmediateBackend",
        "QUEUES": ["critical", "emails", "default", "analytics"],
    }
}

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {"TITLE": "Orders only, v1", "VERSION": "1.0.0"}

# Any `(token) -> Actor` will do; fashionistar_auth brings one with accounts behind it.
FASHIONISTAR_COMMON = {"AUTHENTICATOR": "tokens.authenticate"}

# The port of orders: an object or a module with sellable_variants, take_stock and return_stock.
FASHIONISTAR_ORDERS = {"CATALOG": "catalog.catalog", "CURRENCY": "NGN"}
