"""Waking relays where a real PgBouncer in transaction mode stands before the database."""

import threading

import pytest
from django.db import connection, connections, transaction
from fashionistar_common.events import wake

launch = pytest.importorskip("launch.pgbouncer")
from launch import processes  # noqa: E402 - only where it is
from launch.errors import LaunchError  # noqa: E402

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def bouncer(server_folder, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        if connection.vendor != "postgresql":
            pytest.skip("needs PostgreSQL")
        connection.ensure_connection()
        server = connection.connection.info
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}"
        user = server.user
        connection.close()
    try:
        pool = launch.PgBouncer(server_folder, url, port=processes.free_port(), pool_size=2)
    except LaunchError as error:
        pytest.skip(str(error))
    try:
        pool.wait()
        yield {"HOST": "127.0.0.1", "PORT": pool.port, "USER": user, "OPTIONS": {}}
    finally:
        pool.stop()


@pytest.fixture(autouse=True)
def _pooled(bouncer, monkeypatch):
    """New threads of this process reach the database through PgBouncer, and past it under the alias `direct`."""
    straight = connection.settings_dict
    monkeypatch.setitem(connections.settings, "direct", straight)
    monkeypatch.setitem(connections.settings, "default", {**straight, **bouncer})
    monkeypatch.setattr(wake, "PROOF_SECONDS", 1.0)


def test_a_listener_behind_the_pool_finds_out_that_it_hears_nothing(monkeypatch):
    said, heard = threading.Event(), threading.Event()
    monkeypatch.setattr(wake.logger, "warning", lambda text, *_: "RELAY_LISTEN_ALIAS" in text and said.set())
    listener = wake.Listener("default", heard.set)
    try:
        assert said.wait(20)
        assert not heard.is_set()
        assert not listener.listens
    finally:
        listener.stop()


def publish():
    try:
        with transaction.atomic():
            wake.wake_relays_on_commit("default")
    finally:
        connections.close_all()


def test_a_listener_with_a_way_past_the_pool_hears_who_publishes_through_it(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "RELAY_LISTEN_ALIAS": "direct"}
    heard = threading.Semaphore(0)
    listener = wake.Listener("default", heard.release)
    try:
        assert heard.acquire(timeout=20)
        publisher = threading.Thread(target=publish)
        publisher.start()
        assert heard.acquire(timeout=20)
        publisher.join()
    finally:
        listener.stop()
