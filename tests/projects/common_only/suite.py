"""The project for the suite of fashionistar_common where nothing else of Fashionistar is installed."""

import os
from pathlib import Path

import django
from settings import *  # noqa: F403 - a settings module is its base, changed
from settings import INSTALLED_APPS, MIDDLEWARE, TASKS, TEMPLATES

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

ROOT_URLCONF = "suite_urls"
USE_I18N = True

# What the suite looks at beside the package itself: the admin, and tasks in the database.
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "django_tasks_db",
    "django.contrib.admin",
    "django.contrib.messages",
    "django.contrib.sessions",
]
MIDDLEWARE = [
    *MIDDLEWARE,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        **TEMPLATES[0],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TASKS = {"default": {**TASKS["default"], "BACKEND": "django_tasks_db.DatabaseBackend"}}

if "PGDATABASE" in os.environ:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 20, "timeout": 10}},
        }
    }
else:
    # In a file: an in-memory database has one connection, and these tests use several threads and processes.
    file = Path(__file__).with_name(f"suite-{WORKER}.sqlite3")
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": file,
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
            "TEST": {"NAME": file},
        }
    }

if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
else:
    EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
if "REDIS_URL" in os.environ:
    CACHES["default"] = {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ["REDIS_URL"],
        "KEY_PREFIX": WORKER,
    }
