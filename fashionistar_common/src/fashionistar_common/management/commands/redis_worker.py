import os
import secrets
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.tasks import task_backends


class Command(BaseCommand):
    help = "Run tasks of the Redis backend until SIGTERM. Any number may run, on any number of machines."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--queue", default="*", help="Queues, separated by commas; the first is emptied first. *: all"
        )
        parser.add_argument("--concurrency", type=int, default=10, help="Async tasks at the same time.")
        parser.add_argument("--grace", type=float, default=30, help="Seconds that running tasks have after SIGTERM.")
        parser.add_argument("--burst", action="store_true", help="Exit when nothing is left that could run now.")
        parser.add_argument("--backend", default="default", help="Alias in TASKS.")

    def handle(self, *, queue: str, concurrency: int, grace: float, burst: bool, backend: str, **options: Any) -> None:
        from fashionistar_common.tasks.redis import RedisBackend
        from fashionistar_common.tasks.redis.worker import Worker

        chosen = task_backends[backend]
        if not isinstance(chosen, RedisBackend):
            raise CommandError(f"TASKS[{backend!r}] is {type(chosen).__name__}, which has a worker of its own.")
        names = sorted(chosen.queues) if queue == "*" else [name.strip() for name in queue.split(",")]
        if unknown := set(names) - chosen.queues:
            raise CommandError(f"Not in QUEUES of TASKS[{backend!r}]: {', '.join(sorted(unknown))}.")
        if concurrency < 1 or grace < 0:
            raise CommandError("--concurrency is at least 1, --grace at least 0.")
        name = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(4)}"
        Worker(chosen, names, name=name, concurrency=concurrency, grace=grace).run(burst=burst)
