"""Kill a worker and the master while tasks run, on one Redis server, behind Sentinels and in a Cluster.

    python tests/chaos/redis_tasks.py [--tasks 10000] [--only one_server|sentinel_trio|cluster_of_three]

Each task has a dedupe key, and writes one row in the transaction that marks its key as done. Nine tenths go to Redis
directly, by a caller that tries again under the same id until Redis has taken the task; one tenth is enqueued inside a
transaction and leaves through the outbox. In the end every task must have exactly one row. A task that ran twice is
a double: it finds its key done, is counted, and changes nothing.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sandbox"))

from launch import processes, topologies
from launch.services import services
from launch.topologies import Topology

HERE = Path(__file__).resolve().parent
QUEUES = ("critical", "emails", "default", "analytics")
SENDERS, WORKERS, BACKLOG = 3, 2, 1500
PATIENCE = 240
OPTIONS = {"LEASE": 3.0, "RETRY_SECONDS": 3.0, "MAX_DEATHS": 20}
KINDS = {
    "one_server": (topologies.one_server, {}),
    "sentinel_trio": (topologies.sentinel_trio, {"WAIT_REPLICAS": 1}),
    "cluster_of_three": (topologies.cluster_of_three, {"WAIT_REPLICAS": 1}),
}


class Drill:
    """One run on one topology."""

    def __init__(self, servers: Topology, options: dict[str, Any], tasks: int) -> None:
        self.servers, self.tasks = servers, tasks
        os.environ["DRILL_OPTIONS"] = json.dumps(options)
        self.done = 0
        self.refused = 0
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        program = [sys.executable, "-c", "import redis_roles; redis_roles.main()", *command]
        self.children[name] = processes.start(program, death_signal=signal.SIGKILL, folder=HERE)

    def stop_all(self) -> list[int]:
        """Ask every child to end; their exit statuses."""
        for child in self.children.values():
            child.terminate()
        return [child.wait(60) for child in self.children.values()]

    def send(self, numbers: list[int]) -> None:
        """Enqueue under one id until Redis says that it has it, or by way of the outbox."""
        import redis_roles
        from django.db import connection
        from django.tasks import task_backends
        from fashionistar_common.models import TaskKey
        from fashionistar_common.tasks.redis.backend import TaskNotEnqueuedError

        backend, path = task_backends["default"], redis_roles.effect.module_path
        for position, number in enumerate(numbers):
            while position * SENDERS > self.done + BACKLOG:
                time.sleep(0.05)
            made = redis_roles.effect.using(
                queue_name=QUEUES[number % 4], priority=number % 3 - 1, key=f"drill/{number}"
            )
            if number % 10 == 0:
                made.enqueue(number)
                continue
            key = TaskKey.objects.create(task=path, key=made.key, backend="default")
            headers = {"attempt": 1, "context": {}, "key": made.key, "key_id": key.pk}
            _, facts = backend._new(made, [number], {"_headers": headers})
            while True:
                try:
                    backend.send(facts)
                    break
                except TaskNotEnqueuedError:
                    self.refused += 1
                    time.sleep(0.1)
        connection.close()

    def watch(self, over: threading.Event) -> None:
        from django.db import connection

        while not over.wait(0.1):
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM effect")
                self.done = cursor.fetchone()[0]
        connection.close()

    def until_done(self, share: float) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.done < share * self.tasks:
            if time.monotonic() > deadline:
                raise AssertionError(f"only {self.done} of {self.tasks} after {PATIENCE} s")
            time.sleep(0.05)

    def kill(self) -> None:
        """A worker at a third, the master at a half. What was killed comes back."""
        self.until_done(0.33)
        self.children["worker 0"].kill()
        self.children.pop("worker 0").wait()
        self.start("worker 0", "redis_worker")
        self.until_done(0.5)
        tag = "{tasks:default}"
        killed = self.servers.kill_master(tag)
        if len(self.servers.nodes) > 1:
            topologies.until(lambda: self.servers.master(tag) is not killed, "there was no failover")
        else:
            time.sleep(1)
        killed.start()

    def run(self) -> list[str]:
        """Run it; what is wrong, a sentence each."""
        for number in range(WORKERS):
            self.start(f"worker {number}", "redis_worker")
        self.start("relay", "relay_events")
        over, began = threading.Event(), time.monotonic()
        numbers = list(range(self.tasks))
        random.shuffle(numbers)
        watcher = threading.Thread(target=self.watch, args=(over,))
        watcher.start()
        try:
            with ThreadPoolExecutor(SENDERS) as pool:
                sending = [pool.submit(self.send, numbers[start::SENDERS]) for start in range(SENDERS)]
                self.kill()
                for each in sending:
                    each.result()
            self.until_done(1)
            seconds = time.monotonic() - began
            time.sleep(2 * OPTIONS["LEASE"])  # what would run once more, runs now
        finally:
            over.set()
            watcher.join()
            ended = self.stop_all()
        return self.verify(seconds, ended)

    def verify(self, seconds: float, ended: list[int]) -> list[str]:
        from django.db import connection
        from django.db.models import Sum
        from django.tasks import task_backends
        from fashionistar_common.models import DeadTask, TaskKey

        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*), count(DISTINCT number) FROM effect")
            rows, numbers = cursor.fetchone()
            cursor.execute(
                "SELECT extract(epoch FROM max(gap)) FROM (SELECT at - lag(at) OVER (ORDER BY at) FROM effect) g(gap)"
            )
            pause = float(cursor.fetchone()[0])
        doubles = TaskKey.objects.aggregate(found=Sum("doubles"))["found"] or 0
        left = sum(facts.waiting + facts.running + facts.delayed for facts in task_backends["default"].queue_facts())
        print(
            f"  {self.tasks} tasks in {seconds:.0f} s ({self.tasks / seconds:.0f}/s with {WORKERS} workers);"
            f" lost: {self.tasks - numbers}, doubles: {doubles}, done twice: {rows - numbers};"
            f" longest pause {pause:.1f} s, enqueues refused meanwhile: {self.refused}",
            flush=True,
        )
        wrong = [f"{self.tasks - numbers} tasks are lost"] if numbers != self.tasks else []
        wrong += [f"{rows - numbers} tasks were done twice"] if rows != numbers else []
        wrong += [f"{left} tasks are still in the queues"] if left else []
        wrong += [f"{dead} tasks were given up"] if (dead := DeadTask.objects.count()) else []
        wrong += [f"a process ended with {ended}"] if any(ended) else []
        connection.close()
        return wrong


def drill_in_its_own_process(kind: str, tasks: int) -> list[str]:
    """Settings are read once in a process, so each topology has one."""
    topology, extra = KINDS[kind]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="fashionistar-redis-"))
        os.environ["REDIS_URL"] = "unused"
        os.environ |= stack.enter_context(services())
        servers = stack.enter_context(topology(Path(folder)))
        drill = Drill(servers, {**OPTIONS, **extra, **servers.options}, tasks)
        import redis_roles
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(redis_roles.TABLE)
        return drill.run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--only", choices=KINDS)
    options = parser.parse_args()
    if options.only:
        print(f"{options.only}:", flush=True)
        wrong = drill_in_its_own_process(options.only, options.tasks)
        print("\n".join(wrong) or "  none lost, none done twice", flush=True)
        return 1 if wrong else 0
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)  # its own services: what it counts is its own
    command = [sys.executable, __file__, "--tasks", str(options.tasks), "--only"]
    return max(subprocess.run([*command, kind], check=False).returncode for kind in KINDS)


if __name__ == "__main__":
    sys.exit(main())
