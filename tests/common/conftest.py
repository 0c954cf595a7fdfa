"""Tables of models that only a test has. Tasks on Redis: a backend for each test, and workers as processes."""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

#: A project of its own: settings for the processes that tests start, and tasks for both sides.
REDIS_PROJECT = Path(__file__).with_name("redis_project")
sys.path.insert(0, str(REDIS_PROJECT))


@pytest.fixture(scope="module")
def server_folder():
    """For a server of a test's own: as root it runs as somebody else, who must get there; and sockets like it short."""
    with tempfile.TemporaryDirectory(prefix="fashionistar-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def tables(django_db_setup, django_db_blocker):
    """Tables for models that only a test module has: `with tables(Vendor, Shop): ...`, outside of any transaction."""

    @contextmanager
    def existing(*models):
        with django_db_blocker.unblock():
            with connection.schema_editor() as editor:
                for model in models:
                    editor.create_model(model)
            connection.close()
        try:
            yield
        finally:
            with django_db_blocker.unblock():
                with connection.schema_editor() as editor:
                    for model in reversed(models):
                        editor.delete_model(model)
                connection.close()

    return existing


@pytest.fixture
def until():
    """Wait until something is so."""

    def until(is_so, *, seconds=30):
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    return until


@pytest.fixture
def options():
    """OPTIONS of a Redis backend that no other test shares."""
    pytest.importorskip("redis", reason="needs the extra `redis`")
    if not (url := os.environ.get("REDIS_URL")):
        pytest.skip("needs a server, named by REDIS_URL")
    return {"URL": url, "PREFIX": f"test-{uuid.uuid4().hex[:16]}", "LEASE": 1.0, "MAX_DEATHS": 1, "RETRY_SECONDS": 0.2}


@pytest.fixture
def name(options):
    """The list in which a test's tasks write down what they did."""
    return options["PREFIX"]


@pytest.fixture
def backend(settings, options, monkeypatch):
    """TASKS["default"] on Redis; emptied in the end."""
    from django.tasks import task_backends

    monkeypatch.setenv("NOTES_URL", os.environ["REDIS_URL"])
    path = "fashionistar_common.tasks.redis.RedisBackend"
    settings.TASKS = {"default": {"BACKEND": path, "QUEUES": ["critical", "emails", "default"], "OPTIONS": options}}
    yield task_backends["default"]
    import redis

    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        for pattern in (f"{{{options['PREFIX']}:*", f"notes:{options['PREFIX']}*"):
            for key in client.scan_iter(pattern, count=1000):
                client.delete(key)


@pytest.fixture
def work(backend):
    """Run what can run now, in this process."""
    from fashionistar_common.tasks.redis.worker import Worker

    def work(**how):
        Worker(backend, ["critical", "emails", "default"], name=f"here-{uuid.uuid4().hex}", **how).run(burst=True)

    return work


@pytest.fixture(scope="session")
def worker_database(tmp_path_factory):
    """A migrated database file for worker processes, which have no test database."""
    path = tmp_path_factory.mktemp("workers") / "workers.sqlite3"
    environment = _environment(path, {"URL": "redis://127.0.0.1:1/0"})
    subprocess.run([sys.executable, "-m", "django", "migrate", "--verbosity", "0"], env=environment, check=True)
    return path


@pytest.fixture
def start_worker(backend, options, worker_database):
    """Start `manage.py redis_worker` as a process of its own; what still runs in the end is killed."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "django", "redis_worker", *arguments]
        started.append(subprocess.Popen(command, env=_environment(worker_database, options)))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def _environment(database, options):
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "redis_settings",
        "PYTHONPATH": str(REDIS_PROJECT),
        "REDIS_TASKS_OPTIONS": json.dumps(options),
        "REDIS_TASKS_DATABASE": str(database),
    }
