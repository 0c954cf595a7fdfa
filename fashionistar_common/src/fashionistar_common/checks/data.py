"""What can be wrong with threads, pools, policies and replicas."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - its name in Django
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from ..concurrency import pool_size
from ..conf import conf
from ..db.row_security import EnableRowSecurity


@register()
def check_threads(**kwargs: Any) -> list[CheckMessage]:
    """E060: there are no threads. W060: they are more than the pool has connections for."""
    numbers = (conf.GATHER_THREADS, conf.IN_THREAD_THREADS, conf.POOL_RESERVE)
    if not all(isinstance(number, int) for number in numbers):
        return []  # E002 says so
    if conf.GATHER_THREADS < 1 or min(numbers) < 0:
        return [
            Error(
                "FASHIONISTAR_COMMON: GATHER_THREADS is at least 1, IN_THREAD_THREADS and POOL_RESERVE at least 0.",
                id="fashionistar_common.E060",
            )
        ]
    size = pool_size()
    if size is not None and sum(numbers) > size:
        return [
            Warning(
                f"GATHER_THREADS, IN_THREAD_THREADS and POOL_RESERVE are {sum(numbers)} together, "
                f"and the database's pool has {size} connections.",
                hint="Under load threads would wait for connections. Enlarge the pool's max_size, or lower these.",
                id="fashionistar_common.W060",
            )
        ]
    return []


@register()
def check_replicas(**kwargs: Any) -> list[CheckMessage]:
    """E061: an alias is no replica. E062: a write is forgotten before a replica shows it. W063: nobody reads them."""
    aliases = conf.REPLICAS if isinstance(conf.REPLICAS, list) else []
    messages: list[CheckMessage] = [
        Error(
            f"FASHIONISTAR_COMMON['REPLICAS'] names {alias!r}, which is not a PostgreSQL database beside the default.",
            id="fashionistar_common.E061",
        )
        for alias in aliases
        if alias == DEFAULT_DB_ALIAS or alias not in connections.settings or connections[alias].vendor != "postgresql"
    ]
    # A look is good for twice the interval, may have found a replica as old as allowed, and does not see the last
    # moment's commits where synchronous_commit is off.
    slowest = conf.REPLICA_MAX_LAG + 2 * conf.REPLICA_CHECK_INTERVAL + 1
    if aliases and slowest > conf.REPLICA_STICKY_SECONDS:
        messages.append(
            Error(
                f"REPLICA_STICKY_SECONDS is less than a replica may lag unnoticed, which is {slowest:g}.",
                hint="It is at least REPLICA_MAX_LAG, twice REPLICA_CHECK_INTERVAL and a second.",
                id="fashionistar_common.E062",
            )
        )
    missing = [
        f"{setting} lacks {path}"
        for setting, path in (
            ("DATABASE_ROUTERS", "fashionistar_common.db.replicas.ReplicaRouter"),
            ("MIDDLEWARE", "fashionistar_common.http.replicas.ReplicaMiddleware"),
        )
        if path not in getattr(settings, setting)
    ]
    if aliases and missing:
        messages.append(
            Warning(f"Nobody reads the replicas: {', '.join(missing)}.", id="fashionistar_common.W063"),
        )
    return messages


@register(Tags.database)
def check_row_security(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """W061: policies do not hold for the database's user. W062: this database has none, and migrations want some."""
    messages: list[CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if connection.vendor == "postgresql":
            if _bypasses_policies(connection):
                messages.append(
                    Warning(
                        f"The user of the database {alias!r} is a superuser or has BYPASSRLS: no policy holds for it.",
                        hint="Connect as a role without either.",
                        id="fashionistar_common.W061",
                    )
                )
        elif models := _wanting_policies():
            messages.append(
                Warning(
                    f"The database {alias!r} has no row security, which migrations enable on {', '.join(models)}.",
                    hint="Use PostgreSQL, or make sure that every query names its tenant.",
                    id="fashionistar_common.W062",
                )
            )
    return messages


def _bypasses_policies(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user)"
            " AND EXISTS (SELECT FROM pg_class WHERE relrowsecurity AND pg_table_is_visible(oid))"
        )
        return bool(cursor.fetchone()[0])


def _wanting_policies() -> list[str]:
    migrations = MigrationLoader(None).disk_migrations.values()
    return sorted(
        f"{migration.app_label}.{operation.model_name}"
        for migration in migrations
        for operation in migration.operations
        if isinstance(operation, EnableRowSecurity)
    )
