"""The door of `django.tasks` to the queues."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import redis
from asgiref.sync import sync_to_async
from django.core.checks import CheckMessage
from django.db import connections, router
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskError
from django.tasks.exceptions import TaskResultDoesNotExist
from django.tasks.signals import task_enqueued
from django.utils import timezone
from django.utils.module_loading import import_string

from ...exceptions import UnavailableError
from ...redis_servers import RedisServers, redis_servers
from .options import Options, check_options
from .queue import Entry, QueueFacts, RedisQueue, Taken

if TYPE_CHECKING:
    AnyTask = Task[..., Any]
    AnyResult = TaskResult[..., Any]
else:  # generic in the type stubs only
    AnyTask, AnyResult = Task, TaskResult


class TaskNotEnqueuedError(UnavailableError):
    """The task queue does not answer."""

    code = "task_not_enqueued"


class RedisBackend(BaseTaskBackend):
    """Tasks on Redis Streams: at least once, delayed, in three bands of priority, sync and async.

    Enqueueing inside a transaction of the database that holds the outbox is part of it: the task goes to Redis after
    the commit, through the event relay. Outside of one it goes there at once. Its id is final either way.

    Raises:
        TaskNotEnqueuedError: outside a transaction, when Redis (or WAIT_REPLICAS of its replicas) does not take the
            task within RETRY_SECONDS.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.settings = Options.read(self.options)
        self._queues: dict[str, RedisQueue] = {}

    @property
    def servers(self) -> RedisServers:
        """Where the queues lie."""
        return redis_servers(self.options)

    def queue(self, name: str) -> RedisQueue:
        """One queue by its name."""
        if name not in self._queues:
            self._queues[name] = RedisQueue(self.servers, prefix=self.settings.prefix, name=name)
        return self._queues[name]

    def enqueue(  # type: ignore[override]
        self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> AnyResult:
        """See the class."""
        result, facts = self._new(task, args, kwargs)
        if not self._published(facts):
            self.send(facts)
        task_enqueued.send(type(self), task_result=result)
        return result

    async def aenqueue(  # type: ignore[override]
        self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> AnyResult:
        """See enqueue(). The transaction looked for is that of the thread in which this context's queries run."""
        result, facts = self._new(task, args, kwargs)
        if not await sync_to_async(self._published)(facts):
            await self.asend(facts)
        await task_enqueued.asend(type(self), task_result=result)
        return result

    def send(self, facts: Mapping[str, Any]) -> None:
        """Put a task into its queue under the id it has; what is there already stays as it is."""
        try:
            self.queue(facts["queue_name"]).enqueue(_entry(facts), **self._durability)
        except redis.RedisError as error:
            raise TaskNotEnqueuedError from error

    async def asend(self, facts: Mapping[str, Any]) -> None:
        """See send()."""
        try:
            await self.queue(facts["queue_name"]).aenqueue(_entry(facts), **self._durability)
        except redis.RedisError as error:
            raise TaskNotEnqueuedError from error

    def get_result(self, result_id: str) -> AnyResult:
        """What is known of a task. One that was enqueued inside a transaction is known when the relay has sent it.

        Raises:
            TaskResultDoesNotExist: no such task, or it was finished more than RESULT_TTL ago.
        """
        return self._result(result_id, self._queue_of(result_id).load(result_id, patience=self.settings.retry_seconds))

    async def aget_result(self, result_id: str) -> AnyResult:
        """See get_result()."""
        known = await self._queue_of(result_id).aload(result_id, patience=self.settings.retry_seconds)
        return self._result(result_id, known)

    def queue_facts(self) -> list[QueueFacts]:
        """Every queue at this moment, by name. For metrics.

        Raises:
            redis.RedisError: Redis does not answer within a second.
        """
        return [self.queue(name).facts(lease=self.settings.lease) for name in sorted(self.queues)]

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Errors in OPTIONS and QUEUES."""
        return check_options(self.alias, self.options, self.queues)

    def begun(self, taken: Taken) -> AnyResult:
        """The result object of a task that a worker has taken, RUNNING.

        Raises:
            ValueError, ImportError, LookupError: the message names no task of this code.
        """
        known = {
            "message": taken.message,
            "status": "RUNNING",
            "workers": ",".join(taken.workers),
            "enqueued_at": taken.enqueued_at,
            "started_at": taken.started_at,
            "last_attempted_at": timezone.now().isoformat(),
        }
        return self._result(taken.id, known)

    @property
    def _durability(self) -> dict[str, Any]:
        options = self.settings
        return {
            "replicas": options.wait_replicas,
            "wait_ms": options.wait_timeout_ms,
            "patience": options.retry_seconds,
        }

    def _new(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[AnyResult, dict[str, Any]]:
        self.validate_task(task)
        result: AnyResult = TaskResult(
            task=task,
            id=f"{task.queue_name}-{uuid.uuid4().hex}",
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        facts = {
            "task_id": result.id,
            "backend": self.alias,
            "task": task.module_path,
            "queue_name": task.queue_name,
            "priority": task.priority,
            "run_after": task.run_after.isoformat() if task.run_after else "",
            "args": result.args,
            "kwargs": result.kwargs,
            "enqueued_at": result.enqueued_at.isoformat() if result.enqueued_at else "",
        }
        return result, facts

    def _published(self, facts: dict[str, Any]) -> bool:
        """Write the task into the outbox, if a transaction runs there; whether one does."""
        from ...events import event_bus
        from ...models import OutboxEvent
        from ..events import TaskEnqueued

        if not connections[router.db_for_write(OutboxEvent)].in_atomic_block:
            return False
        event_bus.publish(TaskEnqueued(**facts))
        return True

    def _queue_of(self, result_id: str) -> RedisQueue:
        name = str(result_id).rpartition("-")[0]
        if name not in self.queues:
            raise TaskResultDoesNotExist(result_id)
        return self.queue(name)

    def _result(self, result_id: str, known: Mapping[str, str]) -> AnyResult:
        if "message" not in known:
            raise TaskResultDoesNotExist(result_id)
        message = json.loads(known["message"])
        task = _task(message["task"], message["queue_name"], message["priority"], message["backend"])
        if message["run_after"]:
            task = task.using(run_after=_time(message["run_after"]))
        result: AnyResult = TaskResult(
            task=task,
            id=result_id,
            status=TaskResultStatus(known["status"]),
            enqueued_at=_time(known.get("enqueued_at")),
            started_at=_time(known.get("started_at")),
            finished_at=_time(known.get("finished_at")),
            last_attempted_at=_time(known.get("last_attempted_at")),
            args=message["args"],
            kwargs=message["kwargs"],
            backend=self.alias,
            errors=[TaskError(**error) for error in json.loads(known.get("errors") or "[]")],
            worker_ids=[worker for worker in known.get("workers", "").split(",") if worker],
        )
        object.__setattr__(result, "_return_value", json.loads(known.get("return_value") or "null"))
        return result


def _entry(facts: Mapping[str, Any]) -> Entry:
    names = ("task", "queue_name", "priority", "run_after", "backend", "args", "kwargs")
    due = _time(facts["run_after"])
    return Entry(
        id=facts["task_id"],
        band="high" if facts["priority"] > 0 else "low" if facts["priority"] < 0 else "normal",
        due_ms=int(due.timestamp() * 1000) if due else 0,
        message=json.dumps({name: facts[name] for name in names}, separators=(",", ":")),
        enqueued_at=facts["enqueued_at"],
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@lru_cache(maxsize=1000)
def _task(path: str, queue: str, priority: int, backend: str) -> AnyTask:
    """The task as it was enqueued. Only what was made a task can be reached from a message, whoever wrote it.

    Raises:
        ImportError, LookupError: there is no such task here.
    """
    task = import_string(path)
    if not isinstance(task, Task):
        raise LookupError(f"{path} is not a task.")  # noqa: TRY004 - it is about what was found
    return task.using(queue_name=queue, priority=priority, backend=backend)
