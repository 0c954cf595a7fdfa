"""What a task is: a function with a policy for its failures."""

import functools
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.tasks import Task, TaskContext, TaskResult, task_backends
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.utils.inspect import signature
from django.utils.module_loading import import_string

from ..conf import conf
from ..context import carrier
from .arguments import check_arguments
from .attempt import Attempt, Headers

if TYPE_CHECKING:
    _Task = Task[..., Any]
else:
    _Task = Task  # generic in the type stubs only

logger = logging.getLogger(__name__)

#: Exception classes, or dotted paths of such: a task need not import what only its services raise.
type Errors = tuple[type[BaseException] | str, ...]


@dataclass(frozen=True, kw_only=True)
class RetryingTask(_Task):
    """A task that is tried again when it fails.

    Attributes:
        max_attempts: how often it is tried in all. Each failed attempt stays as a FAILED result with its traceback.
        retry_on: the only errors after which it is tried again; none given: any error.
        give_up_on: errors after which it is not tried again; they come before `retry_on`.
        retry_base: seconds before the second attempt, doubled for each further one and at most an hour; by default
            TASK_RETRY_BASE.
        time_limit: seconds after which a running attempt is stopped, and later counts as lost with its worker; by
            default TASK_TIME_LIMIT.
        atomic: run the function in a transaction. With a key, what it writes to the database is written exactly once,
            however often the task is delivered. Not for async functions: Django has no async transactions.
        schedule: a cron expression in the project's time zone; the task then also runs by itself, without arguments.
        key: what one task is about, such as `order-confirmation/FS-7K2M`; given by `using()`. While a task with this
            key waits, runs, or has been done, enqueueing another one of this function returns the first one's result.
    """

    priority: int = 0  # this and the next three have no default in Django 6.0
    backend: str = "default"
    queue_name: str = "default"
    run_after: datetime | None = None
    takes_context: bool = True  # the wrapped function does, the one inside need not know
    max_attempts: int = 5
    retry_on: Errors = ()
    give_up_on: Errors = ()
    retry_base: float | None = None
    time_limit: float | None = None
    atomic: bool = False
    schedule: str = ""
    key: str = ""

    @property
    def seconds(self) -> float:
        """The time limit of one attempt."""
        return self.time_limit or conf.TASK_TIME_LIMIT

    @property
    def lost_after(self) -> float:
        """Seconds after which a running attempt has lost its worker: its limit, and a tenth to say so."""
        return self.seconds + max(1.0, self.seconds / 10)

    def using(self, *, key: str | None = None, **changes: Any) -> "RetryingTask":
        """The same task with another `key`, `priority`, `queue_name`, `run_after` or `backend`."""
        changed: RetryingTask = super().using(**changes)  # type: ignore[assignment]
        return changed if key is None else replace(changed, key=key)

    def enqueue(self, *args: Any, **kwargs: Any) -> "TaskResult[..., Any]":
        """Queue the task; request id, user and trace of the caller go with it.

        Returns:
            Its result. The result's id is the task's id, also when later attempts have results of their own.

        Raises:
            TaskArgumentError: for an argument that JSON does not keep as it is.
            TypeError: when the arguments do not fit the function.
            ValueError: for a key that is too long.
        """
        return self.enqueue_in(carrier(), *args, **kwargs)

    async def aenqueue(self, *args: Any, **kwargs: Any) -> "TaskResult[..., Any]":
        """See enqueue()."""
        if self.key:
            return await sync_to_async(self.enqueue)(*args, **kwargs)
        self._check(args, kwargs)
        return await super().aenqueue(*args, **kwargs, _headers={"attempt": 1, "context": carrier()})

    def enqueue_in(self, context: dict[str, str], *args: Any, **kwargs: Any) -> "TaskResult[..., Any]":
        """As `enqueue()`, in the context that a `carrier()` has written down."""
        self._check(args, kwargs)
        headers: Headers = {"attempt": 1, "context": context}
        if not self.key:
            return super().enqueue(*args, **kwargs, _headers=headers)
        from . import keys  # its table cannot be imported before the apps are ready, a task can

        def enqueue(key_id: int) -> "TaskResult[..., Any]":
            return Task.enqueue(self, *args, **kwargs, _headers={**headers, "key": self.key, "key_id": key_id})

        return keys.enqueue_once(self, enqueue)

    def _check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        check_arguments(self.name, _signature(inspect.unwrap(self.func)), args, kwargs)

    def enqueue_again(self, args: Any, kwargs: Any, headers: Headers, run_after: datetime) -> "TaskResult[..., Any]":
        """Queue an attempt that follows another one, with the headers that the task had."""
        return Task.enqueue(self.using(run_after=run_after), *args, **kwargs, _headers=headers)

    def is_worth_another(self, error: BaseException) -> bool:
        """Whether the policy has this error tried again, attempts being left."""
        if isinstance(error, _classes(self.give_up_on)):
            return False
        return not self.retry_on or isinstance(error, _classes(self.retry_on))


