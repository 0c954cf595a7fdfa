"""The test suite: real PostgreSQL and Valkey, fast password hashing, mail kept in memory."""

from config import environ
from config.settings.base import *  # noqa: F403 - a settings module is its base, changed
from config.settings.base import dummy_payments

SECRET_KEY = "test-only-" + "0123456789abcdef" * 4
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
FASHIONISTAR_PAYMENTS = dummy_payments("test-only-webhook-secret")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

globals().update(environ.mailer("django.core.mail.backends.locmem.EmailBackend"))
