"""Settings from environment variables; the standard library only."""

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def required(name: str, *, why: str) -> str:
    """Return a variable that has no safe default.

    Raises:
        ImproperlyConfigured: It is missing or empty; ``why`` ends the sentence.
    """
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set the environment variable {name}: {why}.")
    return value


def text(name: str, default: str = "") -> str:
    """Return a variable's text."""
    return os.environ.get(name, default)


def number(name: str, default: int) -> int:
    """Return a variable as a whole number."""
    value = os.environ.get(name, "")
    try:
        return int(value) if value else default
    except ValueError:
        message = f"The environment variable {name} must be a whole number, not {value!r}."
        raise ImproperlyConfigured(message) from None


def flag(name: str, *, default: bool) -> bool:
    """Return a variable as a yes or no: 1/0, true/false, yes/no, on/off."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() not in TRUE | FALSE:
        raise ImproperlyConfigured(f"The environment variable {name} must be 1 or 0, not {value!r}.")
    return value.lower() in TRUE


def listing(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list."""
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


def database(url: str, *, pool_size: int) -> dict[str, Any]:
    """Return an entry of ``DATABASES`` for ``postgresql://user:password@host:port/name?option=value`` or ``sqlite:///path``.

    PostgreSQL gets a pool of connections for each process. A connection goes back to the pool at the end of its
    request, hence ``CONN_MAX_AGE`` 0.

    Raises:
        ImproperlyConfigured: The URL is of neither form. The message does not repeat it, as it may hold a password.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": unquote(parts.path)[1:] or ":memory:"}
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise ImproperlyConfigured("DATABASE_URL must be postgresql://user:password@host:port/name or sqlite:///path.")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "OPTIONS": options,
    }


def tasks_on_redis(
    *,
    url: str,
    sentinels: list[str],
    service: str,
    cluster: list[str],
    username: str,
    password: str,
    tls: bool,
    ca_file: str,
    replicas: int,
) -> dict[str, Any] | None:
    """Return an entry of ``TASKS`` without its ``QUEUES``; None when no servers are named.

    Args:
        url: One server, ``redis://`` or ``rediss://``; login and TLS are part of it.
        sentinels: Instead of it ``host:port`` of each Sentinel.
        service: What the Sentinels call the master.
        cluster: Or ``host:port`` of some nodes of a Cluster.
        username: The login of the servers that hold the tasks.
        password: Its password.
        tls: Whether servers and Sentinels speak TLS.
        ca_file: The certificates that sign theirs; those of the system if it is empty.
        replicas: How many replicas must have a task before it counts as enqueued.
    """
    servers = {"URL": url, "SENTINELS": sentinels, "SERVICE": service, "CLUSTER": cluster}
    if not any(servers.values()):
        return None
    encryption: dict[str, Any] = {"ssl": True} if tls else {}
    if ca_file:
        encryption["ssl_ca_certs"] = ca_file
    client = encryption | {name: value for name, value in (("username", username), ("password", password)) if value}
    options = servers | {"CLIENT": client, "SENTINEL_CLIENT": encryption if sentinels else {}}
    return {
        "BACKEND": "fashionistar_common.tasks.redis.RedisBackend",
        "OPTIONS": {name: value for name, value in options.items() if value} | {"WAIT_REPLICAS": replicas},
    }


def mailer(backend: str, *, queued: bool = False, **options: Any) -> dict[str, Any]:
    """Return the settings of outgoing mail in the form that this version of Django reads.

    Args:
        backend: Dotted path of the e-mail backend.
        queued: Whether Django's own mail goes through the queue ``emails`` first; with Django 6.0 to SMTP only.
        options: The backend's options: ``host``, ``port``, ``username``, ``password``, ``use_tls``.
    """
    import django

    queue = "fashionistar_common.mail.QueuedEmailBackend"
    if django.VERSION >= (6, 1):
        direct = {"BACKEND": backend, "OPTIONS": options}
        if queued:
            return {"MAILERS": {"default": {"BACKEND": queue, "OPTIONS": {"mailer": "direct"}}, "direct": direct}}
        return {"MAILERS": {"default": direct}}
    names = {"username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD"}
    settings = {names.get(key, f"EMAIL_{key.upper()}"): value for key, value in options.items()}
    return {"EMAIL_BACKEND": queue if queued else backend, **settings}
