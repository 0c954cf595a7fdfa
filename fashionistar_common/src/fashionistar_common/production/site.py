"""Items about what visitors and strangers meet."""

from typing import Any

from django.conf import settings
from django.core.checks import WARNING, run_checks

from ..conf import conf
from ..mail import DirectoryEmailBackend, mail_connection
from .registry import Result, failed, not_applicable, passed, production_item

#: Six months: from here on browsers' lists of HTTPS-only sites take a site.
HSTS_SECONDS = 15_768_000
#: Backends that keep a message, show it or drop it, but send none.
NO_MAIL = {"console", "dummy", "filebased", "locmem"}


@production_item(
    "common.checks_clean", "Django's checks for deployment find nothing.", evidence="manage.py check --deploy"
)
def checks_clean() -> Result:
    found = sorted({message.id or "" for message in run_checks(include_deployment_checks=True) if is_serious(message)})
    return failed(f"{', '.join(found)}") if found else passed()


def is_serious(message: Any) -> bool:
    return message.level >= WARNING and not message.is_silenced()


@production_item("common.debug_off", "DEBUG is off.", evidence="manage.py diffsettings | grep ^DEBUG")
def debug_off() -> Result:
    return failed("with DEBUG, an error shows strangers settings and code") if settings.DEBUG else passed()


@production_item(
    "common.secret_key",
    "SECRET_KEY is long, random and nobody's default.",
    evidence="manage.py check --deploy --tag security",
)
def secret_key() -> Result:
    keys = [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    weak = [key for key in keys if len(key) < 50 or len(set(key)) < 10 or _is_default(key)]
    return failed(f"{len(weak)} of {len(keys)} keys can be guessed") if weak else passed()


def _is_default(key: str) -> bool:
    return any(
        word in key.lower() for word in ("insecure", "change-me", "changeme", "development", "example", "test-only")
    )


@production_item(
    "common.https_only",
    "Every answer leaves over HTTPS, browsers insist on it, and cookies leave in no other way.",
    evidence="curl -I http://<host>/ and https://<host>/",
)
def https_only() -> Result:
    missing = [
        name
        for name in ("SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE")
        if not getattr(settings, name)
    ]
    if settings.SECURE_HSTS_SECONDS < HSTS_SECONDS:
        missing.append(f"SECURE_HSTS_SECONDS of half a year, not {settings.SECURE_HSTS_SECONDS}")
    if "django.middleware.security.SecurityMiddleware" not in settings.MIDDLEWARE:
        missing.append("SecurityMiddleware")
    return failed(f"missing: {', '.join(missing)}") if missing else passed()


@production_item("common.allowed_hosts", "ALLOWED_HOSTS names the site's hosts.", evidence="manage.py diffsettings")
def allowed_hosts() -> Result:
    if not settings.ALLOWED_HOSTS:
        return failed("it is empty")
    wild = [host for host in settings.ALLOWED_HOSTS if host in {"*", "."}]
    return failed("it takes any host") if wild else passed()


@production_item(
    "common.csp_strict",
    "The Content-Security-Policy runs scripts of the site only.",
    evidence="curl -I https://<host>/",
)
def csp_strict() -> Result:
    policy = getattr(settings, "SECURE_CSP", None) or {}
    if "django.middleware.csp.ContentSecurityPolicyMiddleware" not in settings.MIDDLEWARE or not policy:
        return failed("there is no policy")
    scripts = {str(source) for source in policy.get("script-src", policy.get("default-src", ["*"])) or []}
    loose = sorted(scripts & {"*", "http:", "https:", "data:", "blob:", "'unsafe-inline'", "'unsafe-eval'"})
    if loose:
        return failed(f"scripts may come from {', '.join(loose)}")
    missing = [name for name in ("default-src", "base-uri", "frame-ancestors") if name not in policy]
    return failed(f"it says nothing of {', '.join(missing)}") if missing else passed()


@production_item(
    "common.proxies_known",
    "The caller's address is read behind the site's own proxies.",
    evidence="FASHIONISTAR_COMMON['TRUSTED_PROXIES']",
)
def proxies_known() -> Result:
    if not settings.SECURE_PROXY_SSL_HEADER:
        return not_applicable("no proxy ends TLS here (SECURE_PROXY_SSL_HEADER)")
    return (
        passed() if conf.TRUSTED_PROXIES else failed("TRUSTED_PROXIES is empty: every caller has the proxy's address")
    )


@production_item(
    "common.metrics_protected", "Strangers cannot read /metrics.", evidence="curl -i https://<host>/metrics"
)
def metrics_protected() -> Result:
    if not conf.METRICS_TOKEN and not conf.METRICS_NETWORKS:
        return (
            failed("open, with DEBUG") if settings.DEBUG else not_applicable("there is no such page: no token is set")
        )
    return failed("METRICS_NETWORKS is everybody") if _is_everybody(conf.METRICS_NETWORKS) else passed()


def _is_everybody(networks: list[str]) -> bool:
    return any(network.endswith("/0") for network in networks)


@production_item("common.mail_sent", "Mail leaves for its recipients.", evidence="manage.py sendtestemail <you>")
def mail_sent() -> Result:
    mailers = list(getattr(settings, "MAILERS", None) or {"": None})
    kinds = {type(mail_connection(mailer)) for mailer in mailers}
    unreal = sorted(kind.__qualname__ for kind in kinds if _sends_nothing(kind))
    return failed(f"{', '.join(unreal)} sends nothing") if unreal else passed()


def _sends_nothing(kind: type) -> bool:
    return kind.__module__.rpartition(".")[2] in NO_MAIL or issubclass(kind, DirectoryEmailBackend)


@production_item("common.logs_json", "The log is JSON without secrets.", evidence="the process's standard error")
def logs_json() -> Result:
    from ..observability.logs import ContextFilter

    written = str(settings.LOGGING)
    fine = "fashionistar_common.observability.json_lines.JsonFormatter" in written and ContextFilter.__name__ in written
    return passed() if fine else failed("LOGGING is not observability.logs.logging_config()")
