"""What holds in every environment. Anything that differs between machines comes from an environment variable."""

from pathlib import Path
from typing import Any

from django.utils.csp import CSP

from config import environ

SANDBOX = Path(__file__).resolve().parents[2]
ROOT = SANDBOX.parent

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "fashionistar_auth.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False  # the API's addresses have none, and the apps' own begin with one

INSTALLED_APPS = [
    "fashionistar_common",
    "fashionistar_auth",
    "fashionistar_catalog",
    "fashionistar_orders",
    "fashionistar_payments",
    "config",
    "shop",
    "django_tasks_db",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "ninja",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "fashionistar_common.http.middleware.RequestIDMiddleware",
    "fashionistar_common.http.middleware.ServerTimingMiddleware",
    "fashionistar_common.http.middleware.OriginMiddleware",
    "fashionistar_common.http.observe.ObserveMiddleware",
    "fashionistar_common.http.middleware.ProblemMiddleware",
    "fashionistar_common.http.replicas.ReplicaMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "fashionistar_common.http.csp_reports.ReportingEndpointsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Data ------------------------------------------------------------------------------------------------------------

DATABASES = {
    "default": environ.database(
        environ.text("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/fashionistar"),
        pool_size=environ.number("DATABASE_POOL_SIZE", 20),
    )
}
# Streaming replicas, which requests that only read may use.
REPLICAS = {
    f"replica{number}": {
        **environ.database(url, pool_size=environ.number("DATABASE_POOL_SIZE", 20)),
        "TEST": {"MIRROR": "default"},
    }
    for number, url in enumerate(environ.listing("DATABASE_REPLICA_URLS"), 1)
}
DATABASES |= REPLICAS
DATABASE_ROUTERS = ["fashionistar_common.db.replicas.ReplicaRouter"]

REDIS_URL = environ.text("REDIS_URL")
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": environ.text("CACHE_KEY_PREFIX", "fashionistar"),
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

TASKS = {
    "default": {
        "BACKEND": "django_tasks_db.DatabaseBackend",
        "QUEUES": ["critical", "emails", "default", "analytics"],
    }
}

# Time, language, files -------------------------------------------------------------------------------------------

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

STATIC_URL = "/static/"
STATIC_ROOT = environ.text("STATIC_ROOT", str(ROOT / ".run" / "static"))
MEDIA_URL = "/media/"
MEDIA_ROOT = environ.text("MEDIA_ROOT", str(ROOT / ".run" / "media"))

# Browsers --------------------------------------------------------------------------------------------------------

#: Origins other than our own that product images may come from, such as https://images.example.com.
PRODUCT_IMAGE_HOSTS = environ.listing("PRODUCT_IMAGE_HOSTS")

# Whatever is not listed is refused. No page of ours has inline scripts or styles; a nonce is there for one that must.
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:", *PRODUCT_IMAGE_HOSTS],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    # Where browsers tell what they have refused: the first for those that know no Reporting API.
    "report-uri": ["/csp-reports"],
    "report-to": ["csp"],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# The API ---------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "fashionistar_common.http.drf.problem_handler",  # for views that are not ours: the schema
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Fashionistar API v1",
    "DESCRIPTION": "The marketplace over HTTP: accounts, catalog, orders and payments.",
    "VERSION": "1.0.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "fashionistar_orders.types.OrderStatus",
        "PaymentStatus": "fashionistar_payments.types.PaymentStatus",
        "Role": "fashionistar_auth.models.User.Role",
        "SelfRegisteredRole": "fashionistar_auth.api.v1.serializers.SELF_REGISTERED",
    },
}

# The apps --------------------------------------------------------------------------------------------------------

FASHIONISTAR_COMMON: dict[str, Any] = {
    "AUTHENTICATOR": "fashionistar_auth.tokens.authenticate",
    "IDEMPOTENCY_LEASE": environ.number("IDEMPOTENCY_LEASE", 60),
    "TASK_TIME_LIMIT": environ.number("TASK_TIME_LIMIT", 300),
    "METRICS_TOKEN": environ.text("METRICS_TOKEN"),
    "METRICS_NETWORKS": environ.listing("METRICS_NETWORKS"),
    "TRUSTED_PROXIES": environ.listing("TRUSTED_PROXIES"),
    "PUBLIC_URL": environ.text("PUBLIC_URL"),
    "REPLICAS": [*REPLICAS],
}
FASHIONISTAR_ORDERS: dict[str, Any] = {"CATALOG": "config.wiring.catalog"}
FASHIONISTAR_PAYMENTS: dict[str, Any] = {"ORDERS": "config.wiring.orders"}


def dummy_payments(secret: str, *, in_production: bool = False) -> dict[str, Any]:
    """Return FASHIONISTAR_PAYMENTS with the gateway double, whose webhooks are signed with this secret."""
    options = {"SECRET": secret, "ALLOW_IN_PRODUCTION": in_production}
    provider = {"BACKEND": "fashionistar_payments.providers.dummy.DummyProvider", "OPTIONS": options}
    return {**FASHIONISTAR_PAYMENTS, "PROVIDERS": {"dummy": provider}}