@functools.cache
def _classes(errors: Errors) -> tuple[type[BaseException], ...]:
    found = []
    for error in errors:
        try:
            found.append(import_string(error) if isinstance(error, str) else error)
        except ImportError:  # `check` has said so; a failed attempt must not fail at this as well
            logger.exception("an error that a task's policy names is not there")
    return tuple(found)


#: By the name of its first parameter Django knows what wants the context.
WITH_CONTEXT = inspect.signature(lambda context, *args, **kwargs: None)
_signature = functools.cache(signature)  # of Django: it does not evaluate annotations


class MisplacedTask(RetryingTask):
    """A task whose backend or queue the settings do not know: `check` says so, and enqueueing it fails."""

    def __post_init__(self) -> None:
        """Not validated: the import of a whole app need not fail for a line that its project's settings lack."""


#: Every task that `task()` has made in this process, by its path.
registry: dict[str, RetryingTask] = {}


def task(
    *,
    queue_name: str = "default",
    priority: int = 0,
    max_attempts: int = 5,
    retry_on: Errors = (),
    give_up_on: Errors = (),
    retry_base: float | None = None,
    time_limit: float | None = None,
    atomic: bool = False,
    schedule: str = "",
    backend: str = "default",
) -> Callable[[Callable[..., Any]], RetryingTask]:
    """Make a module-level function, sync or async, a task with retries; see RetryingTask for the policy.

    Called directly, `made.func(...)` runs an attempt here and now, in which a failure queues the next one.
    """

    def decorate(function: Callable[..., Any]) -> RetryingTask:
        def attempt(args: tuple[Any, ...], kwargs: dict[str, Any], headers: Headers | None) -> Attempt:
            context, args = (args[0], args[1:]) if args and isinstance(args[0], TaskContext) else (None, args)
            return Attempt(made, context, args, kwargs, headers)

        if iscoroutinefunction(function):
            if atomic:
                raise TypeError(f"{function.__qualname__} is async and cannot be atomic.")

            @functools.wraps(function)
            async def run(*args: Any, _headers: Headers | None = None, **kwargs: Any) -> Any:
                return await attempt(args, kwargs, _headers).arun(function)

        else:

            @functools.wraps(function)
            def run(*args: Any, _headers: Headers | None = None, **kwargs: Any) -> Any:
                return attempt(args, kwargs, _headers).run(function)

        run.__signature__ = WITH_CONTEXT  # type: ignore[attr-defined]
        policy: dict[str, Any] = {
            "func": run,
            "priority": priority,
            "backend": backend,
            "queue_name": queue_name,
            "max_attempts": max_attempts,
            "retry_on": tuple(retry_on),
            "give_up_on": tuple(give_up_on),
            "retry_base": retry_base,
            "time_limit": time_limit,
            "atomic": atomic,
            "schedule": schedule,
        }
        try:
            made = RetryingTask(**policy)
        except (InvalidTask, InvalidTaskBackend):
            if not _missing(backend, queue_name):
                raise
            made = MisplacedTask(**policy)
        registry[made.module_path] = made
        return made

    return decorate


def _missing(backend: str, queue_name: str) -> str:
    """What the settings lack for this backend and queue; empty if they have both."""
    if backend not in task_backends.settings:
        return f"TASKS has no backend {backend!r}"
    queues = task_backends[backend].queues
    return f"TASKS[{backend!r}] has no queue {queue_name!r}" if queues and queue_name not in queues else ""


def problems() -> list[str]:
    """What does not fit between the tasks and the project, a sentence each."""
    found = []
    for path, made in sorted(registry.items()):
        if missing := _missing(made.backend, made.queue_name):
            found.append(f"The task {path} has nowhere to go: {missing}.")
        for name in (error for error in made.retry_on + made.give_up_on if isinstance(error, str)):
            try:
                import_string(name)
            except ImportError as error:
                found.append(f"The task {path} names an error that is not there: {error}.")
    return found
