"""One queue: its keys, and its scripts called on the server that holds them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio
from django.utils import timezone

from ...redis_servers import NotReplicatedError, RedisServers
from . import scripts
from .scripts import GROUP

BANDS = ("high", "normal", "low")


@dataclass(frozen=True, slots=True)
class Taken:
    """A task that a worker has begun: the entry it holds, and what the hash knew.

    Attributes:
        workers: every worker that has begun it, this one last. All but this one have died over it.
    """

    queue: "RedisQueue"
    stream: str
    entry: str
    id: str
    message: str
    workers: tuple[str, ...]
    enqueued_at: str
    started_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a task; the two texts are JSON."""

    status: str
    return_value: str = "null"
    errors: str = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts:
    """A queue at this moment.

    Attributes:
        waiting: tasks that nobody has taken yet; `delayed` ones are not among them.
        running: tasks that a worker holds.
        delayed: tasks whose time has not come.
        oldest_seconds: how long the oldest waiting task has been waiting; 0 when none waits.
        workers: workers that have shown themselves within the lease.
        dead_workers: workers that hold tasks and have not; the tasks are about to be taken over.
    """

    queue: str
    waiting: int
    running: int
    delayed: int
    oldest_seconds: float
    workers: int
    dead_workers: int


class RedisQueue:
    """See the module. Times are seconds; `patience` is how long a server that is away is waited for."""

    def __init__(self, servers: RedisServers, *, prefix: str, name: str) -> None:
        self.servers, self.name = servers, name
        self.tag = f"{{{prefix}:{name}}}"
        self.streams = {band: f"{self.tag}:{band}" for band in BANDS}
        self.delayed = f"{self.tag}:delayed"
        self._keys = (*self.streams.values(), self.delayed)

    def task_key(self, task_id: str) -> str:
        return f"{self.tag}:task:{task_id}"

    def enqueue(self, entry: "Entry", *, replicas: int, wait_ms: int, patience: float) -> None:
        """Add the task unless its id is known; with `replicas`, return when so many have it too.

        Raises:
            redis.RedisError: it may or may not be there. The same entry can be sent again.
        """
        keys, arguments = (self.streams[entry.band], self.delayed, self.task_key(entry.id)), entry.arguments()

        def send(client: redis.Redis) -> None:
            if not replicas:
                scripts.ENQUEUE.run(client, keys, *arguments)
                return
            with client.pipeline(transaction=False) as pipeline:  # one connection: WAIT asks about its own writes
                pipeline.execute_command("EVAL", scripts.ENQUEUE.text, len(keys), *keys, *arguments)
                pipeline.execute_command("WAIT", replicas, wait_ms)
                _require(replicas, pipeline.execute())

        self.servers.call(self.tag, send, patience=patience)

    async def aenqueue(self, entry: "Entry", *, replicas: int, wait_ms: int, patience: float) -> None:
        """See enqueue()."""
        keys, arguments = (self.streams[entry.band], self.delayed, self.task_key(entry.id)), entry.arguments()

        async def send(client: redis.asyncio.Redis) -> None:
            if not replicas:
                await scripts.ENQUEUE.arun(client, keys, *arguments)
                return
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.execute_command("EVAL", scripts.ENQUEUE.text, len(keys), *keys, *arguments)
                pipeline.execute_command("WAIT", replicas, wait_ms)
                _require(replicas, await pipeline.execute())

        await self.servers.acall(self.tag, send, patience=patience)

    def load(self, task_id: str, *, patience: float) -> dict[str, str]:
        """What is known of a task; empty when nothing is."""
        key = self.task_key(task_id)
        return self.servers.call(self.tag, lambda client: client.execute_command("HGETALL", key), patience=patience)

    async def aload(self, task_id: str, *, patience: float) -> dict[str, str]:
        """See load()."""
        key = self.task_key(task_id)

        async def load(client: redis.asyncio.Redis) -> dict[str, str]:
            found: dict[str, str] = await client.execute_command("HGETALL", key)
            return found

        return await self.servers.acall(self.tag, load, patience=patience)

    def take(self, worker: str, *, lease: float = 0) -> Taken | float | None:
        """Begin the next task; else the seconds until a delayed one is due, or None.

        Args:
            worker: who takes it.
            lease: also take over what others have held without a sign of life for so long.
        """
        now = timezone.now().isoformat()
        found = self._run(scripts.TAKE, self._keys, worker, now, int(lease * 1000), patience=0)
        if isinstance(found, list):
            return self._taken(found)
        return None if found < 0 else found / 1000

    def begin(self, stream: str, entry: str, task_id: str, *, worker: str) -> Taken | None:
        """Begin a task whose entry the worker has read already; None when there is nothing left to do."""
        found = self._run(scripts.BEGIN, (stream,), entry, task_id, worker, timezone.now().isoformat(), patience=0)
        return self._taken(found) if found else None

    def finish(self, taken: Taken, outcome: Outcome, *, keep: int, patience: float) -> None:
        """Note what became of the task for `keep` seconds; it will not run again."""
        keys, arguments = self._finishing(taken, outcome, keep)
        self._run(scripts.FINISH, keys, *arguments, patience=patience)

    async def afinish(self, taken: Taken, outcome: Outcome, *, keep: int, patience: float) -> None:
        """See finish()."""
        keys, arguments = self._finishing(taken, outcome, keep)
        await self.servers.acall(
            self.tag, lambda client: scripts.FINISH.arun(client, keys, *arguments), patience=patience
        )

    def release(
        self,
        stream: str,
        entry: str,
        task_id: str,
        *,
        worker: str,
        patience: float,
        pause: float = 0,
        counts: bool = False,
    ) -> None:
        """Give back what this worker holds, for anyone to take at once.

        Args:
            stream: where its entry lies.
            entry: the entry.
            task_id: the task's id.
            worker: who holds it.
            patience: see the class.
            pause: seconds for which nobody takes it.
            counts: whether this beginning counts as one, as if the worker had died over it.
        """
        keys = (stream, self.delayed, self.task_key(task_id))
        self._run(scripts.RELEASE, keys, entry, task_id, worker, int(pause * 1000), int(counts), patience=patience)

    def renew(self, worker: str, stream: str, entries: Iterable[str], *, patience: float) -> list[str]:
        """Hold the entries of one stream for another lease; returns those that another worker holds now."""
        return list(self._run(scripts.RENEW, (stream,), worker, *entries, patience=patience))

    def facts(self, *, lease: float, forget_after: float = 0, patience: float = 1) -> QueueFacts:
        """The queue at this moment; with `forget_after`, workers that hold nothing are forgotten after so long."""
        more = [int(forget_after * 1000)] if forget_after else []
        waiting, running, delayed, oldest, workers, dead = self._run(
            scripts.FACTS, self._keys, int(lease * 1000), *more, patience=patience
        )
        return QueueFacts(
            queue=self.name,
            waiting=waiting,
            running=running,
            delayed=delayed,
            oldest_seconds=oldest / 1000,
            workers=workers,
            dead_workers=dead,
        )

    def eviction_policy(self) -> str:
        """What the server throws away when its memory is full; empty if it does not say."""
        found = self.servers.call(self.tag, lambda client: client.info("memory"), patience=0)
        return str(found.get("maxmemory_policy", ""))

    def make_groups(self) -> None:
        """Make the streams and their group, where they are not there. A group begins with a stream's first entry."""

        def make(client: redis.Redis) -> None:
            for stream in self.streams.values():
                try:
                    client.execute_command("XGROUP CREATE", stream, GROUP, "0", "MKSTREAM")
                except redis.ResponseError as error:
                    if not str(error).startswith("BUSYGROUP"):
                        raise

        self.servers.call(self.tag, make, patience=0)

    def _run(self, script: scripts.Script, keys: Sequence[str], *arguments: str | float, patience: float) -> Any:
        return self.servers.call(self.tag, lambda client: script.run(client, keys, *arguments), patience=patience)

    def _finishing(self, taken: Taken, outcome: Outcome, keep: int) -> tuple[tuple[str, str], tuple[str | int, ...]]:
        finished_at = timezone.now().isoformat()
        arguments = (taken.entry, outcome.status, outcome.return_value, outcome.errors, finished_at, keep)
        return (taken.stream, self.task_key(taken.id)), arguments

    def _taken(self, found: list[str]) -> Taken:
        stream, entry, task_id, message, workers, enqueued_at, started_at = found
        return Taken(self, stream, entry, task_id, message, tuple(workers.split(",")), enqueued_at, started_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A task on its way into a queue; `due_ms` is a time since 1970, 0 for at once."""

    id: str
    band: str
    due_ms: int
    message: str
    enqueued_at: str

    def arguments(self) -> tuple[str, int, str, str, str]:
        return self.id, self.due_ms, self.message, self.band, self.enqueued_at


def _require(replicas: int, answers: list[Any]) -> None:
    if answers[-1] < replicas:
        raise NotReplicatedError(f"{answers[-1]} of {replicas} replicas have taken it over in time.")


def wait_for_any(
    queues: Sequence[RedisQueue], *, worker: str, seconds: float
) -> list[tuple[RedisQueue, str, str, str]]:
    """Sleep until a task is enqueued; returns what this worker now holds: queue, stream, entry and task id each.

    All queues must lie on one server. More than one comes when several were enqueued just before the call.
    """
    streams = {stream: queue for queue in queues for stream in queue.streams.values()}
    block = max(1, int(seconds * 1000))
    arguments = ("COUNT", 1, "BLOCK", block, "STREAMS", *streams, *(">" for _ in streams))
    found: Any = queues[0].servers.call(
        queues[0].tag,
        lambda client: client.execute_command("XREADGROUP", "GROUP", GROUP, worker, *arguments),
        patience=0,
    )
    return [
        (streams[stream], stream, entry, fields["id"]) for stream, entries in found or [] for entry, fields in entries
    ]
