"""The smallest project around fashionistar_common: one app of its own, everything else from the package."""

import os
from pathlib import Path
from typing import Any

import django

SECRET_KEY = "only-for-this-example-0123456789-abcdefghijklmnop"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
APPEND_SLASH = False
USE_TZ = True

INSTALLED_APPS = [
    "fashionistar_common",
    "rides",
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
SPECTACULAR_SETTINGS = {"TITLE": "Common only, v1", "VERSION": "1.0.0"}

# Any `(token) -> Actor` will do; fashionistar_auth brings one with accounts behind it.
FASHIONISTAR_COMMON: dict[str, Any] = {"AUTHENTICATOR": "tokens.authenticate"}

# Every message becomes a file.
FASHIONISTAR_COMMON["MAIL_DIRECTORY"] = os.environ.get("MAIL_DIRECTORY", str(Path(__file__).with_name("mail")))
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "fashionistar_common.mail.DirectoryEmailBackend"}}
else:
    EMAIL_BACKEND = "fashionistar_common.mail.DirectoryEmailBackend"
