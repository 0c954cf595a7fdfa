"""Row security behind a real PgBouncer in transaction mode: each transaction gets whatever connection is free."""

import os
import random
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import DatabaseError, connection, connections, models, transaction
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import isolate_apps
from fashionistar_common.db.row_security import EnableRowSecurity, tenant

launch = pytest.importorskip("launch.pgbouncer")
from launch import processes  # noqa: E402 - only where it is
from launch.errors import LaunchError  # noqa: E402

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]
APP = f"pgbouncer_app_{os.getpid()}"  # roles are the whole server's
SERVER_CONNECTIONS, THREADS, TENANTS, ROUNDS = 3, 20, 100, 60

with isolate_apps("fashionistar_common"):

    class Secret(models.Model):
        owner = models.BigIntegerField()
        text = models.CharField(max_length=20)

        class Meta:
            app_label = "fashionistar_common"

        def __str__(self):
            return self.text


@pytest.fixture(scope="module")
def bouncer(server_folder, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        if connection.vendor != "postgresql":
            pytest.skip("needs PostgreSQL")
        connection.ensure_connection()
        server = connection.connection.info
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}"
        connection.close()
    try:
        pool = launch.PgBouncer(
            server_folder, url, port=processes.free_port(), users=(APP,), pool_size=SERVER_CONNECTIONS
        )
    except LaunchError as error:
        pytest.skip(str(error))
    try:
        pool.wait()
        yield pool
    finally:
        pool.stop()


@pytest.fixture
def app(bouncer, tables):
    """The alias of a connection through the pool, as a role for which policies hold; the table has 100 tenants."""
    with tables(Secret):
        state = ProjectState()
        state.add_model(ModelState.from_model(Secret))
        with connection.schema_editor() as editor:
            EnableRowSecurity("Secret", "owner").database_forwards("fashionistar_common", editor, state, state)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE ROLE {APP} LOGIN")
            cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APP}")
            cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {APP}")
        Secret.objects.bulk_create(Secret(owner=owner, text=f"of {owner}") for owner in range(TENANTS))
        settings = {
            **connection.settings_dict,
            "USER": APP,
            "HOST": "127.0.0.1",
            "PORT": bouncer.port,
            "OPTIONS": {},
            "DISABLE_SERVER_SIDE_CURSORS": True,
        }

        @contextmanager
        def connected():
            """Within this thread; outside of DATABASES, whose aliases a test may only use when it says so."""
            connections["pooled"] = wrapper = type(connections["default"])(settings, alias="pooled")
            try:
                yield "pooled"
            finally:
                wrapper.close()
                del connections["pooled"]

        try:
            yield connected
        finally:
            with connection.cursor() as cursor:
                cursor.execute(f"DROP OWNED BY {APP}")
                cursor.execute(f"DROP ROLE {APP}")


def rows(alias):
    return Secret.objects.using(alias)


def backend(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def fail_in_sql(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1/0")


def be_cancelled(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SELECT pg_sleep(5)")


def give_up(alias):
    raise KeyError("an error of our own")


def one_round(alias, dice, counts, pids):
    owner, other = dice.sample(range(TENANTS), 2)
    assert not rows(alias).exists(), "rows without a tenant"
    try:
        with tenant(owner, using=alias):
            pids.add(backend(alias))
            found = set(rows(alias).values_list("owner", flat=True))
            counts["read"] += 1
            assert found == {owner}, f"{owner} saw {found}"
            assert rows(alias).filter(owner=other).update(text="taken") == 0
            if dice.random() < 0.3:
                with tenant(other, using=alias):
                    assert set(rows(alias).values_list("owner", flat=True)) == {other}
                assert set(rows(alias).values_list("owner", flat=True)) == {owner}
            trouble = dice.choice([None, None, None, fail_in_sql, be_cancelled, give_up])
            if trouble:
                counts[trouble.__name__] += 1
                trouble(alias)
            rows(alias).create(owner=owner, text="more")
            rows(alias).filter(text="more").delete()
    except (DatabaseError, KeyError):
        counts["failed"] += 1
    with transaction.atomic(using=alias):
        assert not rows(alias).exists(), "rows after the tenant"


def test_a_hundred_interleaved_tenants_see_no_foreign_row_ever(app):
    wrong, counts, pids = [], Counter(), set()

    def work(seed):
        dice = random.Random(seed)
        try:
            with app() as alias:
                for _ in range(ROUNDS):
                    one_round(alias, dice, counts, pids)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert counts["read"] == THREADS * ROUNDS
    assert min(counts[trouble.__name__] for trouble in (fail_in_sql, be_cancelled, give_up)) > 10
    # More threads than server connections: each of these carried many tenants.
    assert len(pids) <= SERVER_CONNECTIONS + counts["be_cancelled"]
