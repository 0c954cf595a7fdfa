"""Real workers and relays, killed with SIGKILL: what they were at is done by others, and nothing is done twice."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django_tasks_db.models import DBTaskResult
from fashionistar_common.models import IdempotencyRecord, PeriodicTask, TaskKey
from fashionistar_common.tasks import requeue_lost_tasks

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]

PROJECT = """
import json, os
from importlib import import_module

base = import_module(os.environ["BASE_SETTINGS"])
globals().update({name: getattr(base, name) for name in dir(base) if name.isupper()})
INSTALLED_APPS = [*base.INSTALLED_APPS, "tailoring"]
DATABASES = {"default": json.loads(os.environ["TAILORING_DATABASE"])}
FASHIONISTAR_COMMON = {**base.FASHIONISTAR_COMMON, "TASK_RECLAIM_INTERVAL": 0.05}
"""
TASKS = '''
import os, time
from pathlib import Path

from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.tasks import task


def note(word):
    with Path(os.environ["TAILORING_NOTES"]).open("a") as notes:
        notes.write(f"{word} {os.getpid()}\\n")


def hang_once(name):
    """The first process to come here stays; the next one goes on."""
    mark = Path(os.environ["TAILORING_NOTES"]).with_name(name)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    time.sleep(60)


@task(time_limit=1)
def sew(button):
    note(f"began {button}")
    hang_once("sew")
    note(f"done {button}")


@task(time_limit=1, atomic=True)
def bill(number):
    IdempotencyRecord.objects.create(scope="bill", key=f"{number}/{os.getpid()}", fingerprint="")
    note(f"began {number}")
    hang_once("bill")


@task(schedule="* * * * * *")
def tick():
    pass
'''


@pytest.fixture
def tailoring(tmp_path, monkeypatch):
    """A project around the test's own database, importable here and in other processes; starts commands in it."""
    (tmp_path / "tailoring").mkdir()
    (tmp_path / "tailoring" / "__init__.py").touch()
    (tmp_path / "tailoring" / "tasks.py").write_text(TASKS)
    (tmp_path / "tailoring_settings.py").write_text(PROJECT)
    (tmp_path / "notes").touch()
    database = {name: connection.settings_dict[name] for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}
    environment = {
        **os.environ,
        "BASE_SETTINGS": settings.SETTINGS_MODULE,
        "DJANGO_SETTINGS_MODULE": "tailoring_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)]),
        "TAILORING_DATABASE": json.dumps(database),
        "TAILORING_NOTES": str(tmp_path / "notes"),
    }
    monkeypatch.syspath_prepend(tmp_path)
    started = []

    class Tailoring:
        notes = tmp_path / "notes"

        def start(self, *command):
            process = subprocess.Popen([sys.executable, "-m", "django", *command], env=environment, cwd=tmp_path)
            started.append(process)
            return process

        def worker(self):
            return self.start(
                "db_worker", "--queue-name", "*", "--interval", "0.05", "--no-reload", "--no-startup-delay"
            )

    yield Tailoring()
    for process in started:
        process.kill()
        process.wait()
    for name in ("tailoring.tasks", "tailoring"):
        sys.modules.pop(name, None)
    from fashionistar_common.tasks.policy import registry

    for path in [path for path in registry if path.startswith("tailoring.")]:
        del registry[path]


def eventually(happens, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def words(notes: Path):
    return [line.rpartition(" ")[0] for line in notes.read_text().splitlines()]


def test_a_task_whose_worker_is_killed_runs_to_its_end_in_another(tailoring):
    from tailoring.tasks import sew

    result = sew.enqueue("b1")
    worker = tailoring.worker()
    eventually(lambda: words(tailoring.notes) == ["began b1"])
    worker.kill()
    worker.wait()
    assert requeue_lost_tasks() == 0  # it might still be running
    eventually(requeue_lost_tasks)
    tailoring.worker()
    eventually(lambda: DBTaskResult.objects.get(pk=result.id).status == "SUCCESSFUL")
    assert words(tailoring.notes) == ["began b1", "began b1", "done b1"]
    pids = {line.rpartition(" ")[2] for line in tailoring.notes.read_text().splitlines()}
    assert len(pids) == 2


def test_an_atomic_task_whose_worker_is_killed_has_its_effect_once(tailoring):
    from tailoring.tasks import bill

    bill.using(key="bill/7").enqueue("7")
    worker = tailoring.worker()
    eventually(lambda: words(tailoring.notes) == ["began 7"])
    worker.kill()
    worker.wait()
    eventually(requeue_lost_tasks)
    tailoring.worker()
    eventually(lambda: TaskKey.objects.get().finished_at)
    eventually(lambda: DBTaskResult.objects.get().status == "SUCCESSFUL")
    assert IdempotencyRecord.objects.filter(scope="bill").count() == 1
    DBTaskResult.objects.update(status="READY")  # delivered once more
    eventually(lambda: DBTaskResult.objects.get().status == "SUCCESSFUL")
    assert IdempotencyRecord.objects.filter(scope="bill").count() == 1


def test_whoever_is_killed_before_the_commit_has_neither_key_nor_task(tailoring, tmp_path):
    (tmp_path / "half.py").write_text(
        "import django, os, signal\n"
        "django.setup()\n"
        "from django.db import transaction\n"
        "from tailoring.tasks import bill\n"
        "with transaction.atomic():\n"
        "    bill.using(key='bill/7').enqueue('7')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    half = tailoring.start("shell", "--no-imports", "-c", "import half")
    assert half.wait(60) == -9
    assert TaskKey.objects.count() == DBTaskResult.objects.count() == 0


def test_two_relays_queue_each_tick_once_and_one_alone_goes_on(tailoring):
    def ticks():
        return DBTaskResult.objects.filter(task_path="tailoring.tasks.tick").count()

    relays = [tailoring.start("relay_events") for _ in range(2)]
    eventually(ticks)
    began, before = time.time(), ticks()
    eventually(lambda: ticks() >= before + 4)
    # A tick is a second, so there cannot have been more of them than seconds.
    assert ticks() - before <= time.time() - began + 1
    relays[0].kill()
    relays[0].wait()
    so_far = ticks()
    eventually(lambda: ticks() >= so_far + 2)
    for process in relays:
        process.terminate()
        process.wait()
    row = PeriodicTask.objects.get(task="tailoring.tasks.tick")
    assert row.last_run_at < row.next_run_at
