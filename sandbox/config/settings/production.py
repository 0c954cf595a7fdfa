"""The production site. It refuses to start without its secrets, and passes ``check --deploy``."""

from fashionistar_common.observability.logs import logging_config

from config import environ
from config.settings.base import *  # noqa: F403 - a settings module is its base, changed
from config.settings.base import SECURE_CSP, TASKS, dummy_payments

DEBUG = False
SECRET_KEY = environ.required("SECRET_KEY", why="fifty or more random characters, the same on every server")
SECRET_KEY_FALLBACKS = environ.listing("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = environ.listing("ALLOWED_HOSTS") or [
    environ.required("ALLOWED_HOSTS", why="the host names of the site, separated by commas")
]
environ.required("DATABASE_URL", why="postgresql://user:password@host:port/name")
environ.required("REDIS_URL", why="redis://host:port/0")

# Tasks lie in the database until servers for them are named. These should not be the cache's, which may forget.
if on_redis := environ.tasks_on_redis(
    url=environ.text("TASKS_REDIS_URL"),
    sentinels=environ.listing("TASKS_REDIS_SENTINELS"),
    service=environ.text("TASKS_REDIS_SERVICE"),
    cluster=environ.listing("TASKS_REDIS_CLUSTER"),
    username=environ.text("TASKS_REDIS_USERNAME"),
    password=environ.text("TASKS_REDIS_PASSWORD"),
    tls=environ.flag("TASKS_REDIS_TLS", default=False),
    ca_file=environ.text("TASKS_REDIS_CA_FILE"),
    replicas=environ.number("TASKS_REDIS_REPLICAS", 0),
):
    TASKS = {"default": {**TASKS["default"], **on_redis}}

# Tokens are signed with SECRET_KEY unless they have a key of their own, which can then be changed alone.
FASHIONISTAR_AUTH = {"SIGNING_KEY": environ.text("TOKEN_SIGNING_KEY")}
# For a demonstration site: the gateway double takes every payment and moves no money.
if secret := environ.text("DUMMY_PROVIDER_SECRET"):
    FASHIONISTAR_PAYMENTS = dummy_payments(secret, in_production=True)

# HTTPS only. The proxy in front ends TLS and says so in this header, which it must set itself on every request.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = environ.number("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = environ.listing("CSRF_TRUSTED_ORIGINS")
SECURE_CSP = {**SECURE_CSP, "upgrade-insecure-requests": True}

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

DEFAULT_FROM_EMAIL = environ.text("DEFAULT_FROM_EMAIL", "Fashionistar <hello@fashionistar.example>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
globals().update(
    environ.mailer(
        "django.core.mail.backends.smtp.EmailBackend",
        queued=True,
        host=environ.text("EMAIL_HOST", "localhost"),
        port=environ.number("EMAIL_PORT", 25),
        username=environ.text("EMAIL_HOST_USER"),
        password=environ.text("EMAIL_HOST_PASSWORD"),
        use_tls=environ.flag("EMAIL_USE_TLS", default=False),
        timeout=10,
    )
)

LOGGING = logging_config(level=environ.text("LOG_LEVEL", "INFO"))
