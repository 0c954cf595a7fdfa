"""Items about where the site's data is."""

from django.core.cache import cache, caches
from django.db import connection, connections, router
from django.db.migrations.executor import MigrationExecutor
from django.utils.crypto import get_random_string

from ..conf import conf
from ..models import IdempotencyRecord
from .registry import Result, failed, not_applicable, passed, production_item

#: Of PostgreSQL, as `server_version` writes it.
OLDEST = 15_00_00
NO_POSTGRESQL = "the database is no PostgreSQL"
#: Caches that each process has for itself, or that keep nothing.
PRIVATE_CACHES = {"locmem", "dummy", "filebased"}


@production_item(
    "common.postgresql", "The database is PostgreSQL 15 or newer.", evidence="psql -c 'SHOW server_version'"
)
def postgresql() -> Result:
    if connection.vendor != "postgresql":
        return failed(f"it is {connection.display_name}: no row locks, no LISTEN, one writer at a time")
    version = connection.connection.info.server_version
    return passed() if version >= OLDEST else failed(f"it is {version // 10_000}.{version % 10_000}")


@production_item("common.migrations_applied", "Every migration is applied.", evidence="manage.py migrate --check")
def migrations_applied() -> Result:
    missing = []
    for alias in connections:
        executor = MigrationExecutor(connections[alias])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        missing += [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
    return failed(f"not applied: {', '.join(missing[:5])}") if missing else passed()


@production_item(
    "common.pool_sized",
    "The pool has a connection for each thread of gather() and one more, and the server has as many.",
    evidence="psql -c 'SHOW max_connections'; DATABASES['default']['OPTIONS']['pool']",
)
def pool_sized() -> Result:
    pool = connection.settings_dict["OPTIONS"].get("pool")
    if not pool:
        return not_applicable("there is no pool: each thread has a connection of its own")
    size = pool.get("max_size") or pool.get("min_size", 4) if isinstance(pool, dict) else 4
    if size < conf.GATHER_THREADS + 1:
        return failed(f"{size} connections for {conf.GATHER_THREADS} threads of gather() and the request itself")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('max_connections')::int")
            allowed = cursor.fetchone()[0]
        if size > allowed:
            return failed(f"one process may open {size} connections, the server takes {allowed}")
    return passed()


@production_item(
    "common.database_role",
    "The site's role in the database is no superuser and passes no row-level policy by.",
    evidence="psql -c '\\du'",
)
def database_role() -> Result:
    if connection.vendor != "postgresql":
        return not_applicable(NO_POSTGRESQL)
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        name, is_superuser, passes_policies = cursor.fetchone()
    if is_superuser or passes_policies:
        return failed(f"{name} {'is a superuser' if is_superuser else 'has BYPASSRLS'}")
    return passed()


@production_item(
    "common.cache_shared", "Every process has the same cache, and it answers.", evidence="redis-cli -u $REDIS_URL ping"
)
def cache_shared() -> Result:
    kind = type(caches["default"])
    if kind.__module__.rpartition(".")[2] in PRIVATE_CACHES:
        return failed(f"{kind.__qualname__} is no process's but its own")
    key, value = f"production_check:{get_random_string(12)}", get_random_string(12)
    cache.set(key, value, 10)
    kept = cache.get(key)
    cache.delete(key)
    return passed() if kept == value else failed("it does not keep what it is given")


@production_item(
    "common.idempotency_durable",
    "Answers kept for an Idempotency-Key survive a flushed cache and a restart.",
    evidence="the table fashionistar_common_idempotencyrecord",
)
def idempotency_durable() -> Result:
    database = connections[router.db_for_write(IdempotencyRecord)]
    if database.vendor == "sqlite" and database.is_in_memory_db():  # type: ignore[attr-defined]
        return failed("the database is in memory")
    table = IdempotencyRecord._meta.db_table
    with database.cursor() as cursor:
        if table not in database.introspection.table_names(cursor):
            return failed(f"there is no table {table}")
        if database.vendor == "postgresql":
            cursor.execute("SELECT relpersistence FROM pg_class WHERE oid = to_regclass(%s)", [table])
            if cursor.fetchone()[0] != "p":
                return failed(f"{table} is UNLOGGED: a crash empties it")
    return passed()
