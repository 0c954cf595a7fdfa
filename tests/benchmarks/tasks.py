"""How many tasks a worker process runs, and how soon one begins: Redis beside the database backend.

    python tests/benchmarks/tasks.py [--tasks 5000] [--calls 100]

Throughput: trivial tasks that wait, worked off by one worker process. Latency: one task at a time into an idle queue,
from before `enqueue()` to the first line of the task. PostgreSQL and Valkey are on this machine; each keeps its data
across its own crash (fsync and an append-only file).
"""

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "sandbox"))

BAR_PER_MINUTE, BAR_MS = 10_000, 100
KINDS = ("redis", "database")


def set_up(kind: str) -> None:
    """Configure Django around fashionistar_common and one of the two backends."""
    import django
    from django.conf import settings

    url = urlsplit(os.environ["DATABASE_URL"])
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": str(url.port),
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 5}},
    }
    backends = {
        "redis": {
            "BACKEND": "fashionistar_common.tasks.redis.RedisBackend",
            "OPTIONS": json.loads(os.environ["BENCHMARK_OPTIONS"]),
        },
        "database": {"BACKEND": "django_tasks_db.DatabaseBackend"},
    }
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        DATABASES={"default": database},
        INSTALLED_APPS=["fashionistar_common", "django.contrib.auth", "django.contrib.contenttypes", "django_tasks_db"],
        TASKS={"default": {**backends[kind], "QUEUES": ["default", "critical", "emails", "analytics"]}},
        LOGGING_CONFIG=None,
        SILENCED_SYSTEM_CHECKS=["fashionistar_common.W051"],
    )
    django.setup()


def define_tasks() -> None:
    """Make the two tasks, found by messages as `benchmark_tasks.<name>`."""
    from django.tasks import task

    module = sys.modules["benchmark_tasks"] = sys.modules["__main__"]

    def nothing() -> None:
        pass

    def say_when(port: int) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.sendto(str(time.time()).encode(), ("127.0.0.1", port))

    for function in (nothing, say_when):
        function.__module__, function.__qualname__ = "benchmark_tasks", function.__name__
        setattr(module, function.__name__, task(function))


def waiting(kind: str) -> int:
    """How many tasks are not done."""
    if kind == "redis":
        from django.tasks import task_backends

        return sum(facts.waiting + facts.running for facts in task_backends["default"].queue_facts())
    from django_tasks_db.models import DBTaskResult

    return DBTaskResult.objects.exclude(status="SUCCESSFUL").count()


def worker(kind: str) -> "subprocess.Popen[bytes]":
    command = {
        "redis": ["redis_worker"],
        "database": ["db_worker", "--interval", "0.2", "--no-reload", "--no-startup-delay", "--verbosity", "0"],
    }
    return subprocess.Popen([sys.executable, __file__, "--only", kind, "--command", *command[kind]])


def when(is_so: Callable[[], bool]) -> float:
    deadline = time.monotonic() + 300
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError("it took too long")
        time.sleep(0.02)
    return time.monotonic()


def measure(kind: str, tasks: int, calls: int) -> dict[str, float]:
    """Tasks per minute, and milliseconds of latency at the 50th and 95th percentile."""
    module = sys.modules["benchmark_tasks"]
    began = time.monotonic()
    for _ in range(tasks):
        module.nothing.enqueue()
    enqueued = tasks / (time.monotonic() - began)
    process = worker(kind)
    try:
        first = when(lambda: waiting(kind) < tasks)
        left = waiting(kind)
        last = when(lambda: waiting(kind) == 0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.settimeout(30)
            late = []
            for _ in range(calls):
                time.sleep(random.uniform(0.05, 0.35))
                sent = time.time()
                module.say_when.enqueue(receiver.getsockname()[1])
                late.append((float(receiver.recv(100)) - sent) * 1000)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return {
        "enqueued_per_second": enqueued,
        "per_minute": left / (last - first) * 60,
        "p50": statistics.median(late),
        "p95": statistics.quantiles(late, n=20)[-1],
    }


def measured_in_its_own_process(kind: str, tasks: int, calls: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--only", kind, "--tasks", str(tasks), "--calls", str(calls)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--only", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        set_up(options.only)
        define_tasks()
        from django.core.management import call_command, execute_from_command_line

        if options.command:
            execute_from_command_line(["benchmark", *options.command])
            return 0
        call_command("migrate", verbosity=0)
        print(json.dumps(measure(options.only, options.tasks, options.calls)))
        return 0
    return compare(options.tasks, options.calls)


def compare(tasks: int, calls: int) -> int:
    from launch.services import services
    from launch.topologies import one_server

    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fashionistar-bench-")))
        servers = stack.enter_context(one_server(folder / "redis"))
        os.environ["REDIS_URL"] = servers.options["URL"]
        os.environ |= stack.enter_context(services(folder / "data"))
        os.environ["BENCHMARK_OPTIONS"] = json.dumps(servers.options)
        found = {kind: measured_in_its_own_process(kind, tasks, calls) for kind in KINDS}
    columns = ("per_minute", "enqueued_per_second", "p50", "p95")
    print(f"{'':10} {'tasks/min':>12} {'enqueues/s':>12} {'p50 ms':>12} {'p95 ms':>12}")
    for kind in KINDS:
        print(f"{kind:10} " + " ".join(f"{found[kind][column]:12,.1f}" for column in columns))
    redis, database = found["redis"], found["database"]
    print(
        f"Redis runs {redis['per_minute'] / database['per_minute']:.1f} times as many tasks"
        f" and begins one {database['p95'] / redis['p95']:.0f} times as soon (p95)"
    )
    met = redis["per_minute"] >= BAR_PER_MINUTE and redis["p95"] < BAR_MS
    print(f"bar: {BAR_PER_MINUTE:,} tasks a minute and p95 under {BAR_MS} ms: {'met' if met else 'NOT met'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
